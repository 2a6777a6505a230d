"""A DAG or a connection that somebody edits while a task waits: never another account's file, never a job cancelled."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import InputChangedError, UnexpectedResponseError
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.triggers.events import ended_job
from tests.support.airflow_api import ExecutionApi, fire
from tests.support.airflow_jobs import count, landed_in, work

OTHER = "other_account"


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Another account of Revenuebase: another emulator, where the first job has the same number as here."""
    with Emulator(port=0, queue_seconds=0.0, run_seconds=0.0, rate_limits=False) as emulator:
        connection = emulator.connections()["revenuebase_default"]
        monkeypatch.setenv(f"AIRFLOW_CONN_{OTHER.upper()}", json.dumps(connection))
        yield emulator


def run(**arguments: Any) -> BatchJobOperator:
    return BatchJobOperator(task_id="task", **arguments)


def deferred(connections: Emulator, api: ExecutionApi, make: Callable[[], Any]) -> Any:
    """Let a task defer, and its job end; the trigger's event."""
    connections.world.run_seconds = 3600
    assert api.run(make).state == "deferred"
    connections.jobs("revenuebase")[0].finish()
    assert api.deferral is not None
    return fire(api.deferral.trigger()).payload


@pytest.mark.parametrize("durable", [True, False])
def test_another_connection_while_a_task_is_deferred(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, other: Emulator, durable: bool
) -> None:
    """Its account has another job of that number, whose file would be somebody else's."""
    given = {**work("revenuebase", tmp_path), "destination": f"{tmp_path}/out/", "durable": durable}
    event = deferred(connections, api, lambda: run(**given, deferrable=True))
    [job] = connections.jobs("revenuebase")
    stranger = other.add_job("revenuebase", state="succeeded")
    stranger.id = job.id
    api.resume_with(event)
    outcome = api.run(lambda: run(**{**given, "conn_id": OTHER}, deferrable=True))
    assert outcome.state == "failed", outcome
    assert isinstance(outcome.cause, InputChangedError)
    assert "(connection 'revenuebase_default' then, 'other_account' now) changed" in str(outcome.error)
    assert count(other, "download") == 0
    assert not [path for path in landed_in(tmp_path) if path.name == "out" and any(path.glob("[!.]*"))]


@pytest.mark.parametrize("durable", [True, False])
def test_an_edit_that_leaves_the_account_alone(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, durable: bool
) -> None:
    """Other places and intervals, and a wait that is not deferred any more: the job is the same."""
    given = {**work("revenuebase", tmp_path), "durable": durable}
    event = deferred(connections, api, lambda: run(**given, destination=f"{tmp_path}/a/", deferrable=True))
    api.resume_with(event)
    now = {"destination": f"{tmp_path}/b/x.csv", "deferrable": False, "poll_interval": 9, "cancel_on_kill": False}
    outcome = api.run(lambda: run(**given, **now))
    assert outcome.state == "success", outcome.error
    digest = hashlib.sha256((tmp_path / "b" / "x.csv").read_bytes()).hexdigest()
    assert digest == connections.jobs("revenuebase")[0].files()[0].sha256
    assert count(connections, "submit") == 1


def test_a_connection_that_is_another_account_by_now(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, other: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {**work("revenuebase", tmp_path), "destination": f"{tmp_path}/out/"}
    event = deferred(connections, api, lambda: run(**given, deferrable=True))
    monkeypatch.setenv("AIRFLOW_CONN_REVENUEBASE_DEFAULT", os.environ[f"AIRFLOW_CONN_{OTHER.upper()}"])
    api.resume_with(event)
    outcome = api.run(lambda: run(**given, deferrable=True))
    assert isinstance(outcome.cause, InputChangedError)
    assert count(other, "download") == 0


# An event of another version's triggerer.

UNREADABLE: dict[str, dict[str, Any]] = {
    "a status of the future": {"status": "paused"},
    "no status": {},
    "no job": {"status": "ended"},
    "a job without an id": {"status": "ended", "job": {"state": "succeeded"}},
    "a state of the future": {"status": "ended", "job": {"id": "7", "state": "paused", "vendor_state": "paused"}},
    "a job that is none": {"status": "ended", "job": [1]},
    "no error": {"status": "error"},
    "an error that is none": {"status": "error", "error": "down"},
}


@pytest.mark.parametrize("members", UNREADABLE.values(), ids=UNREADABLE)
def test_an_event_that_cannot_be_read_is_no_time_out(members: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedResponseError, match="cannot be read"):
        ended_job({"conn_id": "revenuebase_default", "job_id": "7", **members})


def test_a_task_with_such_an_event_is_retried(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    """A task whose time is up cancels its job; the retry of this one waits for it."""
    connections.world.run_seconds = 3600
    given = {**work("revenuebase", tmp_path), "destination": f"{tmp_path}/out/"}
    assert api.run(lambda: run(**given, deferrable=True)).state == "deferred"
    [job] = connections.jobs("revenuebase")
    api.resume_with({"conn_id": "revenuebase_default", "job_id": job.id, "status": "paused"})
    outcome = api.run(lambda: run(**given, deferrable=True))
    assert outcome.kind == ("up_for_retry", UnexpectedResponseError.__name__), outcome
    assert not job.cancelled
    job.finish()
    assert api.run(lambda: run(**given, deferrable=False), try_number=2).state == "success"
    assert count(connections, "submit") == 1


def test_so_is_a_sensor(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("revenuebase", state="running")
    make = lambda: BatchJobSensor(  # noqa: E731
        task_id="task", conn_id="revenuebase_default", job_id=job.id, deferrable=True
    )
    assert api.run(make).state == "deferred"
    api.resume_with({"conn_id": "revenuebase_default", "job_id": job.id, "status": "paused"})
    assert api.run(make).kind == ("up_for_retry", UnexpectedResponseError.__name__)
