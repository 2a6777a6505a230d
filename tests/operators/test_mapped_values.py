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


NONE = "rendered to None"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (BatchJobOperator, "destination"),
        (SubmitBatchJobOperator, "destination"),
        (DownloadBatchResultsOperator, "destination"),
        (BatchJobOperator, "partition_key"),
        (SubmitBatchJobOperator, "request"),
    ],
)
def test_an_output_that_is_none_is_refused_before_anything_is_sent(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, kind: Any, name: str
) -> None:
    outcome = over(api, tmp_path, kind, name, None)
    assert outcome.state == "failed", outcome.error
    assert f"The {name} {NONE}." in str(outcome.error)
    assert not connections.requests


def by_kwargs(api: ExecutionApi, members: list[dict[str, Any]], **constants: Any) -> list[Outcome]:
    """Run the instances of a task that submits, mapped over what a task before it has returned as ``members``."""
    api.give_xcom("before", members)

    def make() -> Any:
        before = SubmitBatchJobOperator(task_id="before", conn_id="proofy_default", request={}, retries=1)
        given = {"conn_id": "proofy_default", "request": {"emails": ["ada@example.com"]}, "retries": 3, **constants}
        return SubmitBatchJobOperator.partial(task_id="task", **given).expand_kwargs(before.output)

    return [api.run(make, map_index=index) for index in range(len(members))]


def test_so_is_one_among_the_arguments_of_a_member(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    members: list[dict[str, Any]] = [{"destination": None}, {"destination": f"{tmp_path}/out.csv"}]
    refused, taken = by_kwargs(api, members, if_exists="replace")
    assert f"The destination {NONE}." in str(refused.error)
    assert (refused.state, taken.state) == ("failed", "success")


def test_a_destination_that_its_author_left_out_is_none(connections: Emulator, api: ExecutionApi) -> None:
    (outcome,) = by_kwargs(api, [{"if_exists": "replace"}])
    assert outcome.state == "success", outcome.error

    def make() -> Any:
        given = {"conn_id": "proofy_default", "request": {"emails": ["ada@example.com"]}, "retries": 3}
        return SubmitBatchJobOperator.partial(task_id="literal", **given).expand(destination=[None])

    assert api.run(make, map_index=0).state == "success"
