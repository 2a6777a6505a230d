from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import InsufficientCreditsError, InvalidRequestError
from airflow_provider_batchdl.failures import BatchTaskFailedError
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_jobs import VENDORS, count, work


def submit(**arguments: Any) -> SubmitBatchJobOperator:
    return SubmitBatchJobOperator(task_id="submit", **arguments)


@pytest.mark.parametrize("vendor", VENDORS)
def test_it_returns_the_new_jobs_id(connections: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str) -> None:
    outcome = api.run(lambda: submit(**work(vendor, tmp_path)))
    [job] = connections.jobs(vendor)
    assert (outcome.state, outcome.value) == ("success", job.id)
    assert count(connections, "submit") == 1


def test_the_button_has_its_address(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    api.run(lambda: submit(**work("proofy", tmp_path)))
    assert api.pushed("submit", "_link_BatchJobLink") == "https://docs.proofy.io"


def test_without_money_no_retry_helps(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    connections.set_credits("revenuebase", 0)
    outcome = api.run(lambda: submit(**work("revenuebase", tmp_path)))
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert outcome.error is not None
    assert isinstance(outcome.error.__cause__, InsufficientCreditsError)
    assert not api.store  # surely not accepted: nothing to come back to


def test_a_vendor_that_is_down_is_tried_again_later(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, looks: object
) -> None:
    connections.add_fault(Fault("status", operation="submit", status=503, times=100))
    outcome = api.run(lambda: submit(**work("proofy", tmp_path)))
    assert outcome.kind == ("up_for_retry", "VendorUnavailableError")
    connections.clear_faults()
    assert api.run(lambda: submit(**work("proofy", tmp_path)), try_number=2).state == "success"
    assert len(connections.jobs("proofy")) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"conn_id": "proofy_default", "request": {"emails": []}}, "emails"),
        ({"conn_id": "proofy_default", "request": {"emails": ["a@b.c"], "when": date(2026, 1, 1)}}, "plain JSON"),
        ({"conn_id": "revenuebase_default", "file": "/nowhere/people.csv"}, "people.csv"),
        ({"conn_id": "revenuebase_default"}, "takes a file"),
    ],
)
def test_a_request_that_cannot_be_sent_fails_at_once_and_leaves_no_doubt(
    connections: Emulator, api: ExecutionApi, arguments: dict[str, Any], words: str
) -> None:
    outcome = api.run(lambda: submit(**arguments))
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert outcome.error is not None
    assert isinstance(outcome.error.__cause__, InvalidRequestError)
    assert words in str(outcome.error)
    assert not api.store
    assert count(connections, "submit") == 0


def test_a_connection_that_is_not_there(connections: Emulator, api: ExecutionApi) -> None:
    outcome = api.run(lambda: submit(conn_id="no_such_connection", request={"emails": ["a@b.c"]}))
    assert outcome.kind == ("up_for_retry", "AirflowNotFoundException")
    assert "no_such_connection" in str(outcome.error)


def test_a_connection_of_another_type(
    connections: Emulator, api: ExecutionApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SOMEWHERE", '{"conn_type": "http", "host": "localhost", "password": "pass-word"}')
    outcome = api.run(lambda: submit(conn_id="somewhere", request={"emails": ["a@b.c"]}))
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert "'http'" in str(outcome.error)
    assert "revenuebase" in str(outcome.error)
