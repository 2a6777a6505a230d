"""One budget for each account in a process, for threads and event loops alike."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_batchdl.client import AsyncBatchClient, BatchClient, sync, throttle
from airflow_provider_batchdl.client.conversation import finished
from airflow_provider_batchdl.client.throttle import Priority, Throttle, throttle_for
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import InvalidConnectionError, RateLimitedError
from airflow_provider_batchdl.vendors.base import RateLimit
from tests.client.helpers import VENDORS, vendor_at, vendor_of

REAL_HOLD = Throttle.hold


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(Throttle, "hold", REAL_HOLD)
    monkeypatch.setattr(throttle, "time", SimpleNamespace(monotonic=clock.monotonic))
    monkeypatch.setattr(sync, "time", SimpleNamespace(sleep=clock.sleep))
    return clock  # type: ignore[return-value]


def acquire(account: Throttle, sleep: Callable[[float], None]) -> None:
    async def blocking(seconds: float) -> None:
        sleep(seconds)

    finished(account.acquire(blocking))


@pytest.mark.parametrize(("requests", "seconds"), [(1, 1.0), (3, 10.0), (60, 60.0), (5, 0.5)])
def test_never_more_than_the_limit_in_any_window(clock: Clock, requests: int, seconds: float) -> None:
    account, moments = Throttle([RateLimit(requests, seconds)], "v"), []
    for _ in range(requests * 4):
        acquire(account, clock.sleep)
        moments.append(clock.now)
    for first, after in zip(moments, moments[requests:], strict=False):
        assert after - first >= seconds - 0.002
    # Nor is it slower than it must be.
    assert moments[-1] - moments[0] <= seconds * 3 + 0.1


@pytest.mark.parametrize("limits", [((2, 1.0), (4, 60.0)), ((4, 60.0), (2, 1.0))])
def test_several_limits_hold_at_once(clock: Clock, limits: Any) -> None:
    account, began = Throttle([RateLimit(*each) for each in limits], "v"), clock.now
    for _ in range(5):
        acquire(account, clock.sleep)
    assert clock.now - began >= 59.9


@pytest.mark.parametrize("seconds", [121.0, 300.0, 3600.0])
def test_a_long_wait_is_refused_at_once(clock: Clock, seconds: float) -> None:
    account = Throttle([RateLimit(1, seconds)], "v")
    acquire(account, clock.sleep)
    with pytest.raises(RateLimitedError, match=f"another {seconds:.0f} s") as caught:
        acquire(account, clock.sleep)
    assert caught.value.retry_after == pytest.approx(seconds, abs=0.1)
    assert caught.value.vendor == "v"
    assert clock.slept == []


def test_a_hold_of_the_vendors_concerns_everybody(clock: Clock) -> None:
    account, began = Throttle([RateLimit(100, 1.0)], "v"), clock.now
    account.hold(30)
    account.hold(5)  # a shorter one does not end a longer one
    acquire(account, clock.sleep)
    assert clock.now - began == pytest.approx(30)
    account.hold(121)
    with pytest.raises(RateLimitedError):
        acquire(account, clock.sleep)


def test_a_hold_stops_polls_as_well(clock: Clock) -> None:
    account = Throttle([RateLimit(1000, 1.0)])
    account.hold(50.0)
    account.hold(20.0)
    for priority in Priority:
        assert account.take(priority) == pytest.approx(50.0)
    assert account.held_for() == pytest.approx(50.0)
    clock.now += 50.0
    assert [account.take(priority) for priority in Priority] == [0.0] * 3
    assert account.held_for() == 0.0


def test_a_hold_that_grows_in_the_meantime_is_kept(clock: Clock) -> None:
    account, began = Throttle([RateLimit(100, 1.0)], "v"), clock.now
    account.hold(10)

    def sleep(seconds: float) -> None:
        if not clock.slept:
            account.hold(25)  # somebody else was turned away while this one slept
        clock.sleep(seconds)

    acquire(account, sleep)
    assert clock.now - began == pytest.approx(25)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ratelimit-reset": "99999999999"},
        {"retry-after": "31536000"},
        {"retry-after": "999999999999"},
        {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "999999999999"},
        {"retry-after": "86400"},  # it may be true, so whoever was told so waits; the account asks again after an hour
    ],
)
@pytest.mark.parametrize("status", [429, 200])
def test_nothing_that_one_answer_asks_stops_the_account(clock: Clock, status: int, headers: dict[str, str]) -> None:
    account, began = Throttle([RateLimit(1, 1.0)], "v"), clock.now
    for _ in range(100):
        account.note(status, headers)
    clock.now += throttle.MAX_HOLD
    acquire(account, clock.sleep)
    assert clock.now - began <= 3601


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "20"}, 20),
        (200, {"x-ratelimit-remaining": " 0 ", "retry-after": "20"}, 20),
        (200, {"x-ratelimit-remaining": "9,0", "retry-after": "20,5"}, 20),
        (200, {"x-ratelimit-remaining": "1", "x-ratelimit-reset-after": "20"}, 0),
        (200, {"x-ratelimit-reset-after": "20"}, 0),
        (200, {"x-ratelimit-remaining": "0"}, 0),
        (429, {"retry-after": "20"}, 20),
        (429, {}, 0),
        (503, {"retry-after": "20"}, 0),
    ],
)
def test_what_headers_teach(clock: Clock, status: int, headers: dict[str, str], wait: float) -> None:
    account, began = Throttle([RateLimit(100, 1.0)], "v"), clock.now
    account.note(status, headers)
    acquire(account, clock.sleep)
    assert clock.now - began == pytest.approx(wait)


@pytest.mark.parametrize("name", [name for name in VENDORS if name != "batchcom"])
def test_clients_of_one_account_share_it_and_others_do_not(name: str) -> None:
    one = throttle_for(vendor_at("https://h.example", name))
    assert throttle_for(vendor_at("https://h.example", name)) is one
    for changes in ({"secret": "another_secret_01"}, {"login": "other"}):
        assert throttle_for(vendor_at("https://h.example", name, **changes)) is not one
    assert throttle_for(vendor_at("https://other.example", name)) is not one
    others = [throttle_for(vendor_at("https://h.example", other)) for other in VENDORS if other != name]
    assert one not in others


def test_batchcoms_limit_is_each_projects() -> None:
    """Whichever REST key asks: a key of its own for each team gives none of them more."""
    at = partial(vendor_at, "https://h.example", "batchcom")
    one = throttle_for(at(extra={"project_key": "project_one"}))
    assert throttle_for(at(extra={"project_key": "project_one", "poll_interval": 5})) is one
    assert throttle_for(at(extra={"project_key": "project_one"}, secret="another_secret_01")) is one
    assert throttle_for(at(extra={"project_key": "project_two"})) is not one
    assert throttle_for(vendor_at("https://other.example", "batchcom", extra={"project_key": "project_one"})) is not one
    assert throttle_for(vendor_at("https://h.example", "proofy", secret="project_one")) is not one
    assert "project_one" not in at(extra={"project_key": "project_one"}).rate_limit_scope


def test_the_clients_use_it(emulator: Emulator) -> None:
    """A third request in the hour is refused, whichever client asks."""
    vendor = vendor_of(emulator, "proofy", extra={"rate_limit": "2/3600"})
    with BatchClient(vendor) as client:
        client.run(vendor.get_balance())

    async def main() -> None:
        async with AsyncBatchClient(vendor) as aclient:
            await aclient.run(vendor.get_balance())
            with pytest.raises(RateLimitedError):
                await aclient.run(vendor.get_balance())

    asyncio.run(main())
    with BatchClient(vendor) as client, pytest.raises(RateLimitedError):
        client.run(vendor.get_balance())
    assert len(emulator.requests) == 2


def test_a_429_makes_the_other_client_wait(emulator: Emulator, clock: Clock) -> None:
    emulator.add_fault(Fault("status", vendor="proofy", status=429, retry_after=40))
    vendor = vendor_of(emulator, "proofy")
    began = clock.now
    with BatchClient(vendor) as one, BatchClient(vendor_of(emulator, "proofy")) as two:
        one.run(vendor.get_balance())
        assert clock.now - began == pytest.approx(40)
        two.run(vendor.get_balance())
    assert clock.now - began == pytest.approx(40)


def test_retries_count_too(emulator: Emulator) -> None:
    emulator.add_fault(Fault("status", vendor="proofy", status=500, times=9))
    vendor = vendor_of(emulator, "proofy", extra={"rate_limit": "2/3600"})
    with BatchClient(vendor) as client, pytest.raises(RateLimitedError):
        client.run(vendor.get_balance())
    assert len(emulator.requests) == 2


@pytest.mark.parametrize(
    ("text", "requests", "seconds"),
    [("60/60", 60, 60.0), ("5/1", 5, 1.0), (" 5 / 0.5 ", 5, 0.5)],
)
def test_the_extra_rate_limit(text: Any, requests: int, seconds: float) -> None:
    account = throttle_for(vendor_at("https://h.example", "proofy", extra={"rate_limit": text}))
    assert account.limits == (RateLimit(requests, seconds),)


@pytest.mark.parametrize(
    "text",
    ["fast", "0/1", "-1/1", "1/0", "1/-1", "1/nan", "1/inf", "1/2/3", "1.5/1", "/60", "1/0.00001", "1/1e9", {},
     "60", "60/", 60, True, [60, 60]],
)  # fmt: skip
def test_an_extra_that_is_no_rate_limit(text: Any) -> None:
    """A number alone does not say in how many seconds."""
    with pytest.raises(InvalidConnectionError, match='"requests/seconds"'):
        vendor_at("https://h.example", "proofy", extra={"rate_limit": text})


def test_without_the_extra_the_vendors_own_limits_hold() -> None:
    for name in VENDORS:
        vendor = vendor_at("https://h.example", name, extra={"rate_limit": ""})
        assert throttle_for(vendor).limits == vendor.rate_limits


def test_a_waiting_thread_does_not_stop_the_event_loop(clock: Clock) -> None:
    account = Throttle([RateLimit(1, 0.5)], "v")
    acquire(account, clock.sleep)
    order: list[str] = []
    waits, may_end = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        waits.set()
        assert may_end.wait(30)
        clock.sleep(seconds)

    def wait() -> None:
        acquire(account, sleep)
        order.append("thread")

    async def main() -> None:
        thread = threading.Thread(target=wait)
        thread.start()
        assert await asyncio.to_thread(waits.wait, 30)
        await account.acquire(clock.asleep)
        order.append("loop")
        may_end.set()
        await asyncio.to_thread(thread.join, 30)

    asyncio.run(main())
    assert order == ["loop", "thread"]


def test_many_threads_and_coroutines_keep_the_limit() -> None:
    account, moments, lock = Throttle([RateLimit(10, 0.2)], "v"), [time.monotonic()], threading.Lock()

    def note() -> None:
        with lock:
            moments.append(time.monotonic())

    def thread() -> None:
        for _ in range(5):
            acquire(account, time.sleep)
            note()

    async def main() -> None:
        async def coroutine() -> None:
            await account.acquire(asyncio.sleep)
            note()

        threads = [threading.Thread(target=thread) for _ in range(4)]
        for each in threads:
            each.start()
        await asyncio.gather(*(coroutine() for _ in range(20)))
        for each in threads:
            await asyncio.to_thread(each.join, 30)

    asyncio.run(main())
    assert len(moments) == 1 + 40
    # Forty in windows of ten cannot take less than three windows; there is no upper bound on a busy machine.
    assert max(moments) - min(moments) >= 0.5
