"""No event before Airflow has noticed everywhere that the task has deferred."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.triggers import job as trigger_module
from airflow_provider_batchdl.triggers.job import BatchJobTrigger, settling_seconds
from tests.support.airflow_api import fire, in_runtime

SECONDS = 1.5
LONG = 100.0


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "1")
    monkeypatch.setattr(trigger_module, "SCHEDULER_SECONDS", SECONDS - 1)


def fired(job_id: str, *, in_triggerer: bool) -> tuple[dict[str, Any], float]:
    """The event, and how long the trigger took to it."""
    trigger = BatchJobTrigger("proofy_default", job_id)
    if in_triggerer:
        trigger.task_instance = in_runtime()  # type: ignore[assignment]
    began = time.monotonic()
    return fire(trigger).payload, time.monotonic() - began


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("status", ["ended", "error"])
def test_whatever_the_event_is_it_comes_late_enough(connections: Emulator, status: str) -> None:
    job_id = connections.add_job("proofy").id
    if status == "error":
        connections.add_fault(Fault("status", operation="status", status=403, times=9))
    event, seconds = fired(job_id, in_triggerer=True)
    assert event["status"] == status
    assert seconds >= SECONDS


@pytest.fixture
def _slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that is held up comes later than a busy machine's."""
    monkeypatch.setattr(trigger_module, "settling_seconds", lambda: LONG)


@pytest.mark.usefixtures("_slow")
def test_a_wait_that_took_longer_is_not_held_up(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = 1000.0, 1000.0 + LONG
    clock = SimpleNamespace(time=time.time, monotonic=iter([begun, ended]).__next__)
    monkeypatch.setattr(trigger_module, "time", clock)
    _, seconds = fired(connections.add_job("proofy").id, in_triggerer=True)
    assert seconds < LONG


@pytest.mark.usefixtures("_slow")
def test_nothing_is_held_up_where_no_worker_ran(connections: Emulator) -> None:
    _, seconds = fired(connections.add_job("proofy").id, in_triggerer=False)
    assert seconds < LONG


@pytest.mark.usefixtures("_quick")
def test_a_job_that_has_ended_is_not_cancelled(connections: Emulator) -> None:
    """By then another triggerer may have the trigger, and the task go on."""
    trigger = BatchJobTrigger("proofy_default", connections.add_job("proofy").id, cancel_on_kill=True)
    fire(trigger)
    asyncio.run(trigger.on_kill())
    assert "cancel" not in [request.operation for request in connections.requests]


def test_it_is_what_a_worker_takes_by_airflows_defaults_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", raising=False)
    assert settling_seconds() == 8.0
