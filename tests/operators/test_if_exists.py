"""`if_exists`, through the operators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._airflow.fail_fast import BatchTaskFailedError
from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_jobs import count, work


def download(**arguments: Any) -> DownloadBatchResultsOperator:
    return DownloadBatchResultsOperator(task_id="download", conn_id="apartmentiq_default", **arguments)


def test_what_is_in_the_way_fails_the_task_at_once(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    job = connections.add_job("apartmentiq", ResultSpec(bytes=9_000))
    (tmp_path / "x.csv").write_text("old")
    place = f"file://{tmp_path}/x.csv"
    outcome = api.run(lambda: download(job_id=job.id, destination=place, if_exists="error"))
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert outcome.error is not None
    assert isinstance(outcome.cause, DestinationError)
    assert count(connections, "store") == 0
    assert (tmp_path / "x.csv").read_text() == "old"


def test_a_task_run_again_skips_what_it_has_landed(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    job = connections.add_job("apartmentiq", ResultSpec(bytes=9_000))
    place = f"file://{tmp_path}/out/"
    first, second = (api.run(lambda: download(job_id=job.id, destination=place, if_exists="skip")) for _ in range(2))
    assert (first.state, second.state) == ("success", "success"), second.error
    assert first.value == second.value
    assert count(connections, "store") == 1


@pytest.mark.parametrize(("if_exists", "state"), [("replace", "success"), ("error", "failed")])
def test_the_operator_that_does_it_all(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, if_exists: str, state: str
) -> None:
    (tmp_path / "x.csv").write_text("old")
    arguments = {**work("apartmentiq", tmp_path), "destination": f"{tmp_path}/x.csv", "if_exists": if_exists}
    outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", deferrable=False, **arguments))
    assert outcome.state == state, outcome.error
    assert ((tmp_path / "x.csv").read_text() == "old") == (state == "failed")
