"""What a user finds at the end of a failed task's log: what happened, what to do, and one short traceback."""

from __future__ import annotations

import asyncio
import logging
import re
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import work
from tests.support.alarm import ring

# Airflow's own from its task runner to `execute` or a sensor's `poke`, and two of ours.
MOST_FRAMES = 10
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

KEY_REFUSED = Fault("status", status=401, times=99)
BROKEN = Fault("status", status=500, times=99, body="no")
GONE = Fault("reset", times=99)

Make = Callable[[str, Path], Any]
TASKS: dict[str, Make] = {
    "submit": lambda _, folder: SubmitBatchJobOperator(task_id="task", **work("revenuebase", folder)),
    "run": lambda _, folder: BatchJobOperator(task_id="task", deferrable=False, **work("revenuebase", folder)),
    "download": lambda job_id, folder: DownloadBatchResultsOperator(
        task_id="task", conn_id="revenuebase_default", job_id=job_id, destination=f"{folder}/out.csv"
    ),
    "cancel": lambda job_id, _: CancelBatchJobOperator(task_id="task", conn_id="revenuebase_default", job_id=job_id),
    "sensor": lambda job_id, _: BatchJobSensor(
        task_id="task", conn_id="revenuebase_default", job_id=job_id, deferrable=False
    ),
    "deferred": lambda job_id, _: BatchJobSensor(
        task_id="task", conn_id="revenuebase_default", job_id=job_id, deferrable=True
    ),
}


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of level ERROR, in order, but for those of Python's own, as of what is collected just then."""
    ours = [record for record in caplog.records if record.name.startswith("airflow")]
    return [record.getMessage() for record in ours if record.levelno == logging.ERROR]


def traceback_in(out: str) -> str:
    """What ends the log of a task that failed."""
    return _COLOURS.sub("", out).partition("Task failed with exception")[2]


def assert_short(trace: str) -> None:
    assert trace.count("Traceback (most recent call last)") == 1
    assert " exception " not in trace  # neither "the direct cause of" nor "during handling of" another
    assert len(re.findall(r"^  File ", trace, re.MULTILINE)) <= MOST_FRAMES
    assert len(re.findall(r"^  File .*/airflow_provider_batchdl/", trace, re.MULTILINE)) <= 2


@pytest.mark.parametrize("fault", [KEY_REFUSED, BROKEN, GONE], ids=["refused", "broken", "gone"])
@pytest.mark.parametrize("task", TASKS)
def test_two_plain_lines_and_one_short_traceback(
    connections: Emulator,
    api: ExecutionApi,
    polls: Polls,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    task: str,
    fault: Fault,
) -> None:
    job = connections.add_job("revenuebase", state="running")
    if task == "deferred":
        polls.before_next(lambda: connections.add_fault(fault))
    else:
        connections.add_fault(fault)
    outcome = api.run_to_end(lambda: TASKS[task](job.id, tmp_path))
    error = outcome.error if isinstance(outcome.error, BatchDlError) else outcome.cause
    assert isinstance(error, BatchDlError)
    assert told(caplog) == [error.description, f"What to do: {error.remedy}"]
    assert "connection revenuebase_default" in error.description
    assert_short(traceback_in(capfd.readouterr().out))


@pytest.mark.parametrize("deferrable", [False, True], ids=["poking", "deferred"])
@pytest.mark.parametrize(
    ("leniency", "fault", "state", "level"),
    [
        ({}, KEY_REFUSED, "failed", "ERROR"),
        ({"soft_fail": True}, KEY_REFUSED, "skipped", "WARNING"),
        ({"soft_fail": True}, BROKEN, "failed", "ERROR"),  # Airflow's soft_fail is for what is final
        ({"never_fail": True}, KEY_REFUSED, "skipped", "WARNING"),
        ({"never_fail": True}, BROKEN, "skipped", "WARNING"),
    ],
)
def test_a_sensor_that_skips_warns(
    connections: Emulator,
    api: ExecutionApi,
    polls: Polls,
    caplog: pytest.LogCaptureFixture,
    leniency: dict[str, bool],
    fault: Fault,
    state: str,
    level: str,
    deferrable: bool,
) -> None:
    api.should_retry = False
    job = connections.add_job("revenuebase", state="running")
    if deferrable:
        polls.before_next(lambda: connections.add_fault(fault))
    else:
        connections.add_fault(fault)
    outcome = api.run_to_end(
        lambda: BatchJobSensor(
            task_id="task", conn_id="revenuebase_default", job_id=job.id, deferrable=deferrable, **leniency
        )
    )
    assert outcome.state == state
    lines = [each for each in caplog.records if each.name == "airflow_provider_batchdl._airflow.fail_fast"]
    assert [each.levelname for each in lines] == [level, level]
    assert lines[1].getMessage().startswith("What to do: ")


def test_time_is_up(
    connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    connections.world.run_seconds = 3600
    polls.before_next(ring)
    outcome = api.run(
        lambda: BatchJobOperator(task_id="task", execution_timeout=timedelta(hours=1), **work("proofy", tmp_path))
    )
    assert outcome.kind == ("up_for_retry", "AirflowTaskTimeout")
    assert_short(traceback_in(capfd.readouterr().out))


@pytest.mark.parametrize("fault", [KEY_REFUSED, BROKEN, GONE], ids=["refused", "broken", "gone"])
@pytest.mark.parametrize("method", ["submit_job", "get_job", "download", "fetch", "aget_job"])
def test_a_hook_in_a_task_of_ones_own(
    connections: Emulator, polls: Polls, tmp_path: Path, fault: Fault, method: str
) -> None:
    job = connections.add_job("revenuebase")
    connections.add_fault(fault)
    hook = BatchApiHook.for_connection("revenuebase_default")
    calls: dict[str, Callable[[], object]] = {
        "submit_job": lambda: hook.submit_job(file=work("revenuebase", tmp_path)["file"]),
        "get_job": lambda: hook.get_job(job.id),
        "download": lambda: hook.download(job.id, f"{tmp_path}/out.csv"),
        "fetch": lambda: hook.fetch(job.id, max_bytes=100),
        "aget_job": lambda: asyncio.run(hook.aget_job(job.id)),
    }
    with pytest.raises(BatchDlError) as caught:
        calls[method]()
    error = caught.value
    assert error.conn_id == "revenuebase_default"
    assert error.__cause__ is error.__context__ is None
    ours = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "/airflow_provider_batchdl/" in frame.filename
    ]
    assert len(ours) <= 4
    if fault is GONE:
        assert (error.cause is not None) == (method == "submit_job")


def test_the_log_has_it_all_at_level_debug(
    connections: Emulator, polls: Polls, caplog: pytest.LogCaptureFixture
) -> None:
    connections.add_fault(GONE)
    caplog.set_level(logging.DEBUG, "airflow_provider_batchdl._redaction.tracebacks")
    with pytest.raises(BatchDlError):
        BatchApiHook.for_connection("revenuebase_default").get_job("7")
    [record] = [each for each in caplog.records if each.name == "airflow_provider_batchdl._redaction.tracebacks"]
    assert "_send_once" in str(record.exc_text)
