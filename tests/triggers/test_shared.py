"""All waits of one account share one poll loop, inside the vendor's limit; accounts do not disturb each other."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    BatchDlError,
    InvalidRequestError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.triggers import accounts
from airflow_provider_batchdl.triggers.accounts import account_key
from airflow_provider_batchdl.triggers.job import BatchJobTrigger
from airflow_provider_batchdl.triggers.waits import Waits
from airflow_provider_batchdl.vendors import vendor_class
from airflow_provider_batchdl.vendors.account import Account
from tests.support.airflow_fixtures import Looks
from tests.support.airflow_jobs import VENDORS, count
from tests.triggers.waiting import errors, patience, payload_of, statuses, until, waits_for


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
            waits = waits_for(jobs)
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
            waits = waits_for(jobs)
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


def test_several_waits_for_one_job_share_its_looks(connections: Emulator) -> None:
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


def test_the_connection_is_read_once_for_all(connections: Emulator, readings: list[str]) -> None:
    jobs = [connections.add_job("apartmentiq", state="queued") for _ in range(30)]

    async def story() -> list[dict[str, Any]]:
        async with patience():
            return await asyncio.gather(*waits_for(jobs))

    assert statuses(asyncio.run(story())) == {"ended"}
    assert readings == ["apartmentiq_default"]


def test_a_connection_that_cannot_be_read_is_read_again(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    job = connections.add_job("proofy", state="queued")
    real = accounts._read
    trouble = [BatchDlError("The secrets backend is out.")]

    async def failing(conn_id: str) -> BatchApiHook:
        if trouble:
            raise trouble.pop()
        return await real(conn_id)

    monkeypatch.setattr(accounts, "_read", failing)

    async def story() -> list[str]:
        async with patience():
            return [(await asyncio.gather(*waits_for([job])))[0]["status"] for _ in range(2)]

    assert asyncio.run(story()) == ["error", "ended"]


def test_looks_become_rarer_as_a_job_ages(connections: Emulator, looks: Looks) -> None:
    job = connections.add_job("proofy", state="running")
    looks.before_next(*[lambda: None] * 3, job.finish)
    trigger = BatchJobTrigger("proofy_default", job.id, poll_interval=7, max_poll_interval=60, since=time.time() - 400)
    assert asyncio.run(payload_of(trigger))["status"] == "ended"
    first, *others = looks.first_waits
    assert 6.2 < first < 7.8  # it may have ended while nobody looked
    assert all(35 < wait < 45 for wait in others)


def test_looks_are_frequent_again_when_jobs_usually_end(connections: Emulator, looks: Looks) -> None:
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
            known = len(looks.first_waits)
            wait = waits_for([slow], poll_interval=7, max_poll_interval=300, since=began)
            await until(lambda: len(looks.first_waits) >= known + 4)
            slow.finish()
            await asyncio.gather(*wait)
            return looks.first_waits[known:]

    assert all(6.2 < wait < 7.8 for wait in asyncio.run(story()))
    assert max(looks.first_waits) > 90  # before anybody knew what is usual


@pytest.mark.parametrize("vendor", VENDORS)
def test_many_deadlines_at_once_are_kept(connections: Emulator, vendor: str) -> None:
    jobs = [connections.add_job(vendor, state="running") for _ in range(30)]

    async def story() -> list[dict[str, Any]]:
        async with patience():
            return await asyncio.gather(*waits_for(jobs, deadline=time.time() + 0.5))

    events = asyncio.run(story())
    assert statuses(events) == {"timeout"}
    assert all(event["job"]["id"] == event["job_id"] for event in events)


# Trouble.


def test_a_refused_key_ends_all_waits_at_once(connections: Emulator) -> None:
    jobs = [connections.add_job("revenuebase", state="running") for _ in range(20)]

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs)
            await until(lambda: count(connections, "list") >= 1)
            connections.world.accounts.rotate("revenuebase")
            return await asyncio.gather(*waits)

    events = asyncio.run(story())
    assert errors(events) == {AuthenticationError}
    assert [event["error"]["job_id"] for event in events] == [job.id for job in jobs]
    assert sum(record.status == 401 for record in connections.requests) == 1


@pytest.mark.parametrize(
    "fault", [Fault("status", operation="list", status=503, times=9999), Fault("html", operation="list", times=9999)]
)
def test_jobs_are_looked_up_singly_while_the_list_cannot_be_read(
    connections: Emulator, looks: Looks, fault: Fault
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
    connections: Emulator, looks: Looks, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [connections.add_job("apartmentiq", state="running") for _ in range(50)]
    connections.add_fault(Fault("status", operation="list", status=503, times=20))  # a look is five tries

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
    assert len([line for line in caplog.messages if "failed, waiting on" in line]) == 4  # not one for each job


def test_a_vendor_that_stays_away_ends_the_waits(connections: Emulator, looks: Looks) -> None:
    jobs = [connections.add_job("apartmentiq", state="running") for _ in range(4)]
    connections.add_fault(Fault("status", vendor="apartmentiq", status=503, times=99_999))

    async def story() -> list[dict[str, Any]]:
        async with patience():
            return await asyncio.gather(*waits_for(jobs))

    assert errors(asyncio.run(story())) == {VendorUnavailableError}


def test_one_job_that_is_gone_ends_one_wait(connections: Emulator) -> None:
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
    connections.add_fault(Fault("stall", vendor="revenuebase", before_headers=True, seconds=60, times=99))

    async def story() -> list[dict[str, Any]]:
        async with patience():
            held = waits_for(stuck)
            events = await asyncio.gather(*waits_for(fine))
            assert not any(wait.done() for wait in held)
            for wait in held:
                wait.cancel()
            return events

    assert statuses(asyncio.run(story())) == {"ended"}


def test_a_slow_answer_about_one_job_does_not_hold_up_the_others(connections: Emulator) -> None:
    slow, *others = [connections.add_job("proofy", state="queued") for _ in range(6)]
    connections.add_fault(
        Fault("stall", vendor="proofy", path_contains=slow.id, before_headers=True, seconds=60, times=99)
    )

    async def story() -> list[dict[str, Any]]:
        async with patience():
            held = waits_for([slow])
            events = await asyncio.gather(*waits_for(others))
            held[0].cancel()
            return events

    assert statuses(asyncio.run(story())) == {"ended"}


def test_a_429_silences_the_whole_account(connections: Emulator) -> None:
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
    requests = connections.requests
    refused = next(index for index, record in enumerate(requests) if record.status == 429)
    # What was on its way already arrives; from then on there is silence.
    later = [record.time - requests[refused].time for record in requests[refused + 1 :]]
    assert not [wait for wait in later if 0.3 < wait < 1.4]


def test_a_bug_in_the_loop_leaves_nobody_waiting(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [connections.add_job("proofy", state="running") for _ in range(3)]

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Waits, "saw", broken)

    async def story() -> list[Any]:
        async with patience():
            outcomes: list[Any] = await asyncio.gather(*waits_for(jobs), return_exceptions=True)
            return outcomes

    assert {type(outcome) for outcome in asyncio.run(story())} == {RuntimeError}


def test_a_connection_that_lacks_something_ends_its_waits_with_that(
    connections: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [connections.add_job("batchcom", state="running") for _ in range(3)]
    described = json.loads(os.environ["AIRFLOW_CONN_BATCHCOM_DEFAULT"])
    del described["extra"]["project_key"]
    monkeypatch.setenv("AIRFLOW_CONN_BATCHCOM_DEFAULT", json.dumps(described))

    async def story() -> list[dict[str, Any]]:
        async with patience():
            return await asyncio.gather(*waits_for(jobs))

    assert errors(asyncio.run(story())) == {InvalidRequestError}


# Which accounts are one.


def test_connections_to_one_account_share_its_loop(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    described = connections.connections()["apartmentiq_default"]
    other = {**described, "extra": {"poll_interval": 0.15, "max_poll_interval": 1, "rate_limit": "1000/1"}}
    monkeypatch.setenv("AIRFLOW_CONN_TWIN", json.dumps(other))

    async def story() -> bool:
        first, second = [await accounts.account_of(name) for name in ("apartmentiq_default", "twin")]
        return first[1] is second[1] and first[0] is not second[0]

    assert asyncio.run(story())


def test_two_projects_of_batchcom_are_two_accounts() -> None:
    made = [
        vendor_class("batchcom")(Account("https://api.batch.com", "rest_key", extra={"project_key": project}))
        for project in ("project_one", "project_two")
    ]
    keys = {account_key(vendor) for vendor in made}
    assert len(keys) == 2
    assert "project_" not in repr(keys)
    assert "rest_key" not in repr(keys)
