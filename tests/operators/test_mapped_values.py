"""Values that a task is mapped over and that only another task says: what is wrong fails at once, before the submit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import InvalidArgumentError
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.airflow_api import ExecutionApi, Outcome
from tests.support.airflow_jobs import work

OF_A_JOB = (BatchJobSensor, DownloadBatchResultsOperator)


def over(api: ExecutionApi, folder: Path, kind: Any, name: str, value: Any) -> Outcome:
    """Run a task that is mapped over ``value``, as a task before it has returned it."""
    api.give_xcom("before", [value])
    given = {"conn_id": "proofy_default", "job_id": "1"} if kind in OF_A_JOB else work("proofy", folder)
    given = {key: each for key, each in {"retries": 3, **given}.items() if key != name}

    def make() -> Any:
        before = SubmitBatchJobOperator(task_id="before", conn_id="proofy_default", request={}, retries=1)
        return kind.partial(task_id="task", **given).expand(**{name: before.output})

    return api.run(make, map_index=0)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (BatchJobOperator, "if_exists", "skpi"),
        (BatchJobOperator, "max_connections", -3),
        (BatchJobOperator, "poll_interval", -1),
        (BatchJobOperator, "timeout", "abc"),
        (BatchJobOperator, "destination", "out.csv"),
        (BatchJobOperator, "max_xcom_bytes", "8"),
        (BatchJobOperator, "request", "no JSON"),
        (SubmitBatchJobOperator, "if_exists", "skpi"),
        (SubmitBatchJobOperator, "durable", "yes"),
        (SubmitBatchJobOperator, "file", ""),
        (DownloadBatchResultsOperator, "on_empty", 7),
        (BatchJobSensor, "poke_interval", "60"),
        (BatchJobSensor, "accept_partial", "no"),
    ],
)
def test_what_another_task_says_wrong_fails_without_a_retry(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, kind: Any, name: str, value: Any
) -> None:
    outcome = over(api, tmp_path, kind, name, value)
    assert outcome.state == "failed", outcome.error
    assert isinstance(outcome.cause, InvalidArgumentError), outcome.error
    assert name in str(outcome.error)
    assert not connections.requests


def test_what_it_says_right_is_taken(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    assert over(api, tmp_path, SubmitBatchJobOperator, "if_exists", "replace").state == "success"
