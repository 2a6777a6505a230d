from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG, TaskGroup

from airflow_provider_batchdl._tasks.warnings import RetriesWarning
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.task_groups import batch_job

REQUEST = {"emails": ["ada@example.com"]}
WORK: dict[str, Any] = {"conn_id": "proofy_default", "request": REQUEST}


def made(**more: Any) -> None:
    BatchJobOperator(task_id="verify", **WORK, **more)


def mapped(**more: Any) -> None:
    BatchJobOperator.partial(task_id="verify", conn_id="proofy_default", **more).expand(request=[REQUEST])


def submitted(**more: Any) -> None:
    SubmitBatchJobOperator(task_id="verify", **WORK, **more)


def grouped(**more: Any) -> None:
    batch_job(**WORK, **more)


def mapped_group(**more: Any) -> None:
    batch_job.partial(conn_id="proofy_default", **more).expand(request=[REQUEST])


MAKE = [made, mapped, submitted]
GROUPS = [grouped, mapped_group]


def warned(make: Callable[..., None], default_args: dict[str, Any] | None = None, **more: Any) -> list[str]:
    """What the author of a DAG is warned of, where the file and line are the author's."""
    with DAG("dag", default_args=default_args or {}), warnings.catch_warnings(record=True, action="always") as seen:
        make(**more)
    # Others may be about what is collected just then.
    found = [warning for warning in seen if warning.category is RetriesWarning]
    lines, first = inspect.getsourcelines(make)
    assert {warning.filename for warning in found} <= {__file__}
    assert {warning.lineno for warning in found} <= set(range(first, first + len(lines)))
    return [str(warning.message) for warning in found]


@pytest.mark.parametrize("make", MAKE)
def test_a_task_without_retries_says_what_that_costs(make: Callable[..., None]) -> None:
    [said] = warned(make)
    assert said == (
        "Task 'verify' has retries=0: when its only try fails, its job is paid for and a clear pays for another, where "
        "a retry would resume it; set retries=2 or more, here or in default_args."
    )
    assert warned(make, {"retries": 3}, retries=0) == [said]
    assert warned(make, {"retries": 0}) == [said]


@pytest.mark.parametrize("make", MAKE)
def test_retries_are_found_wherever_they_are_set(make: Callable[..., None]) -> None:
    assert warned(make, retries=1) == []
    assert warned(make, {"retries": 1}) == []


@pytest.mark.parametrize("make", GROUPS)
def test_a_group_has_retries_unless_it_is_told_to_have_none(make: Callable[..., None]) -> None:
    assert warned(make) == []
    assert warned(make, {"retries": 0}) == []
    [said] = warned(make, retries=0)
    assert "Task 'batch_job.submit' has retries=0" in said


def test_a_task_group_of_ones_own_may_set_them() -> None:
    def group() -> None:
        with TaskGroup("mine", default_args={"retries": 2}):  # type: ignore[arg-type] # an attrs converter's
            made()

    assert warned(group) == []


def test_what_pays_for_nothing_may_fail() -> None:
    def waits() -> None:
        BatchJobSensor(task_id="wait", conn_id="proofy_default", job_id="1")
        DownloadBatchResultsOperator(task_id="download", conn_id="proofy_default", job_id="1")

    assert warned(waits) == []


def test_a_mapped_task_runs_without_another_word() -> None:
    """The worker parses the DAG, and makes the mapped task's operator then."""
    with DAG("dag", default_args={"retries": 2}) as dag:
        mapped()
    with warnings.catch_warnings(action="error"):
        operator = dag.get_task("verify").unmap({"request": REQUEST})
    assert operator.retries == 2
