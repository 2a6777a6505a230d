"""An event for every job that newly succeeds, whoever submitted it, and across restarts."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from airflow.sdk import Asset

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.triggers import completed
from airflow_provider_batchdl.triggers.completed import CompletedJobsTrigger
from airflow_provider_batchdl.vendors.base import Flow, immediate
from airflow_provider_batchdl.vendors.batchcom import BatchCom
from airflow_provider_batchdl.vendors.listing import JobPage, ListedJob
from tests.support.airflow_features import needs_asset_state_store, needs_shared_streams
from tests.support.airflow_jobs import count
from tests.support.leaks import find_secrets
from tests.triggers.waiting import PATIENCE, until

SHARED = ["batchcom", "apartmentiq", "revenuebase"]


class Store:
    """An asset's state store, which outlives triggers."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.writes = 0

    async def aget(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)
        self.writes += 1


class Watcher:
    """A trigger that runs, and its events so far."""

    def __init__(self, trigger: CompletedJobsTrigger) -> None:
        self.events: list[dict[str, Any]] = []
        self._trigger = trigger

    async def watch(self) -> None:
        async with aclosing(self._trigger.run()) as events:  # type: ignore[type-var]
            async for event in events:
                self.events.append(event.payload)

    @property
    def ids(self) -> list[str]:
        return [event["job_id"] for event in self.events]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completed, "HANDOVER_SECONDS", 0.0)
    monkeypatch.setattr(completed, "FAILURE_DELAY", 0.05)


def trigger_for(vendor: str, store: Store | None = None, **more: Any) -> CompletedJobsTrigger:
    trigger = CompletedJobsTrigger(f"{vendor}_default", **{"poll_interval": 0.05, **more})
    trigger.asset_state_store = store  # type: ignore[assignment]
    return trigger


@asynccontextmanager
async def watching(trigger: CompletedJobsTrigger) -> AsyncIterator[Watcher]:
    watcher = Watcher(trigger)
    task = asyncio.create_task(watcher.watch())
    try:
        async with asyncio.timeout(PATIENCE):
            yield watcher
    finally:
        task.cancel()
        await asyncio.wait([task])


async def polls(connections: Emulator, more: int = 2) -> None:
    """Wait for some more polls of the list."""
    before = count(connections, "list")
    await until(lambda: count(connections, "list") >= before + more)


@pytest.mark.parametrize("vendor", SHARED)
def test_each_job_that_succeeds_is_told_once(connections: Emulator, vendor: str) -> None:
    old = connections.add_job(vendor)
    running, failing = [connections.add_job(vendor, state="running") for _ in range(2)]

    async def story() -> Watcher:
        async with watching(trigger_for(vendor, Store())) as watcher:
            await polls(connections)
            running.finish()
            failing.fail()
            await until(lambda: len(watcher.events) == 1)
            by_hand = connections.add_job(vendor, state="running")  # in the vendor's dashboard
            await polls(connections)
            by_hand.finish()
            await until(lambda: len(watcher.events) == 2)
            await polls(connections, 4)
            assert watcher.ids == [running.id, by_hand.id]
            return watcher

    watcher = asyncio.run(story())
    assert watcher.events[0] == {"vendor": vendor, "job_id": running.id, "state": "succeeded"}
    assert old.id not in watcher.ids
    text = json.dumps(watcher.events)
    assert "http" not in text
    assert not find_secrets(text)


@pytest.mark.parametrize("vendor", SHARED)
def test_what_succeeds_while_the_triggerer_is_down_is_told_after(connections: Emulator, vendor: str) -> None:
    store = Store()
    jobs = [connections.add_job(vendor, state="running") for _ in range(5)]

    async def story() -> list[str]:
        told: list[str] = []
        for stop in (0, 2, 5):
            for job in jobs[:stop]:
                job.finish()
            async with watching(trigger_for(vendor, store)) as watcher:
                while len(told) + len(watcher.events) < stop:
                    await polls(connections, 1)
                await polls(connections, 3)
                told += watcher.ids
        return told

    assert sorted(asyncio.run(story())) == sorted(job.id for job in jobs)


def test_a_record_is_written_only_when_something_changed(connections: Emulator) -> None:
    store = Store()
    connections.add_job("batchcom", state="running")

    async def story() -> None:
        async with watching(trigger_for("batchcom", store)):
            await polls(connections, 6)

    asyncio.run(story())
    assert store.writes == 1
    assert not find_secrets(json.dumps(store.values))


@needs_shared_streams
def test_watchers_share_the_polls_and_each_has_its_own_memory(connections: Emulator) -> None:
    from airflow.triggers.shared_stream import SharedStreamManager

    manager = SharedStreamManager()
    job = connections.add_job("apartmentiq", state="running")
    triggers = [trigger_for("apartmentiq", Store(), name=name) for name in ("first", "second")]
    told: list[list[str]] = [[], []]

    async def watch(number: int, trigger: CompletedJobsTrigger) -> None:
        key = trigger.shared_stream_key()
        stream = manager.subscribe(trigger_id=number, trigger=trigger, key=key)
        async for event in trigger.filter_shared_stream(stream):
            told[number].append(event.payload["job_id"])

    async def story() -> None:
        tasks = [asyncio.create_task(watch(number, trigger)) for number, trigger in enumerate(triggers)]
        async with asyncio.timeout(PATIENCE):
            await polls(connections)
            assert len(manager._groups) == 1
            job.finish()
            await until(lambda: all(told))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await manager.stop_all()

    asyncio.run(story())
    assert told == [[job.id], [job.id]]
    assert triggers[0]._key != triggers[1]._key


@pytest.mark.parametrize("status", [503, 401])
def test_trouble_is_logged_and_outlived(
    connections: Emulator, caplog: pytest.LogCaptureFixture, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_batchdl.client import policy

    monkeypatch.setattr(policy, "BACKOFF_CAP", 0.0)
    job = connections.add_job("apartmentiq", state="running")

    async def story() -> list[str]:
        async with watching(trigger_for("apartmentiq", Store())) as watcher:
            await polls(connections)
            connections.add_fault(Fault("status", operation="list", status=status, times=40))
            await polls(connections, 41)
            job.finish()
            await until(lambda: bool(watcher.events))
            return watcher.ids

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(story()) == [job.id]
    assert "Listing the jobs of connection" in caplog.text


@pytest.mark.parametrize("vendor", SHARED)
def test_a_key_that_is_replaced_is_gone_on_with(
    connections: Emulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, vendor: str
) -> None:
    monkeypatch.setattr(completed, "FAILURE_DELAY", 3600.0)
    jobs = [connections.add_job(vendor, state="running") for _ in range(2)]
    name = f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"

    async def story() -> list[str]:
        async with watching(trigger_for(vendor, Store())) as watcher:
            await polls(connections)
            key = connections.world.accounts.rotate(vendor)
            connections.world.accounts.expire_tokens()
            monkeypatch.setenv(name, json.dumps({**json.loads(os.environ[name]), "password": key}))
            for number, job in enumerate(jobs, start=1):
                job.finish()
                await until(lambda number=number: len(watcher.events) == number)  # type: ignore[misc]
            return watcher.ids

    with caplog.at_level(logging.INFO):
        assert asyncio.run(story()) == [job.id for job in jobs]
    assert len([line for line in caplog.messages if "now has new ones, retrying with them" in line]) == 1
    # Of our own: Airflow says once in a process that it does not mask an extra as short as "v2".
    ours = [record for record in caplog.records if record.name.startswith("airflow_provider_batchdl")]
    assert not [record for record in ours if record.levelno > logging.INFO]
    assert not find_secrets(caplog.text)


def test_a_vendor_without_a_list_says_so(connections: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with watching(trigger_for("proofy", Store())):
            await until(lambda: "cannot list jobs" in caplog.text)

    with caplog.at_level(logging.WARNING):
        asyncio.run(story())
    assert not connections.requests


def test_a_connection_that_is_not_there_yet_is_waited_for(
    connections: Emulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = os.environ["AIRFLOW_CONN_BATCHCOM_DEFAULT"]
    monkeypatch.delenv("AIRFLOW_CONN_BATCHCOM_DEFAULT")

    async def story() -> None:
        async with watching(trigger_for("batchcom", Store())):
            await until(lambda: "does not find the connection" in caplog.text)
            monkeypatch.setenv("AIRFLOW_CONN_BATCHCOM_DEFAULT", described)
            await polls(connections)

    with caplog.at_level(logging.WARNING):
        asyncio.run(story())


def test_without_a_store_it_works_and_says_once_what_is_weaker(
    connections: Emulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completed, "_without_store_logged", set[str]())
    job = connections.add_job("batchcom", state="running")

    async def story() -> list[str]:
        async with watching(trigger_for("batchcom")) as watcher:
            await polls(connections)
            job.finish()
            await until(lambda: bool(watcher.events))
            return watcher.ids

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(story()) == [job.id]
    assert len([line for line in caplog.messages if "asset_state_store" in line]) == 1


@needs_asset_state_store
def test_several_assets_on_one_trigger_are_refused(connections: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    from airflow.sdk.execution_time.context import AssetStateStoreAccessors

    trigger = trigger_for("batchcom")
    trigger.asset_state_store = AssetStateStoreAccessors(inlets=[Asset(name="a"), Asset(name="b")])

    async def story() -> None:
        async with watching(trigger):
            await until(lambda: "name of its own" in caplog.text)

    asyncio.run(story())


def test_its_arguments_survive_being_stored() -> None:
    path, kwargs = CompletedJobsTrigger("c", 30.0, "n").serialize()
    assert path == f"{CompletedJobsTrigger.__module__}.{CompletedJobsTrigger.__qualname__}"
    assert CompletedJobsTrigger(**json.loads(json.dumps(kwargs))).serialize() == (path, kwargs)


def test_a_dag_file_with_a_watcher_loads_no_client() -> None:
    probe = (
        "import sys\n"
        "from airflow_provider_batchdl.triggers.completed import CompletedJobsTrigger\n"
        "print([name for name in sys.modules if name.startswith('airflow_provider_batchdl.client')])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", probe], capture_output=True, text=True, timeout=240, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


ODD_DATES = ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "2100-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"]


@pytest.mark.parametrize(
    ("dated", "vendor"), [*zip([*ODD_DATES, "1999-01-01", "soon"], ["batchcom", "apartmentiq"] * 3, strict=True)]
)
def test_a_job_with_an_odd_date_hides_no_other(connections: Emulator, vendor: str, dated: str) -> None:
    connections.add_job(vendor).dated = dated
    store = Store()

    async def story() -> list[str]:
        told: list[str] = []
        for _ in range(2):  # a triggerer that is started again
            async with watching(trigger_for(vendor, store)) as watcher:
                await polls(connections)
                later = connections.add_job(vendor)
                await until(lambda: bool(watcher.events))
                await polls(connections)
                assert watcher.ids == [later.id]
                told += watcher.ids
        return told

    assert len(set(asyncio.run(story()))) == 2


def test_one_odd_date_does_not_end_the_list_early(connections: Emulator) -> None:
    connections.add_job("apartmentiq", state="running")
    first = connections.jobs("apartmentiq")[0]
    for _ in range(150):
        connections.add_job("apartmentiq", ResultSpec(bytes=1000))
    connections.jobs("apartmentiq")[-1].dated = "2001-01-01T00:00:00Z"

    async def story() -> None:
        async with watching(trigger_for("apartmentiq", Store())) as watcher:
            await polls(connections, 4)
            first.finish()  # on the second page
            await until(lambda: watcher.ids == [first.id])

    asyncio.run(story())


def test_a_list_without_an_end_is_read_to_a_limit(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose pages show the same jobs under ever new cursors, and one that goes on with other jobs."""
    monkeypatch.setattr(completed, "MOST_PAGES", 20)
    job = connections.add_job("batchcom", state="running")
    numbers, begun = iter(range(10**6)), 0

    def page(cursor: str | None, *, same: bool) -> JobPage:
        nonlocal begun
        begun += cursor is None
        name = "same" if same else f"job {next(numbers)}"
        shown = ListedJob(Job(name, JobState.RUNNING, "RUNNING"))
        mine = ListedJob(Job(job.id, JobState.SUCCEEDED if job.phase.is_terminal else JobState.RUNNING, "SUCCESS"))
        return JobPage((shown, mine), f"cursor {next(numbers)}")

    for same in (True, False):

        async def story(same: bool = same) -> None:
            monkeypatch.setattr(BatchCom, "list_page", lambda _, cursor=None: immediate(page(cursor, same=same)))
            async with watching(trigger_for("batchcom", Store())) as watcher:
                first = begun
                await until(lambda: begun > first + 1)  # one has ended, which has seen the job run
                job.finish()
                await until(lambda: watcher.ids == [job.id])
            job.hold("RUNNING")

        asyncio.run(story())


def test_an_empty_page_that_another_follows_does_not_end_the_list(
    connections: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """APIs that filter after they cut pages have such."""
    job, asked = connections.add_job("batchcom", state="running"), 0

    def page(cursor: str | None) -> JobPage:
        nonlocal asked
        asked += 1
        if cursor is None:
            return JobPage((), "second")
        state = JobState.SUCCEEDED if job.phase.is_terminal else JobState.RUNNING
        return JobPage((ListedJob(Job(job.id, state, "SUCCESS")),))

    async def story() -> None:
        monkeypatch.setattr(BatchCom, "list_page", lambda _, cursor=None: immediate(page(cursor)))
        async with watching(trigger_for("batchcom", Store())) as watcher:
            await until(lambda: asked > 4)
            job.finish()
            await until(lambda: watcher.ids == [job.id])

    asyncio.run(story())


def test_what_nobody_foresaw_ends_no_watcher(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    job = connections.add_job("batchcom", state="running")
    real, broken = BatchCom.list_page, iter([True, True, True])

    def page(vendor: BatchCom, cursor: str | None = None) -> Flow[JobPage]:
        if next(broken, False):
            raise ZeroDivisionError
        return real(vendor, cursor)

    async def story() -> None:
        async with watching(trigger_for("batchcom", Store())) as watcher:
            await polls(connections)
            monkeypatch.setattr(BatchCom, "list_page", page)
            job.finish()
            await until(lambda: watcher.ids == [job.id])

    asyncio.run(story())
