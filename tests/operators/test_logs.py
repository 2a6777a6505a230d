"""What a person finds in a task's log about its job: each state once, however often it was looked at."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Looks
from tests.support.airflow_jobs import work


def about(job_id: str, out: str) -> list[str]:
    """The lines about a job's state."""
    return re.findall(rf"(Job {job_id} (?:is|has results).*?\.)\s", out)


def finish_all(emulator: Emulator) -> None:
    """Every job ends well."""
    for job in emulator.jobs("revenuebase"):
        job.finish()


def nothing() -> None:
    """The job goes on as it did."""


@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])
def test_the_operator_tells_each_state_once(
    connections: Emulator,
    api: ExecutionApi,
    looks: Looks,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    deferrable: bool,
) -> None:
    connections.world.queue_seconds = 0.0
    connections.world.run_seconds = 3600
    looks.before_next(nothing, nothing, nothing, lambda: finish_all(connections))
    arguments: dict[str, Any] = work("revenuebase", tmp_path)
    outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", deferrable=deferrable, **arguments))
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs("revenuebase")
    lines = about(job.id, capfd.readouterr().out)
    assert lines[-1] == f"Job {job.id} is COMPLETED."
    assert len(lines) == len(set(lines)) <= 2


@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])
def test_the_sensor_tells_each_state_once(
    connections: Emulator, api: ExecutionApi, looks: Looks, capfd: pytest.CaptureFixture[str], deferrable: bool
) -> None:
    job = connections.add_job("revenuebase", state="running")
    looks.before_next(nothing, nothing, nothing, job.finish)
    outcome = api.run_to_end(
        lambda: BatchJobSensor(task_id="wait", conn_id="revenuebase_default", job_id=job.id, deferrable=deferrable)
    )
    assert outcome.state == "success", outcome.error
    [running, ended] = about(job.id, capfd.readouterr().out)
    assert running.startswith(f"Job {job.id} is ")
    assert ended == f"Job {job.id} has results: COMPLETED."
