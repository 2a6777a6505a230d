"""A key that is replaced while waits are under way: they go on with the one that the connection has by then."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.emulator.records import RequestRecord
from airflow_provider_batchdl.exceptions import AuthenticationError
from airflow_provider_batchdl.triggers import account_registry
from airflow_provider_batchdl.triggers import job as job_trigger
from airflow_provider_batchdl.triggers.job import BatchJobTrigger
from tests.support.airflow_jobs import VENDORS, count
from tests.support.leaks import find_secrets
from tests.triggers.waiting import PATIENCE, errors, patience, payload_of, statuses, until, waits_for


def refusals(emulator: Emulator) -> list[RequestRecord]:
    """The requests that were refused for their key; a secret's, where it was asked for a token."""
    return [record for record in emulator.requests if record.status == 401]


def was_polled(emulator: Emulator, job_id: str) -> bool:
    """Whether a job was polled, alone or by a list."""
    return any(record.operation == "list" or job_id in record.path for record in emulator.requests)


Change = Callable[..., None]


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Change:
    """Change members of a vendor's connection, as a person does it in a vault."""

    def change_to(vendor: str, **members: Any) -> None:
        name = f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"
        monkeypatch.setenv(name, json.dumps({**json.loads(os.environ[name]), **members}))

    return change_to


def replace_key(emulator: Emulator, change: Change, vendor: str) -> None:
    """Replace the key at the vendor, which refuses the old one and its tokens from now on, and in the connection."""
    change(vendor, password=emulator.world.accounts.rotate(vendor))
    emulator.world.accounts.expire_tokens()


@pytest.mark.parametrize("vendor", VENDORS)
def test_waits_go_on_with_the_connections_new_key(
    connections: Emulator, change: Change, readings: list[str], vendor: str, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [connections.add_job(vendor, state="running") for _ in range(20)]

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs)
            await until(lambda: bool(connections.requests))
            replace_key(connections, change, vendor)
            await until(lambda: bool(refusals(connections)))
            refused = len(connections.requests)
            await until(lambda: len(connections.requests) > refused + 4)
            assert not any(wait.done() for wait in waits)
            for job in jobs:
                job.finish()
            return await asyncio.gather(*waits)

    with caplog.at_level(logging.DEBUG):
        events = asyncio.run(story())
    assert statuses(events) == {"ended"}
    assert [event["job_id"] for event in events] == [job.id for job in jobs]
    assert readings == [f"{vendor}_default"] * 2  # at the beginning, and once for all after the refusal
    assert not find_secrets(caplog.text + json.dumps(events))


def test_a_key_may_be_replaced_again_and_again(connections: Emulator, change: Change) -> None:
    job = connections.add_job("revenuebase", state="running")

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for([job])
            for times in range(1, 4):
                await until(lambda: connections.requests[-1:] != [] and connections.requests[-1].status == 200)
                replace_key(connections, change, "revenuebase")
                await until(lambda times=times: len(refusals(connections)) == times)  # type: ignore[misc]
            job.finish()
            return await asyncio.gather(*waits)

    assert statuses(asyncio.run(story())) == {"ended"}


def test_a_new_key_that_is_wrong_too_ends_the_waits(connections: Emulator, change: Change, readings: list[str]) -> None:
    """And one that is put back, refused before, is not tried again: that would never end."""
    jobs = [connections.add_job("revenuebase", state="running") for _ in range(3)]
    before, wrong = json.loads(os.environ["AIRFLOW_CONN_REVENUEBASE_DEFAULT"])["password"], "rb_" + "0" * 32

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for(jobs)
            await until(lambda: bool(connections.requests))
            connections.world.accounts.rotate("revenuebase")
            change("revenuebase", password=wrong)
            await until(lambda: len(readings) == 2)
            change("revenuebase", password=before)
            return await asyncio.gather(*waits)

    assert errors(asyncio.run(story())) == {AuthenticationError}
    assert len(readings) == 3
    assert [key for key, _ in groupby(record.headers["x-key"] for record in refusals(connections))] == [before, wrong]


@pytest.mark.parametrize("vendor", ["proofy", None])
def test_a_connection_that_is_another_vendors_by_now_is_not_gone_on_with(
    connections: Emulator, change: Change, vendor: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Its ids are others. Nor is one that cannot be read: that the key was refused is what there is to say."""
    job = connections.add_job("revenuebase", state="running")

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for([job])
            await until(lambda: bool(connections.requests))
            connections.world.accounts.rotate("revenuebase")
            change("revenuebase", conn_type=vendor)
            return await asyncio.gather(*waits)

    assert errors(asyncio.run(story())) == {AuthenticationError}
    assert not [record for record in connections.requests if record.vendor == "proofy"]
    assert ("Cannot read connection" in caplog.text) is (vendor is None)


def test_each_connection_of_an_account_goes_on_with_its_own_key(
    connections: Emulator, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [connections.add_job("apartmentiq", state="running") for _ in range(2)]
    monkeypatch.setenv("AIRFLOW_CONN_TWIN", os.environ["AIRFLOW_CONN_APARTMENTIQ_DEFAULT"])

    async def story() -> list[dict[str, Any]]:
        async with patience():
            kept = asyncio.create_task(payload_of(BatchJobTrigger("twin", jobs[0].id)))
            renewed = waits_for(jobs[1:])
            # Of both: in a list, or each alone where one connection was read much later than the other.
            await until(lambda: all(was_polled(connections, job.id) for job in jobs))
            replace_key(connections, change, "apartmentiq")
            refused = await kept
            jobs[1].finish()
            return [refused, *await asyncio.gather(*renewed)]

    assert [event["status"] for event in asyncio.run(story())] == ["error", "ended"]


def test_a_deadline_holds_while_the_connection_is_read_again(
    connections: Emulator, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = connections.add_job("revenuebase", state="running")
    read: list[str] = []

    async def for_ever(conn_id: str) -> None:
        read.append(conn_id)
        await asyncio.Event().wait()

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for([job], deadline=time.time() + PATIENCE / 2 - job_trigger.LAST_POLL_SECONDS)
            await until(lambda: any(record.status == 200 for record in connections.requests))
            monkeypatch.setattr(account_registry, "_read", for_ever)
            connections.world.accounts.rotate("revenuebase")
            await until(lambda: bool(read))
            loop = asyncio.get_running_loop()
            now = loop.time
            monkeypatch.setattr(loop, "time", lambda: now() + PATIENCE / 2)
            events = await asyncio.gather(*waits)
            reading = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for each in reading:
                each.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
            return events

    [event] = asyncio.run(story())
    assert event["status"] == "timeout"
    assert event["job"]["id"] == job.id  # as last seen


def test_a_connection_that_is_mended_after_a_refusal_serves_the_next_wait(
    connections: Emulator, change: Change
) -> None:
    job = connections.add_job("revenuebase", state="running")

    async def story() -> list[dict[str, Any]]:
        async with patience():
            waits = waits_for([job])
            await until(lambda: count(connections, "status") >= 1)
            key = connections.world.accounts.rotate("revenuebase")
            refused = await asyncio.gather(*waits)
            change("revenuebase", password=key)
            job.finish()
            return [*refused, *await asyncio.gather(*waits_for([job]))]

    assert [event["status"] for event in asyncio.run(story())] == ["error", "ended"]
