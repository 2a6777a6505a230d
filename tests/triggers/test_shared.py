"""All waits of one account share one poll loop, inside the vendor's limit."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from unittest.mock import Mock

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.triggers.job import BatchJobTrigger
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import VENDORS, count
from tests.triggers.waiting import TOGETHER, patience, payload_of, statuses, until, waits_for


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_wait_gets_its_own_job(connections: Emulator, vendor: str) -> None:
    good = [connections.add_job(vendor, state="queued") for _ in range(12)]
    bad = [connections.add_job(vendor, state="running") for _ in range(3)]

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for([*good, *bad])
            for job in bad:
                job.fail("no such thing")
            return await asyncio.gather(*waits)

    events = asyncio.run(story())
    assert [event["job_id"] for event in events] == [job.id for job in [*good, *bad]]
    assert [event["job"]["state"] for event in events] == ["succeeded"] * 12 + ["failed"] * 3
    assert all(event["job"]["id"] == event["job_id"] for event in events)


@pytest.mark.parametrize("vendor", ["batchcom", "apartmentiq"])
def test_a_paged_list_answers_for_a_hundred_at_a_time(connections: Emulator, vendor: str) -> None:
    jobs = [connections.add_job(vendor, state="running") for _ in range(250)]

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs, **TOGETHER)
            await until(lambda: count(connections, "list") >= 3)
            for job in jobs:
                job.finish()
            return await asyncio.gather(*waits)

    assert statuses(asyncio.run(story())) == {"ended"}
    assert count(connections, "status") == 0
    assert count(connections, "list") < 250 / 3


def test_a_job_that_left_the_list_of_active_ones_is_looked_up_once(connections: Emulator) -> None:
    jobs = [connections.add_job("revenuebase", state="running") for _ in range(40)]

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs, **TOGETHER)
            await until(lambda: count(connections, "list") >= 2)
            for job in jobs[:10]:
                job.finish()
            await asyncio.gather(*waits[:10])
            assert count(connections, "status") == 10
            for job in jobs[10:]:
                job.fail()
            return await asyncio.gather(*waits)

    assert statuses(asyncio.run(story())) == {"ended"}
    assert count(connections, "status") == 40


def test_a_job_that_is_in_no_list_and_has_not_ended_is_waited_for(connections: Emulator) -> None:
    """Revenuebase lists queued and running jobs, and not those it is cancelling."""
    jobs = [connections.add_job("revenuebase", state="running") for _ in range(5)]
    jobs[0].hold("CANCELLING")

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs)
            await until(lambda: count(connections, "status") >= 2)
            assert not waits[0].done()
            for job in jobs:
                job.cancel()
            return await asyncio.gather(*waits)

    assert {event["job"]["state"] for event in asyncio.run(story())} == {"cancelled"}


def test_without_a_list_jobs_are_looked_up_one_by_one(connections: Emulator) -> None:
    jobs = [connections.add_job("proofy", state="queued") for _ in range(10)]

    async def story() -> list[dict[str, Any]]:
        async with patience():
            return await asyncio.gather(*waits_for(jobs))

    assert statuses(asyncio.run(story())) == {"ended"}
    assert {record.operation for record in connections.requests} == {"status"}


def test_old_jobs_deep_in_a_long_list_are_not_searched_for_again_and_again(connections: Emulator) -> None:
    old = [connections.add_job("batchcom", state="running") for _ in range(3)]
    for _ in range(600):
        connections.add_job("batchcom")

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(old)
            await until(lambda: count(connections, "status") >= 9)
            for job in old:
                job.finish()
            return await asyncio.gather(*waits)

    assert statuses(asyncio.run(story())) == {"ended"}
    assert count(connections, "list") <= 3


def test_several_waits_for_one_job_share_its_polls(connections: Emulator) -> None:
    job = connections.add_job("proofy", state="running")

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for([job] * 5)
            await until(lambda: count(connections, "status") >= 1)
            job.finish()
            return await asyncio.gather(*waits)

    assert statuses(asyncio.run(story())) == {"ended"}
    assert count(connections, "status") < 10


def test_a_cancelled_wait_leaves_the_others_alone(connections: Emulator) -> None:
    jobs = [connections.add_job("apartmentiq", state="running") for _ in range(4)]

    async def story() -> list[dict[str, Any]]:
        async with patience():
            first, *others = waits_for(jobs)
            await until(lambda: count(connections, "list") >= 1)
            first.cancel()
            await asyncio.wait([first])
            for job in jobs[1:]:
                job.finish()
            return await asyncio.gather(*others)

    assert statuses(asyncio.run(story())) == {"ended"}


def test_the_loop_ends_with_the_last_wait_and_begins_anew(connections: Emulator) -> None:
    async def story() -> None:
        async with patience():
            for _ in range(3):
                job = connections.add_job("revenuebase", state="queued")
                assert statuses(await asyncio.gather(*waits_for([job]))) == {"ended"}
                await until(lambda: len(asyncio.all_tasks()) == 1)
                asked = len(connections.requests)
                await asyncio.sleep(0.3)
                assert len(connections.requests) == asked

    asyncio.run(story())


def test_a_wait_that_comes_while_the_loop_ends_is_served(connections: Emulator) -> None:
    jobs = [connections.add_job("apartmentiq", state="queued") for _ in range(20)]

    async def one_after_the_other() -> set[str]:
        async with patience():
            return {(await payload_of(BatchJobTrigger("apartmentiq_default", job.id)))["status"] for job in jobs}

    assert asyncio.run(one_after_the_other()) == {"ended"}


def test_polls_become_rarer_as_a_job_ages(connections: Emulator, polls: Polls) -> None:
    job = connections.add_job("proofy", state="running")
    polls.before_next(*[lambda: None] * 3, job.finish)
    since = time.time() - 400
    trigger = BatchJobTrigger("proofy_default", job.id, poll_interval=7, max_poll_interval=60, since=since)
    assert asyncio.run(payload_of(trigger))["status"] == "ended"
    age = time.time() - since
    first, *others = polls.first_waits
    assert 6.2 < first < 7.8  # it may have ended while nobody polled
    assert all(35 < wait < age / 10 * 1.15 for wait in others)


def test_a_max_poll_interval_below_the_connections_poll_interval_is_warned_of(
    connections: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BatchJobTrigger, "log", log := Mock())
    trigger = BatchJobTrigger("proofy_default", connections.add_job("proofy").id, max_poll_interval=0.001)
    assert asyncio.run(payload_of(trigger))["status"] == "ended"
    (warning,) = log.warning.call_args_list
    assert "the max_poll_interval of 0.001 s is below the poll_interval" in warning.args[0] % warning.args[1:]


def test_polls_are_frequent_again_when_jobs_usually_end(connections: Emulator, polls: Polls) -> None:
    quick = [connections.add_job("proofy", state="running") for _ in range(3)]
    slow = connections.add_job("proofy", state="running")

    async def story() -> list[float]:
        async with patience():
            began = time.time() - 1000
            waits = waits_for(quick, poll_interval=7, max_poll_interval=300, since=began)
            await until(lambda: count(connections, "status") >= 6)
            for job in quick:
                job.finish()
            await asyncio.gather(*waits)
            known = len(polls.first_waits)
            wait = waits_for([slow], poll_interval=7, max_poll_interval=300, since=began)
            await until(lambda: len(polls.first_waits) >= known + 4)
            slow.finish()
            await asyncio.gather(*wait)
            return polls.first_waits[known:]

    assert all(6.2 < wait < 7.8 for wait in asyncio.run(story()))
    assert max(polls.first_waits) > 90  # before anybody knew what is usual


@pytest.mark.parametrize("vendor", VENDORS)
def test_many_deadlines_at_once_are_kept(connections: Emulator, vendor: str) -> None:
    jobs = [connections.add_job(vendor, state="running") for _ in range(30)]

    async def story() -> list[dict[str, Any]]:
        async with patience():
            return await asyncio.gather(*waits_for(jobs, deadline=time.time() + 0.5))

    events = asyncio.run(story())
    assert statuses(events) == {"timeout"}
    assert all(event["job"]["id"] == event["job_id"] for event in events)
