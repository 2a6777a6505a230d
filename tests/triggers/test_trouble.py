"""Trouble of a vendor, a job or an account ends the waits that it concerns, and disturbs no others."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import pytest

from airflow_provider_batchdl.client.throttle import Throttle
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import AuthenticationError, VendorUnavailableError
from airflow_provider_batchdl.triggers.job import BatchJobTrigger
from airflow_provider_batchdl.triggers.requests import MAX_POLLS
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import count
from tests.triggers.waiting import TOGETHER, errors, patience, payload_of, statuses, until, waits_for


def test_a_refused_key_ends_all_waits_at_once(connections: Emulator) -> None:
    jobs = [connections.add_job("revenuebase", state="running") for _ in range(20)]

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs, **TOGETHER)
            await until(lambda: count(connections, "list") >= 1)
            connections.world.accounts.rotate("revenuebase")
            return await asyncio.gather(*waits)

    events = asyncio.run(story())
    assert errors(events) == {AuthenticationError}
    assert [event["error"]["job_id"] for event in events] == [job.id for job in jobs]
    # Of the list, and of what else was under way; not one for each job.
    assert sum(record.status == 401 for record in connections.requests) <= 2 * MAX_POLLS < len(jobs)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", operation="list", status=503, times=9999),
        Fault("status", operation="list", status=401, times=9999),
        Fault("html", operation="list", times=9999),
    ],
    ids=["unavailable", "refused", "a page"],
)
def test_jobs_are_looked_up_singly_while_the_list_cannot_be_read(
    connections: Emulator, polls: Polls, fault: Fault
) -> None:
    jobs = [connections.add_job("apartmentiq", state="running") for _ in range(8)]
    connections.add_fault(fault)

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs)
            await until(lambda: count(connections, "status") >= 16)
            for job in jobs:
                job.finish()
            return await asyncio.gather(*waits)

    assert statuses(asyncio.run(story())) == {"ended"}


def test_four_failures_of_the_list_in_a_row_are_forgiven(
    connections: Emulator, polls: Polls, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [connections.add_job("apartmentiq", state="running") for _ in range(50)]
    connections.add_fault(Fault("status", operation="list", status=503, times=20))  # a poll is five tries

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs)
            await until(lambda: count(connections, "list") > 20)
            for job in jobs:
                job.finish()
            return await asyncio.gather(*waits)

    with caplog.at_level(logging.WARNING):
        assert statuses(asyncio.run(story())) == {"ended"}
    assert count(connections, "status") == 0
    assert len([line for line in caplog.messages if "failures allowed), retrying" in line]) == 4  # not one for each job


def test_a_vendor_that_stays_away_ends_the_waits(connections: Emulator, polls: Polls) -> None:
    jobs = [connections.add_job("apartmentiq", state="running") for _ in range(4)]
    connections.add_fault(Fault("status", vendor="apartmentiq", status=503, times=99_999))

    async def story() -> list[dict[str, Any]]:
        async with patience():
            return await asyncio.gather(*waits_for(jobs))

    assert errors(asyncio.run(story())) == {VendorUnavailableError}


def test_one_job_that_is_gone_ends_one_wait(connections: Emulator, polls: Polls) -> None:
    here = connections.add_job("revenuebase", state="running")

    async def story() -> list[dict[str, Any]]:
        async with patience():
            wait = waits_for([here])[0]
            gone = await payload_of(BatchJobTrigger("revenuebase_default", "999999"))
            assert not wait.done()
            here.finish()
            return [gone, await wait]

    assert [event["status"] for event in asyncio.run(story())] == ["error", "ended"]


def test_one_accounts_trouble_does_not_delay_another(connections: Emulator) -> None:
    stuck = [connections.add_job("revenuebase", state="queued") for _ in range(5)]
    fine = [connections.add_job("apartmentiq", state="queued") for _ in range(5)]
    connections.add_fault(Fault("stall", vendor="revenuebase", before_headers=True, seconds=600, times=99))

    async def story() -> list[dict[str, Any]]:
        async with patience():
            held = waits_for(stuck)
            events = await asyncio.gather(*waits_for(fine))
            assert not any(wait.done() for wait in held)
            return events

    assert statuses(asyncio.run(story())) == {"ended"}


def test_a_slow_answer_about_one_job_does_not_hold_up_the_others(connections: Emulator) -> None:
    slow, *others = [connections.add_job("proofy", state="queued") for _ in range(6)]
    connections.add_fault(
        Fault("stall", vendor="proofy", path_contains=slow.id, before_headers=True, seconds=600, times=99)
    )

    async def story() -> list[dict[str, Any]]:
        async with patience():
            held = waits_for([slow])
            events = await asyncio.gather(*waits_for(others))
            assert not held[0].done()
            return events

    assert statuses(asyncio.run(story())) == {"ended"}


def test_a_429_silences_the_whole_account(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """From when it is read: what was sent before may reach the vendor whenever the machine gets to it."""
    held: list[float] = []
    sent: list[float] = []
    hold, spend = Throttle.hold, Throttle.spend

    def noting_hold(throttle: Throttle, seconds: float) -> None:
        held.append(time.monotonic())
        hold(throttle, seconds)

    def noting_spend(throttle: Throttle, now: float) -> None:
        sent.append(now)
        spend(throttle, now)

    monkeypatch.setattr(Throttle, "hold", noting_hold)
    monkeypatch.setattr(Throttle, "spend", noting_spend)
    jobs = [connections.add_job("proofy", state="running") for _ in range(10)]
    connections.add_fault(Fault("status", vendor="proofy", status=429, retry_after=1.5))

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs)
            await until(lambda: any(record.status == 429 for record in connections.requests))
            for job in jobs:
                job.finish()
            return await asyncio.gather(*waits)

    assert statuses(asyncio.run(story())) == {"ended"}
    later = [at - held[0] for at in sent if at > held[0]]
    assert min(later) >= 1.5


@pytest.mark.parametrize("check", [None, 503], ids=["accepted", "unknown"])
def test_a_refusal_about_one_job_ends_no_other_wait(connections: Emulator, polls: Polls, check: int | None) -> None:
    """What the vendor answers about one job says nothing about the account, unless it refuses anything else, too."""
    odd, *others = [connections.add_job("proofy", state="running") for _ in range(3)]
    connections.add_fault(Fault("status", operation="status", path_contains=odd.id, status=401, times=1000))
    if check is not None:
        connections.add_fault(Fault("status", operation="balance", status=check, times=1000))

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for([odd, *others])
            refused = await waits[0]
            for job in others:
                job.finish()
            return [refused, *await asyncio.gather(*waits[1:])]

    refused, *ended = asyncio.run(story())
    assert errors([refused]) == {AuthenticationError if check is None else VendorUnavailableError}
    assert statuses(ended) == {"ended"}


def test_a_refused_key_ends_all_waits_for_single_jobs(connections: Emulator) -> None:
    jobs = [connections.add_job("proofy", state="running") for _ in range(10)]

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs)
            await until(lambda: count(connections, "status") >= 1)
            connections.world.accounts.rotate("proofy")
            return await asyncio.gather(*waits)

    assert errors(asyncio.run(story())) == {AuthenticationError}
    # Each of the polls that were under way, and the proof that it is not about their jobs.
    assert sum(record.status == 401 for record in connections.requests) <= 2 * MAX_POLLS
