from __future__ import annotations

import asyncio
import inspect
import json
import logging
import threading
import time
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl._airflow import on_kill
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    BatchDlError,
    JobNotFoundError,
    PermissionDeniedError,
)
from airflow_provider_batchdl.triggers import job as trigger_module
from airflow_provider_batchdl.triggers import job as triggers_job
from airflow_provider_batchdl.triggers.job import BatchJobTrigger
from tests.support.airflow_api import ExecutionApi, fire, in_runtime
from tests.support.airflow_features import deserialize, serialize
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import VENDORS, count
from tests.support.leaks import find_secrets

MADE_UP_ID = "00000000-0000-4000-8000-000000000000"


def watch(vendor: str, job_id: str, **more: Any) -> BatchJobTrigger:
    return BatchJobTrigger(f"{vendor}_default", job_id, **more)


def payload(trigger: BatchJobTrigger) -> dict[str, Any]:
    """The trigger's one event, which must be what Airflow may store and print."""
    found: dict[str, Any] = fire(trigger).payload
    text = json.dumps(found)
    stored: Any = json.loads(json.dumps(serialize(found)))
    assert deserialize(stored) == found
    assert len(text) < 4_000
    assert "http" not in text
    assert not find_secrets(text)
    return found


@pytest.fixture
def _loop_must_not_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing sleep or ask the network synchronously in the triggers' event loop."""
    for owner, name in ((httpx.Client, "send"), (time, "sleep")):
        real = getattr(owner, name)

        def checked(*args: Any, real: Any = real, **kwargs: Any) -> Any:
            if threading.current_thread() is threading.main_thread():  # the emulator has a thread of its own
                with pytest.raises(RuntimeError):
                    asyncio.get_running_loop()
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, checked)


def test_its_arguments_survive_being_stored(connections: Emulator) -> None:
    path, kwargs = watch("proofy", "abc", poll_interval=3.5, deadline=1.0, cancel_on_kill=True).serialize()
    assert path == f"{BatchJobTrigger.__module__}.{BatchJobTrigger.__qualname__}"
    stored: Any = deserialize(json.loads(json.dumps(serialize(kwargs))))
    again = BatchJobTrigger(**stored)
    assert again.serialize() == (path, kwargs)


def test_a_row_that_an_older_version_stored_still_works() -> None:
    """A release may come while tasks are deferred: whatever is added to the arguments has a default."""
    parameters = list(inspect.signature(BatchJobTrigger).parameters.values())
    assert [each.name for each in parameters if each.default is each.empty] == ["conn_id", "job_id"]
    assert set(BatchJobTrigger("c", "j").serialize()[1]) == {each.name for each in parameters}


@pytest.mark.usefixtures("_loop_must_not_block")
@pytest.mark.parametrize("vendor", VENDORS)
def test_it_fires_when_the_job_ends(connections: Emulator, vendor: str) -> None:
    job = connections.add_job(vendor, state="queued")
    event = payload(watch(vendor, job.id))
    assert (event["status"], event["job_id"], event["job"]["state"]) == ("ended", job.id, "succeeded")


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_every_end_is_an_end(connections: Emulator, state: str) -> None:
    job = connections.add_job("apartmentiq", state=state)
    assert payload(watch("apartmentiq", job.id))["job"]["state"] == state


def test_it_waits_before_it_polls(connections: Emulator, polls: Polls) -> None:
    """The worker has just polled, and a triggerer that starts has thousands of them."""
    job = connections.add_job("revenuebase", state="running")
    seen: list[int] = []
    polls.before_next(lambda: seen.append(count(connections, "status")), job.finish)
    payload(watch("revenuebase", job.id, poll_interval=7))
    assert seen == [0]
    assert all(6.2 < wait < 7.8 for wait in polls.first_waits)


def test_its_time_is_up(connections: Emulator) -> None:
    job = connections.add_job("revenuebase", state="running")
    event = payload(watch("revenuebase", job.id, deadline=time.time() + 0.2))
    assert (event["status"], event["job"]["state"]) == ("timeout", "running")


def test_a_job_that_ends_with_its_time_has_ended(connections: Emulator) -> None:
    job = connections.add_job("revenuebase")
    assert payload(watch("revenuebase", job.id, deadline=time.time() - 60))["status"] == "ended"


def test_a_vendor_that_stalls_does_not_outlast_the_deadline(
    connections: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trigger_module, "LAST_POLL_SECONDS", 0.1)
    job = connections.add_job("revenuebase", state="running")
    connections.add_fault(Fault("stall", operation="status", before_headers=True, seconds=60))
    event = payload(watch("revenuebase", job.id, deadline=time.time() + 0.1))
    assert (event["status"], event["job"]) == ("timeout", None)


def test_four_failures_in_a_row_are_forgiven(connections: Emulator, polls: Polls) -> None:
    job = connections.add_job("revenuebase")
    connections.add_fault(Fault("status", operation="status", status=503, times=20))
    assert payload(watch("revenuebase", job.id))["status"] == "ended"
    assert count(connections, "status") == 21


def test_five_are_not(connections: Emulator, polls: Polls) -> None:
    job = connections.add_job("revenuebase")
    connections.add_fault(Fault("status", operation="status", status=503, times=1000))
    event = payload(watch("revenuebase", job.id))
    assert event["status"] == "error"
    error = BatchDlError.from_dict(event["error"])
    assert (type(error).__name__, error.status, error.retryable) == ("VendorUnavailableError", 503, True)


@pytest.mark.parametrize(("times", "ends"), [(4, "ended"), (5, "error")])
def test_a_job_that_is_not_found_is_polled_again_over_minutes(
    connections: Emulator, polls: Polls, times: int, ends: str
) -> None:
    job = connections.add_job("apartmentiq")
    connections.add_fault(Fault("status", operation="status", status=404, times=times))
    event = payload(watch("apartmentiq", job.id))
    assert event["status"] == ends
    assert [wait for wait in map(round, polls.first_waits) if wait] == [10, 20, 40, 60]
    if ends == "error":
        assert type(BatchDlError.from_dict(event["error"])) is JobNotFoundError


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (403, PermissionDeniedError)])
def test_what_will_not_pass_is_not_waited_for(
    connections: Emulator, polls: Polls, status: int, kind: type[BatchDlError]
) -> None:
    job = connections.add_job("apartmentiq", state="running")
    # Twice: a token that is refused is renewed once.
    connections.add_fault(Fault("status", operation="status", status=status, times=2))
    event = payload(watch("apartmentiq", job.id))
    assert type(BatchDlError.from_dict(event["error"])) is kind
    assert len(polls.first_waits) == 1


def test_the_words_of_a_vendor_that_echoes_the_key_are_masked(connections: Emulator, polls: Polls) -> None:
    key = connections.credentials["proofy"].password
    body = json.dumps({"message": f"no such key: {key}", "url": f"{connections.urls['proofy']}/x?api_key={key}"})
    connections.add_fault(
        Fault("status", operation="status", status=401, body=body, content_type="application/json", times=2)
    )
    found: dict[str, Any] = fire(watch("proofy", MADE_UP_ID)).payload
    assert found["status"] == "error"
    assert key not in json.dumps(found)


# Killed.


@pytest.mark.parametrize("map_index", [-1, 3])
@pytest.mark.parametrize("state", ["failed", "success", "running", None])
def test_a_user_who_ends_the_task_cancels_its_job(
    connections: Emulator, api: ExecutionApi, state: str | None, map_index: int
) -> None:
    job = connections.add_job("revenuebase", state="running")
    trigger = watch("revenuebase", job.id, cancel_on_kill=True)
    trigger.task_instance = in_runtime(map_index=map_index)  # type: ignore[assignment]
    api.states[("task", map_index)] = state
    with api.comms():
        asyncio.run(trigger.on_kill())
    assert job.cancelled


@pytest.mark.parametrize("map_index", [-1, 3])
def test_another_triggerer_that_takes_over_cancels_nothing(
    connections: Emulator, api: ExecutionApi, map_index: int
) -> None:
    job = connections.add_job("revenuebase", state="running")
    trigger = watch("revenuebase", job.id, cancel_on_kill=True)
    trigger.task_instance = in_runtime(map_index=map_index)  # type: ignore[assignment]
    api.states[("task", map_index)] = "deferred"
    with api.comms():
        asyncio.run(trigger.on_kill())
    assert not job.cancelled


def test_a_job_whose_end_another_triggerer_has_told_is_not_cancelled(connections: Emulator, api: ExecutionApi) -> None:
    """One that took over from a triggerer that was silent; the task goes on before this one hears of it."""
    job = connections.add_job("proofy", state="ready")
    trigger = watch("proofy", job.id, cancel_on_kill=True)
    trigger.task_instance = in_runtime()  # type: ignore[assignment]
    api.states[("task", -1)] = "success"
    with api.comms():
        asyncio.run(trigger.on_kill())
    assert count(connections, "cancel") == 0  # Proofy's is a DELETE


def test_where_airflow_cannot_be_asked_the_job_is_left(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("revenuebase", state="running")
    trigger = watch("revenuebase", job.id, cancel_on_kill=True)
    trigger.task_instance = in_runtime()  # type: ignore[assignment]
    with pytest.raises(NameError, match="SUPERVISOR_COMMS"):  # which Airflow logs
        asyncio.run(trigger.on_kill())
    assert not job.cancelled


def test_airflow_that_cancels_again_and_again_does_not_keep_the_job_from_being_cancelled(
    connections: Emulator, api: ExecutionApi
) -> None:
    """It does so every second while ``on_kill`` runs."""
    job = connections.add_job("apartmentiq", state="running")
    connections.add_fault(Fault("stall", operation="cancel", before_headers=True, seconds=0.5))
    trigger = watch("apartmentiq", job.id, cancel_on_kill=True)
    trigger.task_instance = in_runtime()  # type: ignore[assignment]
    api.states[("task", -1)] = "failed"

    async def impatient() -> None:
        killed = asyncio.create_task(trigger.on_kill())
        while not killed.done():
            await asyncio.sleep(0.05)
            killed.cancel()
        await killed

    with api.comms():
        asyncio.run(impatient())
    assert job.cancelled
    assert count(connections, "cancel") == 1


@pytest.mark.parametrize("status", [404, 503])
def test_a_cancel_that_fails_once_does_not_leave_the_job_running(
    connections: Emulator, api: ExecutionApi, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(triggers_job, "PAUSE_SECONDS", 0.0)
    job = connections.add_job("apartmentiq", state="running")
    connections.add_fault(Fault("status", operation="cancel", status=status))
    trigger = watch("apartmentiq", job.id, cancel_on_kill=True)
    trigger.task_instance = in_runtime()  # type: ignore[assignment]
    api.states[("task", -1)] = "failed"
    with api.comms():
        asyncio.run(trigger.on_kill())
    assert job.cancelled
    assert count(connections, "cancel") == 2


def test_a_cancel_whose_connection_is_unusable_is_logged(
    connections: Emulator, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PROOFY_DEFAULT", json.dumps({"conn_type": "proofy", "password": ""}))
    asyncio.run(watch("proofy", "7", cancel_on_kill=True).on_kill())
    assert "Could not cancel job 7; it may still be running: The password of" in "".join(capfd.readouterr())
    assert not connections.requests


def test_an_on_kill_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_kill, "ON_KILL_SECONDS", 0.05)
    with pytest.raises(TimeoutError):
        asyncio.run(on_kill.shield_until_done(asyncio.sleep(60)))


def test_one_that_only_watches_cancels_nothing(connections: Emulator) -> None:
    job = connections.add_job("revenuebase", state="running")
    asyncio.run(watch("revenuebase", job.id).on_kill())
    assert not job.cancelled
    assert not connections.requests


def test_a_vendor_that_cannot_cancel(connections: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    job = connections.add_job("batchcom", state="running")
    with caplog.at_level(logging.WARNING):
        asyncio.run(watch("batchcom", job.id, cancel_on_kill=True).on_kill())
    assert count(connections, "cancel") == 0


# Many at once.


@pytest.mark.usefixtures("_loop_must_not_block")
def test_many_wait_in_one_loop(connections: Emulator) -> None:
    jobs = [connections.add_job("apartmentiq", state="queued") for _ in range(30)]

    async def wait(trigger: BatchJobTrigger) -> Any:
        return (await anext(aiter(trigger.run()))).payload["status"]

    async def wait_for_all() -> list[Any]:
        return await asyncio.gather(*(wait(watch("apartmentiq", job.id)) for job in jobs))

    assert asyncio.run(wait_for_all()) == ["ended"] * 30
    assert count(connections, "token") == 1
