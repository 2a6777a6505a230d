"""What nobody foresaw in one poll ends that one wait, with a typed error: the account's loop goes on for the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.exceptions import UnexpectedResponseError
from airflow_provider_batchdl.jobs import Job
from airflow_provider_batchdl.polling.schedule import PollSchedule
from airflow_provider_batchdl.polling.waiters import Waiters
from airflow_provider_batchdl.triggers import account_registry
from airflow_provider_batchdl.triggers.account_poller import MAX_CRASHES, AccountPoller
from airflow_provider_batchdl.vendors.apartmentiq import ApartmentIQ
from airflow_provider_batchdl.vendors.base import Flow
from airflow_provider_batchdl.vendors.proofy import Proofy
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import count
from tests.support.airflow_storing import assert_storable, sent_to_supervisor
from tests.triggers.waiting import errors, patience, statuses, until, waits_for


class DeadlockError(BaseException):
    """Airflow has such ones, which are no `Exception`."""


def raising(error: BaseException) -> Callable[..., Any]:
    def broken(*_: object, **__: object) -> Any:
        raise error

    return broken


async def ended_beside(sick: EmulatedJob, healthy: list[EmulatedJob]) -> list[dict[str, Any]]:
    """The sick job's event, which comes while the healthy ones run; these end well afterwards."""
    async with patience():
        first, *others = waits_for([sick, *healthy])
        event = await first
        assert not any(wait.done() for wait in others)
        for job in healthy:
            job.finish()
        assert statuses(await asyncio.gather(*others)) == {"ended"}
    assert sent_to_supervisor(event)
    assert_storable(event)
    return [event]


@pytest.mark.parametrize(
    "error", [ZeroDivisionError(), RecursionError(), UnicodeEncodeError("ascii", "\ud83d", 0, 1, "no"), DeadlockError()]
)
def test_a_bug_in_a_vendors_code(
    connections: Emulator, polls: Polls, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    sick, *healthy = [connections.add_job("proofy", state="running") for _ in range(20)]
    real = Proofy.get_job

    def get_job(vendor: Proofy, job_id: str) -> Flow[Job]:
        if job_id == sick.id:
            raise error
        return real(vendor, job_id)

    monkeypatch.setattr(Proofy, "get_job", get_job)
    events = asyncio.run(ended_beside(sick, healthy))
    assert errors(events) == {UnexpectedResponseError}
    assert events[0]["error"]["job_id"] == sick.id


def test_its_traceback_is_logged_once(
    connections: Emulator, polls: Polls, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [connections.add_job("proofy", state="running") for _ in range(10)]
    monkeypatch.setattr(Proofy, "get_job", raising(ZeroDivisionError()))

    async def story() -> list[dict[str, Any]]:
        async with patience():
            return await asyncio.gather(*waits_for(jobs))

    assert errors(asyncio.run(story())) == {UnexpectedResponseError}
    # Of our own: asyncio's are about what is collected just then.
    ours = [record for record in caplog.records if record.name.startswith("airflow_provider_batchdl")]
    assert len([record for record in ours if record.exc_info]) == 1


@pytest.mark.parametrize("error", [ZeroDivisionError(), DeadlockError()])
def test_a_list_that_breaks_is_replaced_by_single_polls(
    connections: Emulator, polls: Polls, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    jobs = [connections.add_job("apartmentiq", state="running") for _ in range(8)]
    monkeypatch.setattr(ApartmentIQ, "list_page", raising(error))

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs)
            await until(lambda: count(connections, "status") >= 8 or all(wait.done() for wait in waits))
            for job in jobs:
                job.finish()
            return await asyncio.gather(*waits)

    expected = {"ended"} if isinstance(error, Exception) else {"error"}
    assert statuses(asyncio.run(story())) == expected


def test_an_odd_job_in_the_list_hides_no_other(
    connections: Emulator, polls: Polls, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, *others = [connections.add_job("apartmentiq", state="running") for _ in range(8)]
    real = Waiters.saw

    def saw(waits: Waiters, job_id: str, *args: Any, **kwargs: Any) -> None:
        if job_id == odd.id:
            raise ZeroDivisionError
        real(waits, job_id, *args, **kwargs)

    monkeypatch.setattr(Waiters, "saw", saw)
    assert errors(asyncio.run(ended_beside(odd, others))) == {UnexpectedResponseError}


@pytest.mark.parametrize("times", [MAX_CRASHES - 1, MAX_CRASHES])
def test_the_loop_itself_breaks(
    connections: Emulator, polls: Polls, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    jobs = [connections.add_job("proofy", state="running") for _ in range(3)]
    real, broken = PollSchedule.take, iter(range(times))

    def take(schedule: Any, *args: Any, **kwargs: Any) -> Any:
        if next(broken, None) is not None:
            raise ZeroDivisionError
        return real(schedule, *args, **kwargs)

    monkeypatch.setattr(PollSchedule, "take", take)

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs)
            await until(lambda: count(connections, "status") >= 3 or all(wait.done() for wait in waits))
            for job in jobs:
                job.finish()
            return await asyncio.gather(*waits)

    assert statuses(asyncio.run(story())) == {"ended" if times < MAX_CRASHES else "error"}


def test_the_loop_is_cancelled(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [connections.add_job("proofy", state="running") for _ in range(3)]
    monkeypatch.setattr(AccountPoller, "_poll_loop", raising(asyncio.CancelledError()))

    async def story() -> list[dict[str, Any]]:
        async with patience():
            return await asyncio.gather(*waits_for(jobs))

    assert errors(asyncio.run(story())) == {UnexpectedResponseError}


def test_a_connection_that_cannot_be_read(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    job = connections.add_job("proofy", state="running")
    monkeypatch.setattr(account_registry, "_read", raising(OSError("half \ud83d")))

    async def story() -> dict[str, Any]:
        async with patience():
            return await waits_for([job])[0]

    event = asyncio.run(story())
    assert errors([event]) == {UnexpectedResponseError}
    assert sent_to_supervisor(event)
