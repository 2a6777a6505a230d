from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import ObjectStoragePath

from airflow_provider_batchdl._airflow.fail_fast import BatchTaskFailedError
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import InsufficientCreditsError, InvalidArgumentError, InvalidRequestError
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import serialize
from tests.support.airflow_jobs import VENDORS, count, work
from tests.support.fixtures import set_extra


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
    assert isinstance(outcome.cause, InsufficientCreditsError)
    assert not api.store  # surely not accepted: nothing to come back to


def test_a_vendor_that_is_down_is_tried_again_later(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: object
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
        ({"conn_id": "proofy_default", "request": {"emails": ["a@b.c"], "when": b"now"}}, "plain JSON"),
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
    assert isinstance(outcome.cause, InvalidRequestError)
    assert words in str(outcome.error)
    assert not api.store
    assert count(connections, "submit") == 0


def test_a_connection_that_is_not_there(connections: Emulator, api: ExecutionApi) -> None:
    outcome = api.run(lambda: submit(conn_id="no_such_connection", request={"emails": ["a@b.c"]}))
    assert outcome.kind == ("up_for_retry", "InvalidConnectionError")
    assert "no_such_connection" in str(outcome.error)


def test_a_connection_of_another_type(
    connections: Emulator, api: ExecutionApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SOMEWHERE", '{"conn_type": "http", "host": "localhost", "password": "pass-word"}')
    outcome = api.run(lambda: submit(conn_id="somewhere", request={"emails": ["a@b.c"]}))
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert "'http'" in str(outcome.error)
    assert "revenuebase" in str(outcome.error)


@pytest.mark.parametrize("kind", ["path", "storage", "storage in XCom"])
def test_a_file_may_be_a_path_object(connections: Emulator, api: ExecutionApi, tmp_path: Path, kind: str) -> None:
    file: Any = Path(work("revenuebase", tmp_path)["file"])
    if kind != "path":
        file = ObjectStoragePath(f"file://{file}")
    if kind.endswith("XCom"):
        api.xcoms["before", -1, "return_value"] = serialize(file)
        outcome = api.run(lambda: submit(conn_id="revenuebase_default", file=_output("before")))
    else:
        outcome = api.run(lambda: submit(conn_id="revenuebase_default", file=file))
    assert outcome.state == "success", outcome.error
    assert str(connections.jobs("revenuebase")[0].filename).startswith("people-")


def test_a_request_may_be_json_text(connections: Emulator, api: ExecutionApi) -> None:
    text = '{{ {"emails": ["ada@example.com"]} | tojson }}'
    outcome = api.run(lambda: submit(conn_id="proofy_default", request=text))
    assert outcome.state == "success", outcome.error
    assert connections.jobs("proofy")[0].request == {"emails": ["ada@example.com"]}


def test_an_id_cannot_be_unrolled(connections: Emulator, api: ExecutionApi) -> None:
    """Airflow would refuse it when the job is paid for, in each try anew."""
    with pytest.raises(ValueError, match="multiple_outputs"):
        submit(conn_id="proofy_default", request={}, multiple_outputs=True)
    mapped = partial(SubmitBatchJobOperator.partial, task_id="task", conn_id="proofy_default", multiple_outputs=True)
    outcome = api.run(lambda: mapped(retries=3).expand(request=[{"emails": ["ada@example.com"]}]), map_index=0)
    assert isinstance(outcome.cause, InvalidArgumentError)
    assert not connections.requests


@pytest.mark.parametrize("names", [{"request": 5}, {"request": ["a"]}, {"request": "{"}, {"file": ""}, {"file": b"x"}])
def test_what_no_run_can_mend_is_refused_when_the_dag_is_parsed(names: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(names))):
        submit(conn_id="proofy_default", **names)


def test_the_connection_may_name_what_the_vendor_has_learnt(
    connections: Emulator, api: ExecutionApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A name that looks like a slip of the pen, and is none."""
    set_extra(monkeypatch, "proofy", new_members={"fileUrls": []})
    request = {"emails": ["ada@example.com"], "fileUrls": ["https://files.example/a.csv"]}
    outcome = api.run(lambda: submit(conn_id="proofy_default", request=request))
    assert outcome.state == "success", outcome.error
    assert "fileUrls" not in caplog.text


def _output(task_id: str) -> Any:
    return EmptyOperator(task_id=task_id).output
