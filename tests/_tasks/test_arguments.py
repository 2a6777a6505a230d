"""Every argument of operators, sensor, triggers and group that is no template, wrong: a `ValueError` at parse time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_batchdl._tasks.arguments import CHECKS
from airflow_provider_batchdl.exceptions import InvalidArgumentError
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.options import NAMES
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.task_groups import batch_job
from airflow_provider_batchdl.triggers.completed import CompletedJobsTrigger
from airflow_provider_batchdl.triggers.job import BatchJobTrigger

REQUEST: dict[str, Any] = {"emails": ["ada@example.com"]}
CONN = "proofy_default"
SPANS = (-1, 0, 0.0, float("nan"), float("inf"), "abc", "60", "{{ x }}", True, 1e12, timedelta(0), timedelta(days=-1))
FLAGS: tuple[Any, ...] = ("yes", "no", "True", 1, 0, "{{ x }}", [])
TEXTS = ("", " ", 7, True, b"x", ["a"])
WORDS = ("", "FAIL!", "again", 1, True, "{{ x }}", ["fail"])
COUNTS = (-1, "8", 2.0, True, float("nan"), "{{ x }}")
MOMENTS = ("tomorrow", True, float("inf"), float("nan"), timedelta(1))

WRONG: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("poll_interval", "max_poll_interval", "poke_interval", "timeout"), SPANS),
    **dict.fromkeys(
        ("accept_partial", "count_gzip_rows", "join_pages", "sha256", "durable", "cancel_on_kill"), (None, *FLAGS)
    ),
    **dict.fromkeys(("manifest", "deferrable"), FLAGS),
    **dict.fromkeys(("if_exists", "keep", "on_empty", "on_uncertain_submit", "on_changed_input"), (None, *WORDS)),
    "max_connections": (0, *COUNTS),
    "max_xcom_bytes": (None, *COUNTS),
    "retries": COUNTS,
    "pool": TEXTS,
    "conn_id": (None, *TEXTS),
    "destination": ("", " ", "out.csv", "s4://bucket/x", "s3://bucket", 7, True, b"/tmp/x", ["/tmp/x"], {}),
    "partition_key": ("", " ", 7.5, ["a", ""], "x" * 251, {"a": 1}),
    "name": TEXTS,
    "deadline": MOMENTS,
    "since": MOMENTS,
}
BOTH = ("conn_id", "destination", "partition_key", "max_xcom_bytes", *NAMES)
SUBMITS = ("on_uncertain_submit", "on_changed_input")
WAITS = ("poll_interval", "max_poll_interval", "timeout", "deferrable")
KEEPS = ("durable", "cancel_on_kill")

TAKERS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "run": (
        partial(BatchJobOperator, task_id="t", conn_id=CONN, request=REQUEST),
        (*BOTH, *SUBMITS, *WAITS, *KEEPS),
    ),
    "submit": (
        partial(SubmitBatchJobOperator, task_id="t", conn_id=CONN, request=REQUEST),
        ("conn_id", "if_exists", "keep", "manifest", *SUBMITS, *KEEPS),
    ),
    "download": (partial(DownloadBatchResultsOperator, task_id="t", conn_id=CONN, job_id="1"), BOTH),
    "cancel": (partial(CancelBatchJobOperator, task_id="t", conn_id=CONN, job_id="1"), ("conn_id",)),
    "sensor": (
        partial(BatchJobSensor, task_id="t", conn_id=CONN, job_id="1"),
        ("conn_id", "accept_partial", "poke_interval", *WAITS),
    ),
    "group": (partial(batch_job, conn_id=CONN, request=REQUEST), (*BOTH, *SUBMITS, *WAITS, "retries", "pool")),
    "trigger": (
        partial(BatchJobTrigger, conn_id=CONN, job_id="1"),
        ("conn_id", "poll_interval", "max_poll_interval", "cancel_on_kill", "deadline", "since"),
    ),
    "completed": (partial(CompletedJobsTrigger, conn_id=CONN), ("conn_id", "poll_interval", "name")),
}
MAPPED: dict[str, tuple[Any, str]] = {
    "run": (BatchJobOperator, "request"),
    "submit": (SubmitBatchJobOperator, "request"),
    "download": (DownloadBatchResultsOperator, "job_id"),
    "cancel": (CancelBatchJobOperator, "job_id"),
    "sensor": (BatchJobSensor, "job_id"),
}


def cases() -> Iterator[Any]:
    for taker, (_, arguments) in TAKERS.items():
        for argument in arguments:
            yield pytest.param(taker, argument, id=f"{taker}-{argument}")


@pytest.mark.parametrize(("taker", "argument"), list(cases()))
def test_a_wrong_argument_is_refused_when_the_dag_is_parsed(taker: str, argument: str) -> None:
    make, _ = TAKERS[taker]
    for value in WRONG[argument]:
        if (taker, argument, value) in ONE_LOOK:
            continue
        with DAG("dag", schedule=None), pytest.raises(ValueError, match=argument) as caught:
            make(**{argument: value})
        assert isinstance(caught.value, InvalidArgumentError), value
        assert "\n" not in str(caught.value)
        if taker in MAPPED:
            kind, over = MAPPED[taker]
            given = {"task_id": "t", "conn_id": CONN, argument: value}
            with DAG("dag", schedule=None), pytest.raises(InvalidArgumentError, match=argument):
                kind.partial(**given).expand(**{over: []})


# A sensor that polls once is Airflow's own.
ONE_LOOK = [("sensor", "timeout", 0), ("sensor", "timeout", timedelta(0))]


def test_none_is_left_out() -> None:
    inputs = {"request", "file", "job_id"}  # these have tests of their own: tests/mistakes/inputs.py
    assert set(CHECKS) - inputs <= set(WRONG)
    assert {argument for _, arguments in TAKERS.values() for argument in arguments} == set(WRONG)


def test_what_a_running_task_has_the_value_of_is_taken() -> None:
    with DAG("dag", schedule=None, default_args={"poll_interval": 7, "timeout": timedelta(hours=1)}):

        @task
        def upstream() -> str:
            return "proofy_default"

        found: Any = upstream()
        run = BatchJobOperator(
            task_id="run", conn_id=found, request=REQUEST, destination=found, partition_key=["{{ ds }}", "all"]
        )
        templates: dict[str, Any] = {"conn_id": "{{ c }}", "destination": "{{ d }}", "partition_key": found}
        BatchJobOperator(task_id="templates", request=REQUEST, **templates)
        wait = BatchJobSensor(task_id="wait", conn_id="{{ c }}", job_id=found)
        BatchJobOperator.partial(task_id="mapped", conn_id=found, destination="{{ d }}").expand(request=[REQUEST])
        batch_job(found, REQUEST, destination=found)
        with pytest.raises(InvalidArgumentError, match="which only a running task has the value of"):
            BatchJobOperator(task_id="option", conn_id=CONN, request=REQUEST, if_exists=found)
    assert (run.poll_interval, run.timeout) == (7, 3600)
    assert (wait.poll_interval, wait.timeout) == (7, 3600)


def test_a_max_poll_interval_below_the_poll_interval_is_refused() -> None:
    crossed: dict[str, Any] = {"poll_interval": 60, "max_poll_interval": timedelta(seconds=30)}
    message = "max_poll_interval must be at least the poll_interval, which is 60, not 30"
    makers: list[Callable[[], Any]] = [
        *[partial(TAKERS[name][0], **crossed) for name in ("run", "sensor")],
        partial(BatchJobSensor, task_id="t", conn_id=CONN, job_id="1", poke_interval=60, max_poll_interval=30.0),
        lambda: batch_job(CONN, REQUEST, **crossed),
        lambda: BatchJobOperator.partial(task_id="m", conn_id=CONN, **crossed),
        lambda: BatchJobSensor.partial(task_id="k", conn_id=CONN).expand_kwargs([{"job_id": "1", **crossed}]),
    ]
    for make in makers:
        with DAG("dag", schedule=None), pytest.raises(InvalidArgumentError, match=message):
            make()
    with DAG("dag", schedule=None):
        TAKERS["run"][0](poll_interval=30, max_poll_interval=30)


def test_spans_of_time_are_taken_as_seconds_or_a_timedelta() -> None:
    for make in (TAKERS[name][0] for name in ("run", "sensor", "trigger", "completed")):
        with DAG("dag", schedule=None):
            assert make(poll_interval=timedelta(minutes=1)).poll_interval == 60
    trigger = CompletedJobsTrigger(CONN, timedelta(minutes=1))
    assert trigger.serialize()[1]["poll_interval"] == 60


@pytest.mark.parametrize("upstream", [SubmitBatchJobOperator, BatchJobOperator])
def test_the_output_of_a_task_that_pushes_none_is_refused(upstream: Any) -> None:
    """It would be None when the task upstream has paid for its job."""
    with DAG("dag", schedule=None, default_args={"do_xcom_push": False}):
        before = upstream(task_id="before", conn_id=CONN, request=REQUEST)
        for make in (
            lambda: BatchJobSensor(task_id="a", conn_id=CONN, job_id=before.output),
            lambda: DownloadBatchResultsOperator.partial(task_id="b", conn_id=CONN).expand(job_id=before.output),
            lambda: CancelBatchJobOperator.partial(task_id="c", job_id=before.output),
            lambda: BatchJobOperator(task_id="d", conn_id=CONN, request={"emails": [before.output]}),
        ):
            with pytest.raises(InvalidArgumentError, match="output of task 'before', which has do_xcom_push=False"):
                make()
        BatchJobSensor(task_id="pushed", conn_id=CONN, job_id=before.output["job_id"])


@pytest.mark.parametrize("text", ["/d/{ds}/x", "/d/${ts_nodash}", "/d/{ run_id }/x", "/{{ run_id }}/{params.day}.csv"])
@pytest.mark.parametrize("name", ["destination", "file"])
def test_a_template_with_single_braces(name: str, text: str) -> None:
    given: dict[str, Any] = {"request": {"a": 1}, "destination": "/d/x"} | {name: text}
    with DAG("dag"), pytest.raises(InvalidArgumentError, match="which is no template and would stay as it is"):
        BatchJobOperator(task_id="t", conn_id="c", retries=1, **given)


@pytest.mark.parametrize("text", ["/d/{{ds}}/x", "/d/{id}/x", "/d/{{ {'a': ds}['a'] }}", "/d/{{{ds}}}", "/d/ds}"])
def test_braces_that_are_meant(text: str) -> None:
    with DAG("dag"):
        BatchJobOperator(task_id="t", conn_id="c", request={"q": "{ ds }"}, destination=text, retries=1)
