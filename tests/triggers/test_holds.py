"""However long a vendor asks to be left alone, deadlines hold, and the account is asked again within a bound."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

import pytest

from airflow_provider_batchdl.client import policy, throttle
from airflow_provider_batchdl.client.throttle import PollQueue, Throttle
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import VendorUnavailableError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.triggers import account_poller, requests
from airflow_provider_batchdl.vendors.base import RateLimit
from tests.triggers.waiting import patience, statuses, until, waits_for

ABSURD: list[float | str] = [31_536_000, 10**12 - 1, "Fri, 31 Dec 9999 23:59:59 GMT"]


@pytest.mark.parametrize("retry_after", ABSURD)
def test_an_absurd_retry_after_is_waited_for_to_a_bound(
    connections: Emulator, monkeypatch: pytest.MonkeyPatch, retry_after: float | str
) -> None:
    for module in (throttle, policy):
        monkeypatch.setattr(module, "MAX_HOLD", 1.0)
    jobs = [connections.add_job("proofy", state="running") for _ in range(6)]
    connections.add_fault(Fault("status", vendor="proofy", status=429, retry_after=retry_after))

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs, poll_interval=0.2)
            await until(lambda: any(record.status == 429 for record in connections.requests))
            for job in jobs:
                job.finish()
            sick = next(record for record in connections.requests if record.status == 429)
            others = [wait for wait, job in zip(waits, jobs, strict=True) if job.id not in sick.path]
            return await asyncio.gather(*others)

    assert statuses(asyncio.run(story())) == {"ended"}


def test_waits_end_at_their_deadline_while_the_account_is_left_alone(connections: Emulator) -> None:
    jobs = [connections.add_job("proofy", state="running") for _ in range(20)]
    connections.add_fault(Fault("status", vendor="proofy", status=429, retry_after=3600, times=99))

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs, poll_interval=0.2, deadline=time.time() + 1.0)
            return await asyncio.gather(*waits)

    began = time.monotonic()
    assert statuses(asyncio.run(story())) == {"timeout"}
    assert time.monotonic() - began < 30.0  # and not half a minute later, when a poll would be given up


def test_after_a_hold_one_request_goes_alone() -> None:
    went: list[str] = []
    others = asyncio.Event()

    async def request(queue: PollQueue, number: int) -> None:
        with suppress(VendorUnavailableError):
            async with queue.turn():
                went.append(f"{number} goes")
                if number == 5:
                    others.set()
                await (asyncio.sleep(0.05) if number < 3 else others.wait())
                went.append(f"{number} ends")
                if number == 1:
                    raise VendorUnavailableError("Still out.")

    async def story() -> None:
        account = Throttle([RateLimit(10_000, 1.0)])
        queue = PollQueue(account)
        account.hold(0.1)
        async with patience():
            await asyncio.gather(*(request(queue, number) for number in range(1, 6)))

    asyncio.run(story())
    assert went[:4] == ["1 goes", "1 ends", "2 goes", "2 ends"]
    assert went[4:7] == ["3 goes", "4 goes", "5 goes"]


def test_answers_that_drip_hold_up_no_other_job(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "SLOW_SECONDS", 0.5)
    jobs = [connections.add_job("proofy", state="running") for _ in range(16)]
    sick, healthy = jobs[:8], jobs[8:]
    for job in sick:
        connections.add_fault(Fault("stall", vendor="proofy", path_contains=job.id, before_headers=True, times=99))

    async def story() -> list[dict[str, Any]]:
        async with patience():
            held = waits_for(sick, poll_interval=0.1)
            await asyncio.sleep(0.5)
            waits = waits_for(healthy, poll_interval=0.1)
            for job in healthy:
                job.finish()
            events = await asyncio.gather(*waits)
            assert not any(wait.done() for wait in held)
            return events

    assert statuses(asyncio.run(story())) == {"ended"}


def test_a_list_that_drips_is_replaced_by_single_polls_at_once(
    connections: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "POLL_SECONDS", 1.5)
    monkeypatch.setattr(account_poller, "LONGEST_LIST", 0.5)
    jobs = [connections.add_job("apartmentiq", state="running") for _ in range(8)]
    BatchApiHook.for_connection("apartmentiq_default").get_job(jobs[0].id)  # fetches the token, which takes time too
    connections.add_fault(Fault("stall", operation="list", before_headers=True, seconds=30, times=99))

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs, poll_interval=0.2)
            await until(lambda: any(record.operation == "list" for record in connections.requests))
            for job in jobs:
                job.finish()
            return await asyncio.gather(*waits)

    assert statuses(asyncio.run(story())) == {"ended"}
    assert sum(record.operation == "list" for record in connections.requests) == 1
