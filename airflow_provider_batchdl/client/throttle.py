"""Throttle of one account: keeps its rate limits for every request of the process, sync and async alike."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from http import HTTPStatus
from threading import Lock

from airflow_provider_batchdl.exceptions import RateLimitedError
from airflow_provider_batchdl.vendors.base import RateLimit, Vendor
from airflow_provider_batchdl.vendors.extras import rate_limit
from airflow_provider_batchdl.vendors.retry_after import asked_wait, retry_after

# Seconds beyond which a task should free its slot and retry later, instead of sleeping in it.
LONGEST_WAIT = 120.0
# Maximum seconds for which one response holds the whole account; only the caller that got a longer Retry-After waits
# that long. If the response was right, one request an hour finds the limit still used up; if not, an hour is lost.
MAX_HOLD = 3600.0
# Share of the rate limit that polls use. The rest is left to submits, cancels and downloads.
SHARE = 0.9
# Requests that polls leave unspent, where the limit has so many to spare, so that an urgent poll goes at once.
KEPT_BACK = 5
# Seconds that the first poll after a hold has to show that the account is served again.
TEST_SECONDS = 10.0


class Priority(Enum):
    """Part of a rate limit that a request may use."""

    CALL = auto()
    """All of it at once: submits, cancels, downloads and retries."""
    URGENT_POLL = auto()
    """An even share of it, and what polls leave unspent."""
    POLL = auto()
    """An even share of it."""


class Throttle:
    """Lets requests through within all of an account's rate limits.

    No window ever holds more requests than its limit, whatever their priority: the last ``n`` are remembered. Polls are
    also spread by the generic cell rate algorithm (ITU-T I.371): of a limit of ``n`` requests in a window,
    ``SHARE * n`` are spread evenly over it and the rest may go at once, the last few of those for urgent polls. A burst
    that used up the whole limit would make a job wait for the window's end; spread out, each job's wait is as short as
    any other's. What urgent polls and calls use, polls pay back by going later.
    """

    def __init__(self, limits: Sequence[RateLimit], vendor: str = "") -> None:
        self.limits = tuple(limits)
        self.holds = 0
        """Number of holds so far."""
        self._cells = [_Cell(limit) for limit in limits]
        self._held_until = float("-inf")
        self._lock = Lock()
        self._vendor = vendor

    def wait(self, now: float, priority: Priority = Priority.CALL) -> float:
        """Seconds from ``now``, on the monotonic clock, until the next request may go."""
        ready = max((cell.ready(priority) for cell in self._cells), default=now)
        return max(0.0, ready - now, self._held_until - now)

    def spend(self, now: float) -> None:
        """Count a request that goes ``now``."""
        for cell in self._cells:
            cell.spend(now)

    def take(self, priority: Priority, deadline: float = float("inf")) -> float:
        """Count a request and return 0, or return the seconds until one may go; raises if that is past ``deadline``."""
        with self._lock:
            now = time.monotonic()
            wait = self.wait(now, priority)
            if not wait:
                self.spend(now)
                return 0.0
        if now + wait > deadline:
            # Others were quicker each time, or the limit is a long one: either way the caller should retry later.
            wait = max(wait, LONGEST_WAIT + 1)
            raise RateLimitedError(
                f"The account's rate limit is used up for another {wait:.0f} s.", vendor=self._vendor, retry_after=wait
            )
        return wait

    async def acquire(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Wait until the next call may go, and count it; ``RateLimitedError`` if that takes more than two minutes."""
        deadline = time.monotonic() + LONGEST_WAIT
        while wait := self.take(Priority.CALL, deadline):
            await sleep(wait)

    def note(
        self,
        status: int,
        headers: Mapping[str, str],
        read: Callable[[Mapping[str, str]], float | None] = retry_after,
    ) -> None:
        """Learn from a response: after a 429, or with nothing remaining, hold the account for what ``read`` finds."""
        remaining = map(str.strip, headers.get("x-ratelimit-remaining", "").split(","))
        if status == HTTPStatus.TOO_MANY_REQUESTS or "0" in remaining:
            self.hold(asked_wait(read, headers) or 0.0)

    def hold(self, seconds: float) -> None:
        """Let nothing through for so many seconds, at most :data:`MAX_HOLD`. A shorter hold does not end a longer."""
        with self._lock:
            self.holds += 1
            self._held_until = max(self._held_until, time.monotonic() + min(seconds, MAX_HOLD))

    def sent(self, now: float) -> list[tuple[RateLimit, int]]:
        """Each limit, and how many requests this process sent within its last window; ``now`` is monotonic."""
        with self._lock:
            return [(limit, cell.sent(now)) for limit, cell in zip(self.limits, self._cells, strict=True)]

    def held_for(self) -> float:
        """Seconds left of the hold; 0 without one."""
        return max(0.0, self._held_until - time.monotonic())


class _Cell:
    """One limit."""

    def __init__(self, limit: RateLimit) -> None:
        self._seconds = limit.seconds
        self._sent: deque[float] = deque(maxlen=limit.requests)
        self._every = limit.seconds / (limit.requests * SHARE)
        burst = max(1, int(limit.requests * (1 - SHARE)))
        kept_back = min(burst - 1, KEPT_BACK)
        # How many seconds of polls may be brought forward.
        self._slack = {
            Priority.URGENT_POLL: (burst - 1) * self._every,
            Priority.POLL: (burst - 1 - kept_back) * self._every,
        }
        self._paid_off = float("-inf")

    def ready(self, priority: Priority) -> float:
        """Time, on the monotonic clock, from which a request may go."""
        window = self._sent[0] + self._seconds if len(self._sent) == self._sent.maxlen else float("-inf")
        return window if priority is Priority.CALL else max(window, self._paid_off - self._slack[priority])

    def sent(self, now: float) -> int:
        """Number of requests in the window that ends now."""
        return sum(at > now - self._seconds for at in self._sent)

    def spend(self, now: float) -> None:
        self._sent.append(now)
        # Calls delay polls by at most a window.
        self._paid_off = min(max(self._paid_off, now) + self._every, now + self._seconds / SHARE)


class PollQueue:
    """Order of one event loop's polls of an account: first come, first served, and urgent ones before all others."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle
        self._turns = {priority: asyncio.Lock() for priority in (Priority.POLL, Priority.URGENT_POLL)}
        self._trusted_holds = throttle.holds
        self._test: asyncio.Event | None = None

    @asynccontextmanager
    async def turn(self, *, urgent: bool = False) -> AsyncIterator[None]:
        """Wait until a poll may go; it goes within the context.

        After a hold, one poll goes alone, and the others once one has succeeded: has left the context without an error.
        One that takes long is slow about its own job: then another goes.
        """
        priority = Priority.URGENT_POLL if urgent else Priority.POLL
        async with self._turns[priority]:
            while True:
                if test := self._test:
                    with suppress(TimeoutError):
                        # Not by `wait_for`: before Python 3.12 it may lose a cancellation.
                        async with asyncio.timeout(TEST_SECONDS):
                            await test.wait()
                    self._test = None if self._test is test else self._test
                elif wait := self._throttle.take(priority):
                    await asyncio.sleep(wait)
                else:
                    break
            holds = self._throttle.holds
            test = asyncio.Event() if holds != self._trusted_holds else None
            self._test = test or self._test
        try:
            yield
            self._trusted_holds = max(self._trusted_holds, holds)
        finally:
            if test:
                test.set()
                self._test = None if self._test is test else self._test


_throttles: dict[str, Throttle] = {}
_lock = Lock()


def throttle_for(vendor: Vendor) -> Throttle:
    """The one throttle in this process of everything that the vendor counts together.

    That is the account, and at Batch.com the project, for all its API keys: see ``Vendor.rate_limit_scope``. Of several
    connections to one, the first that is used sets the limit (the extra ``rate_limit``).
    """
    with _lock:
        key = f"{vendor.name} {vendor.rate_limit_scope}"
        if key not in _throttles:
            _throttles[key] = Throttle(rate_limit(vendor.account) or vendor.rate_limits, vendor.name)
        return _throttles[key]
