"""What a person finds in a task's log: each state of its job once, and groups that hide nothing which counts."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import download, work
from tests.support.alarm import ring


def about(job_id: str, out: str) -> list[str]:
    """The lines about a job's state."""
    return re.findall(rf"(Job {job_id} (?:is|has results).*?\.)(?:\s|\x1b)", out)


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
    polls: Polls,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    deferrable: bool,
) -> None:
    connections.world.queue_seconds = 0.0
    connections.world.run_seconds = 3600
    polls.before_next(nothing, nothing, nothing, lambda: finish_all(connections))
    arguments: dict[str, Any] = work("revenuebase", tmp_path)
    outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", deferrable=deferrable, **arguments))
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs("revenuebase")
    lines = about(job.id, capfd.readouterr().out)
    assert lines[-1] == f"Job {job.id} is COMPLETED."
    assert len(lines) == len(set(lines)) <= 2


@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])
def test_the_sensor_tells_each_state_once(
    connections: Emulator, api: ExecutionApi, polls: Polls, capfd: pytest.CaptureFixture[str], deferrable: bool
) -> None:
    job = connections.add_job("revenuebase", state="running")
    polls.before_next(nothing, nothing, nothing, job.finish)
    outcome = api.run_to_end(
        lambda: BatchJobSensor(task_id="wait", conn_id="revenuebase_default", job_id=job.id, deferrable=deferrable)
    )
    assert outcome.state == "success", outcome.error
    [running, ended] = about(job.id, capfd.readouterr().out)
    assert running.startswith(f"Job {job.id} is ")
    assert ended == f"Job {job.id} has results: COMPLETED."


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str | None, str]]:
    """The provider's lines, each with the group that it is in or opens. None is left open, none is in another.

    What an operator logs by its own logger does not come here.
    """
    lines: list[tuple[str | None, str]] = []
    group = None
    for record in caplog.records:
        if not record.name.startswith("airflow_provider_batchdl."):
            continue
        line = record.getMessage()
        if line.startswith("::group::"):
            assert group is None
            group = line.removeprefix("::group::")
            lines.append((group, ""))
        elif line == "::endgroup::":
            assert group is not None
            group = None
        else:
            lines.append((group, line))
    assert group is None
    return lines


def in_sight(lines: list[tuple[str | None, str]]) -> str:
    """What stands in no group."""
    return "\n".join(line for group, line in lines if group is None)


MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])


class TestGroups:
    """Airflow's page folds them up: what they hold has to be asked for."""

    @MODES
    def test_submit_wait_and_download_are_folded_and_what_came_of_them_is_not(
        self,
        connections: Emulator,
        api: ExecutionApi,
        polls: Polls,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        deferrable: bool,
    ) -> None:
        connections.world.run_seconds = 3600
        connections.add_fault(Fault("status", operation="submit", status=503))
        connections.add_fault(Fault("cut", operation="download", after_bytes=10))
        polls.before_next(nothing, nothing, lambda: finish_all(connections))
        arguments = {**work("revenuebase", tmp_path), "destination": f"{tmp_path}/out/"}
        outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", deferrable=deferrable, **arguments))
        assert outcome.state == "success", outcome.error
        [job] = connections.jobs("revenuebase")
        lines = told(caplog)
        groups = dict.fromkeys(group for group, _ in lines if group)
        assert list(groups) == [
            f"Submitting {arguments['file']} to Revenuebase, through connection revenuebase_default",
            *([] if deferrable else [f"Waiting for job {job.id} at Revenuebase"]),
            f"Downloading the result of job {job.id} from Revenuebase to {tmp_path}/out/",
        ]
        hidden = "\n".join(line for group, line in lines if group)
        assert "Retrying submit request" in hidden
        assert "Download interrupted at byte 10" in hidden
        assert f"Submitted job {job.id}" in in_sight(lines)
        assert "Landed " in in_sight(lines)
        assert f"The result of job {job.id} is complete" in in_sight(lines)

    @MODES
    @pytest.mark.parametrize("operation", ["submit", "status", "download"])
    def test_an_error_closes_its_group(
        self,
        connections: Emulator,
        api: ExecutionApi,
        polls: Polls,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        deferrable: bool,
        operation: str,
    ) -> None:
        connections.world.run_seconds = 0.0 if operation == "download" else 3600
        connections.add_fault(Fault("status", operation=operation, status=403, times=99))
        arguments = {**work("revenuebase", tmp_path), "destination": f"{tmp_path}/out/"}
        outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", deferrable=deferrable, **arguments))
        assert outcome.state == "failed"
        told(caplog)

    def test_what_becomes_of_a_job_whose_time_is_up_is_in_sight(
        self, connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        connections.world.run_seconds = 3600
        polls.before_next(ring)
        outcome = api.run(
            lambda: BatchJobOperator(
                task_id="run", execution_timeout=timedelta(hours=1), **work("revenuebase", tmp_path)
            )
        )
        assert outcome.kind == ("up_for_retry", "AirflowTaskTimeout")
        [job] = connections.jobs("revenuebase")
        assert f"Asked the vendor to cancel job {job.id}" in in_sight(told(caplog))

    def test_a_result_that_is_there_already_has_no_group_of_its_download(
        self, connections: Emulator, api: ExecutionApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        job = connections.add_job("revenuebase")
        for try_number in (1, 2):
            caplog.clear()
            outcome = api.run(download(job, tmp_path, if_exists="skip"), try_number=try_number)
            assert outcome.state == "success", outcome.error
        assert "::group::Downloading" not in caplog.text
        assert "is already at" in in_sight(told(caplog))
