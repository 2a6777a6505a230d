"""Airflow may wake a deferred task by an event that another trigger fired: the task waits on for its own job."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.triggers.events import is_event_of
from tests.support.airflow_answers import Deferral
from tests.support.airflow_api import ExecutionApi, fire
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import count, work

Make = Callable[[], Any]
CONN_ID = "apartmentiq_default"
HOUR = timedelta(hours=1)
OTHERS_JOB = {"id": "other", "state": "cancelled", "vendor_state": "cancelled"}


def operator(connections: Emulator, folder: Path, **arguments: Any) -> Make:
    given = {"destination": f"{folder}/landed/", **work("apartmentiq", folder), **arguments}
    return lambda: BatchJobOperator(task_id="task", deferrable=True, **given)


def sensor(connections: Emulator, folder: Path, **arguments: Any) -> Make:
    job = connections.add_job("apartmentiq", state="processing")
    return lambda: BatchJobSensor(task_id="task", conn_id=CONN_ID, job_id=job.id, deferrable=True, **arguments)


EVENTS: dict[str, Callable[[str], Any]] = {
    "the end of another job": lambda job_id: {
        "conn_id": CONN_ID, "job_id": "other", "status": "ended", "job": OTHERS_JOB
    },
    "the end of a job of that id at another vendor": lambda job_id: {
        "conn_id": "proofy_default", "job_id": job_id, "status": "ended", "job": {**OTHERS_JOB, "id": job_id}
    },
    "a refusal of another connection's key": lambda job_id: {
        "conn_id": "proofy_default", "job_id": job_id, "status": "error", "error": {}
    },
    "the end of another's time for the same job": lambda job_id: {
        "conn_id": CONN_ID, "job_id": job_id, "status": "timeout", "deadline": time.time() - 60, "job": None
    },
    "something else's": lambda job_id: {"status": "success"},
    "something else's text": lambda job_id: "done",
    "something else's nothing": lambda job_id: None,
}  # fmt: skip


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_an_event_is_known_for_anothers(event: Callable[[str], Any]) -> None:
    wait = {"conn_id": CONN_ID, "job_id": "7", "deadline": time.time()}
    assert not is_event_of(event("7"), wait)
    assert is_event_of({**wait, "status": "timeout", "job": None}, wait)


@pytest.mark.parametrize(
    ("task", "event"),
    [(operator, EVENTS["the end of another job"]), (sensor, EVENTS["something else's nothing"])],
    ids=["operator", "sensor"],
)
def test_the_task_waits_on_for_its_own_job(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    polls: Polls,
    task: Callable[..., Make],
    event: Callable[[str], Any],
) -> None:
    connections.world.run_seconds = 3600
    make = task(connections, tmp_path, execution_timeout=HOUR)
    assert api.run(make).state == "deferred"
    first = _deferral(api)
    [job] = connections.jobs("apartmentiq")
    for _ in range(2):
        api.resume_with(event(job.id))
        assert api.run(make).state == "deferred"
        again = _deferral(api)
        assert (again.classpath, again.kwargs) == (first.classpath, first.kwargs), "the time that is left is the same"
        assert api.pushed("task", "_link_BatchJobLink").startswith("https://")

    job.finish()
    api.resume_with(fire(_deferral(api).trigger()).payload)
    outcome = api.run(make)
    assert outcome.state == "success", outcome.error
    assert not job.cancelled
    assert count(connections, "submit") == (task is operator)


def test_one_that_deferred_before_it_knew_what_for_takes_what_comes(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls
) -> None:
    """As one that waits while this package is upgraded."""
    make = operator(connections, tmp_path)
    assert api.run(make).state == "deferred"
    deferral = _deferral(api)
    deferral.next_kwargs.clear()
    connections.jobs("apartmentiq")[0].finish()
    api.resume_with(fire(deferral.trigger()).payload)
    assert api.run(make).state == "success"


def test_a_triggerer_that_is_not_upgraded_yet_is_understood(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls
) -> None:
    """Its events tell neither connection nor deadline."""
    make = operator(connections, tmp_path)
    assert api.run(make).state == "deferred"
    connections.jobs("apartmentiq")[0].finish()
    payload = fire(_deferral(api).trigger()).payload
    del payload["conn_id"]
    api.resume_with(payload)
    assert api.run(make).state == "success"


def _deferral(api: ExecutionApi) -> Deferral:
    assert api.deferral is not None
    return api.deferral
