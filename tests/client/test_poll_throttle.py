"""One account's polls are spread evenly, and no window ever holds more than its limit."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.client import AsyncBatchClient, throttle
from airflow_provider_batchdl.client.throttle import KEPT_BACK, SHARE, PollQueue, Priority, Throttle
from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import RateLimitedError
from airflow_provider_batchdl.triggers.requests import PollRequests
from airflow_provider_batchdl.vendors.base import RateLimit
from airflow_provider_batchdl.vendors.revenuebase import Revenuebase
from tests.client.helpers import vendor_of

limits = st.lists(st.builds(RateLimit, st.integers(1, 200), st.floats(0.5, 600)), min_size=1, max_size=3)


def times(throttle: Throttle, idle: list[float], priorities: list[Priority] | None = None) -> list[float]:
    """When requests go that come as soon as they may, each after an idle time."""
    now, sent = 1000.0, []
    for number, pause in enumerate(idle):
        now += pause
        now += throttle.wait(now, Priority.POLL if priorities is None else priorities[number])
        throttle.spend(now)
        sent.append(now)
    return sent


@given(limits, st.lists(st.tuples(st.floats(0, 30), st.sampled_from(Priority)), min_size=1, max_size=120))
def test_no_window_holds_more_than_the_limit(rates: list[RateLimit], asked: list[tuple[float, Priority]]) -> None:
    sent = times(Throttle(rates), [pause for pause, _ in asked], [priority for _, priority in asked])
    for limit in rates:
        for first, beyond in zip(sent, sent[limit.requests :], strict=False):
            assert beyond - first >= limit.seconds * (1 - 1e-9)


@given(st.builds(RateLimit, st.integers(1, 200), st.floats(0.5, 600)))
def test_whoever_always_asks_gets_most_of_the_limit_evenly(limit: RateLimit) -> None:
    sent = times(Throttle([limit]), [0.0] * 400)
    every = limit.seconds / limit.requests / SHARE
    assert sent[-1] - sent[0] <= 400 * every
    late = [later - earlier for earlier, later in pairwise(sent[200:])]
    assert max(late) == pytest.approx(min(late), rel=1e-3)


@pytest.mark.parametrize("requests", [60, 25])
def test_an_urgent_request_goes_at_once_however_busy_the_account_is_and_routine_pays_for_it(requests: int) -> None:
    throttle, every = Throttle([RateLimit(requests, 60.0)]), 60.0 / requests / SHARE
    now = times(throttle, [0.0] * 400)[-1]
    spare = min(KEPT_BACK, int(requests * (1 - SHARE)) - 1)
    for _ in range(spare):
        assert throttle.wait(now, Priority.URGENT_POLL) == 0.0
        throttle.spend(now)
    assert throttle.wait(now, Priority.URGENT_POLL) == pytest.approx(every)
    assert throttle.wait(now, Priority.POLL) == pytest.approx(every * (1 + spare))


class Turns:
    """A clock that each turn of the event loop moves by a millisecond, however long a busy machine takes for it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:  # noqa: ASYNC110  turns are what is waited for
            await asyncio.sleep(0)

    async def run(self) -> None:
        while True:
            self.now += 0.001
            await asyncio.sleep(0)


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    turns = Turns()
    monkeypatch.setattr(throttle, "time", turns)
    monkeypatch.setattr(throttle, "asyncio", SimpleNamespace(sleep=turns.sleep, Lock=asyncio.Lock, Event=asyncio.Event))
    return turns


def test_turns_are_taken_in_the_order_of_arrival_and_the_urgent_go_first(turns: Turns) -> None:
    went: list[str] = []

    async def take(queue: PollQueue, name: str, *, urgent: bool = False) -> None:
        async with queue.turn(urgent=urgent):
            went.append(name)

    async def take_them() -> None:
        queue, running = PollQueue(Throttle([RateLimit(30, 6.0)])), asyncio.create_task(turns.run())
        async with queue.turn():
            pass
        async with asyncio.TaskGroup() as group:
            for name in "abcd":
                group.create_task(take(queue, name))
            group.create_task(take(queue, "urgent", urgent=True))
        running.cancel()

    asyncio.run(take_them())
    assert went == ["urgent", "a", "b", "c", "d"]


def test_a_slow_poll_after_a_hold_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is slow about its own job."""
    monkeypatch.setattr(throttle, "TEST_SECONDS", 0.01)

    async def others_go() -> None:
        queue, over = PollQueue(account := Throttle([])), asyncio.Event()
        account.holds += 1

        async def slow() -> None:
            async with queue.turn():
                await over.wait()

        first = asyncio.create_task(slow())
        await asyncio.sleep(0)
        async with asyncio.timeout(60), queue.turn():
            assert not first.done()
        async with asyncio.timeout(60), queue.turn(), queue.turn():
            over.set()
        await first

    asyncio.run(others_go())


def test_a_poll_that_is_given_up_does_not_go_when_the_first_after_a_hold_succeeds() -> None:
    """Both in one turn of the loop: `asyncio.wait_for` lost the cancellation (cpython#86296)."""

    went: list[str] = []

    async def others_end() -> None:
        queue, begun = PollQueue(account := Throttle([])), asyncio.Event()
        account.holds += 1

        async def waits() -> None:
            async with queue.turn():
                went.append("second")

        async def succeeds() -> None:
            async with queue.turn():
                await begun.wait()
            second.cancel()

        first = asyncio.create_task(succeeds())
        await asyncio.sleep(0)
        second = asyncio.create_task(waits())
        for _ in range(3):  # until it waits for the first one
            await asyncio.sleep(0)
        begun.set()
        await asyncio.wait([first, second])
        assert second.cancelled()

    asyncio.run(others_end())
    assert went == []


def test_where_there_is_no_limit_nothing_waits() -> None:
    assert Throttle([]).wait(3.0, Priority.POLL) == 0.0


def test_a_days_limit_is_kept_too() -> None:
    """10,000 requests a day: at the 60 a minute that are also allowed they would be gone before three hours."""
    throttle = Throttle(Revenuebase.rate_limits)
    assert len([at for at in times(throttle, [0.0] * 12_000) if at < 1000.0 + 86_400]) <= 10_000


def test_calls_may_use_all_of_the_limit_at_once_and_polls_pay_for_it() -> None:
    """A burst of submits waits for nothing that polls leave; polls go on within a window, at their even pace."""
    throttle, now = Throttle([RateLimit(60, 60.0)]), 1000.0
    for _ in range(60):
        assert throttle.wait(now) == 0.0
        throttle.spend(now)
    assert throttle.wait(now) == pytest.approx(60.0)
    assert 60.0 <= throttle.wait(now, Priority.URGENT_POLL) <= throttle.wait(now, Priority.POLL) <= 60.0 / SHARE


def test_calls_and_polls_together_use_what_polls_alone_would() -> None:
    """A call's request is charged to the polls once, not twice."""
    throttle, now, sent = Throttle([RateLimit(60, 60.0)]), 1000.0, 0
    while now < 4600.0:
        priority = Priority.CALL if sent % 10 == 0 else Priority.POLL
        now += throttle.wait(now, priority)
        throttle.spend(now)
        sent += 1
    assert sent >= 3600 * SHARE


def test_a_poll_passes_the_throttle_once(emulator: Emulator) -> None:
    vendor = vendor_of(emulator, "proofy", extra={"rate_limit": "3/3600"})
    job = emulator.add_job("proofy")

    async def main() -> None:
        requests = PollRequests(vendor, lambda kind, due, now: None)
        async with AsyncBatchClient(vendor) as client:
            await requests.ask(client, vendor.get_job(job.id))
            for _ in range(2):
                await client.run(vendor.get_job(job.id))
            with pytest.raises(RateLimitedError):
                await client.run(vendor.get_job(job.id))

    asyncio.run(main())
    assert len(emulator.requests) == 3
