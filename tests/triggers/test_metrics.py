"""What the triggerer's shared loops tell Airflow's metrics: little, from another thread, and that much is true."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from datetime import timedelta
from typing import Any
from weakref import WeakSet

import pytest

from airflow_provider_batchdl._airflow import compat, metrics
from airflow_provider_batchdl.client import retry_events
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.triggers import poll_stats
from airflow_provider_batchdl.triggers.job import BatchJobTrigger
from airflow_provider_batchdl.triggers.poll_stats import PollStats
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import count
from tests.support.airflow_stats import Stats
from tests.triggers.waiting import PATIENCE, TOGETHER


@pytest.fixture(autouse=True)
def _accounts_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another test left waiting counts until it is collected, which may take any time."""
    monkeypatch.setattr(PollStats, "_all", WeakSet[PollStats]())


async def wait_for_all(triggers: list[BatchJobTrigger], emulator: Emulator, polls: int) -> list[Any]:
    """The events' payloads; all jobs end when there have been so many polls."""

    async def payload_of(trigger: BatchJobTrigger) -> Any:
        return (await anext(aiter(trigger.run()))).payload

    async with asyncio.timeout(PATIENCE):
        waits = [asyncio.create_task(payload_of(trigger)) for trigger in triggers]
        while count(emulator, "list") + count(emulator, "status") < polls:  # noqa: ASYNC110 it runs in another thread
            await asyncio.sleep(0.02)
        for job in [job for vendor in ("batchcom", "proofy") for job in emulator.jobs(vendor)]:
            job.finish()
        return await asyncio.gather(*waits)


@pytest.mark.parametrize(("vendor", "kind"), [("batchcom", "list"), ("proofy", "single")])
def test_polls_their_lag_and_the_ends_are_told(connections: Emulator, stats: Stats, vendor: str, kind: str) -> None:
    jobs = [connections.add_job(vendor, state="running") for _ in range(20)]
    triggers = [BatchJobTrigger(f"{vendor}_default", job.id, **TOGETHER) for job in jobs]
    began = time.monotonic()
    asyncio.run(wait_for_all(triggers, connections, polls=40 if kind == "single" else 3))
    lasted = timedelta(seconds=time.monotonic() - began)
    assert stats.counted("batchdl.polls", "vendor", "kind")[vendor, kind] >= 2
    assert sum(stats.counted("batchdl.polls", "kind").values()) == len(connections.requests)
    lags, unseen = stats.values("batchdl.poll.lag"), stats.values("batchdl.poll.unseen")
    assert len(lags) == len(connections.requests)
    assert all(timedelta() <= lag < lasted for lag in lags)
    assert len(unseen) == len(jobs)  # each was seen before it ended
    assert all(timedelta() < seconds < lasted for seconds in unseen)


def test_an_end_that_was_not_waited_for_tells_nothing_of_the_lag(connections: Emulator, stats: Stats) -> None:
    """A job seen for the first time has ended nobody knows when: a triggerer may have been down."""
    job = connections.add_job("proofy")
    asyncio.run(wait_for_all([BatchJobTrigger("proofy_default", job.id)], connections, polls=0))
    assert stats.values("batchdl.poll.unseen") == []
    assert len(stats.values("batchdl.poll.lag")) == 1


def test_the_event_loops_own_thread_sends_nothing(connections: Emulator, stats: Stats, polls: Polls) -> None:
    """To find a StatsD host's address may take seconds, and every trigger would stand still."""
    connections.add_fault(Fault("status", vendor="proofy", operation="status", status=503, times=2))
    job = connections.add_job("proofy", state="running")
    asyncio.run(wait_for_all([BatchJobTrigger("proofy_default", job.id)], connections, polls=4))
    assert stats.counted("batchdl.retries", "operation", "reason") == {("status", "server_error"): 2}
    assert {"batchdl.polls", "batchdl.waits"} <= {stat for stat, _, _ in stats.seen}
    assert threading.main_thread() not in stats.threads


def test_the_gauge_tells_who_waits_and_ends_at_none(connections: Emulator, stats: Stats) -> None:
    jobs = [connections.add_job("proofy", state="running") for _ in range(5)]
    triggers = [BatchJobTrigger("proofy_default", job.id) for job in jobs]
    asyncio.run(wait_for_all(triggers, connections, polls=5))
    told = stats.values("batchdl.waits")
    assert told[0] == 5
    assert told[-1] == 0
    [tags] = {tuple(sorted(tags)) for stat, _, tags in stats.seen if stat == "batchdl.waits"}
    assert tags == ("hostname", "vendor")


def test_what_is_told_later_arrives_later(stats: Stats, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first use of a backend takes long, and a gauge keeps what came last: nobody waits."""
    backend, uses = compat.stats_client(), itertools.count()

    def slow_at_first() -> Any:
        if next(uses) == 0:
            time.sleep(0.3)
        return backend

    async def tell() -> None:
        for waiting in (1, 0):
            metrics.count_shared_polls("proofy", polls={}, lags=[], unseen=[], waiting=waiting)

    monkeypatch.setattr(metrics, "stats_client", slow_at_first)
    asyncio.run(tell())
    assert stats.values("batchdl.waits") == [1, 0]


class TestTally:
    """Counts without a loop."""

    def test_reports_are_far_between(self, stats: Stats) -> None:
        counts = PollStats("proofy")
        for second in range(40):
            counts.record_poll("single", 0.5)
            counts.report(7, float(second))
        assert len(stats.values("batchdl.waits")) == 40 / poll_stats.INTERVAL
        assert stats.counted("batchdl.polls", "kind") == {"single": 31}
        counts.report(0, 40.0, last=True)
        assert stats.counted("batchdl.polls", "kind") == {"single": 40}
        assert len(stats.values("batchdl.poll.lag")) == 40

    def test_two_accounts_of_a_vendor_are_one_gauge(self, stats: Stats) -> None:
        one, other, stranger = PollStats("proofy"), PollStats("proofy"), PollStats("batchcom")
        stranger.report(100, 0.0)
        one.report(3, 0.0)
        other.report(4, 0.0)
        assert stats.values("batchdl.waits") == [100, 3, 7]

    def test_thousands_of_ends_at_once_are_sampled(self, stats: Stats) -> None:
        counts = PollStats("proofy")
        for _ in range(10_000):
            counts.record_end(1.0)
        counts.report(0, 0.0)
        assert len(stats.values("batchdl.poll.unseen")) == poll_stats.MOST


def test_listeners_are_told_once_however_many_connections_there_are(connections: Emulator) -> None:
    from airflow_provider_batchdl.hooks.base import BatchApiHook

    for _ in range(3):
        assert BatchApiHook("proofy_default").vendor.name == "proofy"
    assert len(retry_events.on_retry) == len(set(retry_events.on_retry))
