from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, TaskGroup, task

from airflow_provider_batchdl._tasks.warnings import DestinationWarning, RetriesWarning
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


# One destination of two tasks, and a template that is none.


def place(*destinations: Any, **more: Any) -> Callable[[], None]:
    def landing() -> None:
        for number, destination in enumerate(destinations):
            BatchJobOperator(task_id=f"t{number}", destination=destination, retries=1, **WORK, **more)

    return landing


def warned_of_places(make: Callable[[], None]) -> list[str]:
    with DAG("dag"), warnings.catch_warnings(record=True, action="always") as seen:
        make()
    found = [warning for warning in seen if warning.category is DestinationWarning]
    assert {warning.filename for warning in found} <= {__file__}
    return [str(warning.message) for warning in found]


@pytest.mark.parametrize("destination", ["/data/x.json", "s3://b/{{ ds }}.json", Path("/data/x.json")])
def test_two_tasks_of_a_dag_with_one_destination(destination: Any) -> None:
    [said] = warned_of_places(place(destination, "/data/other.json", destination))
    assert said == (
        f"Tasks 't0' and 't2' have one destination, {str(destination)!r}, and the later result replaces the "
        "earlier one; give each its own."
    )


def test_a_folder_of_which_each_wants_to_be_the_latest() -> None:
    assert len(warned_of_places(place("/data/", "/data/", keep="latest"))) == 1


def test_one_destination_of_groups_and_of_a_function() -> None:
    def grouped_twice() -> None:
        for name in "ab":
            batch_job.override(group_id=name)(destination="/data/x.json", **WORK)

    def called_twice() -> None:
        @task.batch_job(conn_id="proofy_default", destination="/data/x.json", retries=1)
        def verify(name: str) -> dict[str, Any]:
            return {"emails": [name]}

        verify("ada@example.com")
        verify("grace@example.com")

    [said] = warned_of_places(grouped_twice)
    assert said.startswith("Tasks 'a.download' and 'b.download' have one destination")
    [said] = warned_of_places(called_twice)
    assert said.startswith("Tasks 'verify' and 'verify__1' have one destination")


@pytest.mark.parametrize(
    "make",
    [
        place("/data/", "/data/"),
        place("/data/{{ task.task_id }}.json", "/data/{{ task.task_id }}.json"),
        place("/data/x.json", "/data/x.json", if_exists="error"),
        place(None, None),
    ],
)
def test_what_is_not_one_destination(make: Callable[[], None]) -> None:
    assert warned_of_places(make) == []


def test_two_dags_may_have_one_destination() -> None:
    assert warned_of_places(place("/data/x.json")) == warned_of_places(place("/data/x.json")) == []
