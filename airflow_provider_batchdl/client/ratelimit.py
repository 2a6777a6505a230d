"""A vendor's rate limit, kept on this side: one budget for each account in a process, for sync and async alike.

The counting is pyrate-limiter's: its bucket serves any number of limits at once, has no dependencies, and is
maintained. Waiting is done here: its own limiter sleeps two minutes before it says that they are not enough, holds
its lock meanwhile in some versions (which stops an event loop that wants it), and knows no pause because the vendor's
headers say so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from threading import Lock

from pyrate_limiter import InMemoryBucket, Rate, RateItem

from airflow_provider_batchdl.exceptions import InvalidRequestError, RateLimitedError
from airflow_provider_batchdl.redaction import excerpt
from airflow_provider_batchdl.vendors.account import Account
from airflow_provider_batchdl.vendors.base import RateLimit, Vendor
from airflow_provider_batchdl.vendors.retry_after import LONGEST_ASKED, retry_after

# Beyond this a task should give its slot back and come again, instead of sleeping in it.
LONGEST_WAIT = 120.0
# Most seconds for which one answer holds back everything that asks for the account: who was told to wait longer waits
# alone. If the answer was right, one request an hour finds the limit still used up; if not, an hour is lost.
LONGEST_PAUSE = 3600.0


class RateLimiter:
    """Lets requests through at the vendor's pace.

    Args:
        limits: each is kept, so the strictest of the moment rules.
        vendor: the vendor's name, for errors.
    """

    def __init__(self, limits: Sequence[RateLimit], vendor: str) -> None:
        rates = [Rate(limit.requests, round(limit.seconds * 1000)) for limit in limits]
        self._bucket = InMemoryBucket(rates)
        self._lock = Lock()
        self._vendor = vendor
        self.limits = tuple(limits)
        self._resume_at = 0.0

    def acquire(self) -> None:
        """Wait until the next request may go.

        Raises:
            RateLimitedError: that would take longer than two minutes; it is not waited for.
        """
        deadline = time.monotonic() + LONGEST_WAIT
        while wait := self._wait(deadline):
            time.sleep(wait)

    async def aacquire(self) -> None:
        """Wait, in the event loop, until the next request may go.

        Raises:
            RateLimitedError: that would take longer than two minutes; it is not waited for.
        """
        deadline = time.monotonic() + LONGEST_WAIT
        while wait := self._wait(deadline):  # noqa: ASYNC110 a span of time is waited for, no event
            await asyncio.sleep(wait)

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from a response: turned away, or with nothing remaining, all wait for as long as it says."""
        if status == HTTPStatus.TOO_MANY_REQUESTS or headers.get("x-ratelimit-remaining", "").strip() == "0":
            self.pause(retry_after(headers) or 0.0)

    def pause(self, seconds: float) -> None:
        """Let nothing through for so many seconds, at most :data:`LONGEST_PAUSE`."""
        self._resume_at = max(self._resume_at, time.monotonic() + min(seconds, LONGEST_PAUSE))

    def _wait(self, deadline: float) -> float:
        """Take a place and return 0, or return the seconds until there may be one; never sleeps."""
        now = time.monotonic()
        wait = self._resume_at - now
        if wait <= 0:
            wait = self._take()
        if wait <= 0:
            return 0.0
        if now + wait > deadline:
            # Others were quicker each time, or the limit is a long one: either way the caller should come again later.
            wait = max(wait, LONGEST_WAIT + 1)
            raise RateLimitedError(
                f"The account's rate limit is used up for another {wait:.0f} s.", vendor=self._vendor, retry_after=wait
            )
        return wait

    def _take(self) -> float:
        with self._lock:
            moment = int(self._bucket.now())  # type: ignore[no-untyped-call]
            self._bucket.leak(moment)
            item = RateItem(self._vendor, moment)
            if self._bucket.put(item):
                return 0.0
            return max(int(self._bucket.waiting(item)), 1) / 1000  # type: ignore[arg-type]


_limiters: dict[str, RateLimiter] = {}
_lock = Lock()


def limiter_for(vendor: Vendor) -> RateLimiter:
    """The one limiter that all clients of what the vendor counts by share in this process.

    That is the account, and at Batch.com the project, whichever key asks: see ``Vendor.rate_limit_scope``. Of several
    connections to one, the first that is used says what the limit is (the extra ``rate_limit``).
    """
    with _lock:
        key = f"{vendor.name} {vendor.rate_limit_scope}"
        if key not in _limiters:
            _limiters[key] = RateLimiter(_limits(vendor.account) or vendor.rate_limits, vendor.name)
        return _limiters[key]


def forget_limiters() -> None:
    """Drop every limiter of this process."""
    _limiters.clear()


def _limits(account: Account) -> tuple[RateLimit, ...]:
    """The connection extra ``rate_limit``, written ``"requests/seconds"``, for accounts with a limit of their own."""
    text = account.text("rate_limit")
    if text is None:
        return ()
    requests, _, seconds = text.partition("/")
    try:
        limit = RateLimit(int(requests), float(seconds.strip() or 1))
        if limit.requests < 1 or not 0.001 <= limit.seconds <= LONGEST_ASKED:
            raise ValueError(text)
    except ValueError:
        raise InvalidRequestError(
            f"The connection's rate_limit {excerpt(text, 40)!r} is no rate limit.",
            remedy='Set the connection extra "rate_limit" to "requests/seconds", such as "60/60", or leave it out.',
        ) from None
    return (limit,)
