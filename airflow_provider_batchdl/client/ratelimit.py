"""A vendor's rate limit, kept on this side: one budget for each account in a process, for sync and async alike.

The counting is pyrate-limiter's: one limiter serves threads and event loops, it has no dependencies, and it is
maintained. What it lacks, a pause because the vendor's own headers say so, is here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from threading import Lock
from typing import Any

from pyrate_limiter import InMemoryBucket, Limiter, Rate
from pyrate_limiter.limiter import SingleBucketFactory

from airflow_provider_batchdl.exceptions import RateLimitedError
from airflow_provider_batchdl.vendors.account import Account
from airflow_provider_batchdl.vendors.base import RateLimit, Vendor
from airflow_provider_batchdl.vendors.errors import retry_after

# Beyond this a task should give its slot back and come again, instead of sleeping in it.
LONGEST_WAIT = 120.0


class RateLimiter:
    """Lets requests through at the vendor's pace.

    Args:
        limits: each is kept, so the strictest of the moment rules.
        vendor: the vendor's name, for errors.
    """

    def __init__(self, limits: Sequence[RateLimit], vendor: str) -> None:
        rates = [Rate(limit.requests, int(limit.seconds * 1000)) for limit in limits]
        self._bucket = InMemoryBucket(rates)
        # Old entries are dropped here, before each request, instead of by a thread of the library's.
        self._limiter = Limiter(SingleBucketFactory(self._bucket, schedule_leak=False))
        self._vendor = vendor
        self._resume_at = 0.0

    def acquire(self) -> None:
        """Wait until the next request may go.

        Raises:
            RateLimitedError: that would take longer than two minutes.
        """
        time.sleep(self._pause())
        self._granted(self._limiter.try_acquire(timeout=LONGEST_WAIT))

    async def aacquire(self) -> None:
        """Wait, in the event loop, until the next request may go.

        Raises:
            RateLimitedError: that would take longer than two minutes.
        """
        await asyncio.sleep(self._pause())
        self._granted(await self._limiter.try_acquire_async(timeout=LONGEST_WAIT))

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from a response: turned away, or with nothing remaining, all wait for as long as it says."""
        if status == HTTPStatus.TOO_MANY_REQUESTS or headers.get("x-ratelimit-remaining", "").strip() == "0":
            self.pause(retry_after(headers) or 0.0)

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long."""
        self._resume_at = max(self._resume_at, time.monotonic() + seconds)

    def _pause(self) -> float:
        self._bucket.leak(self._bucket.now())  # type: ignore[no-untyped-call]
        wait = max(0.0, self._resume_at - time.monotonic())
        if wait > LONGEST_WAIT:
            raise self._too_long(wait)
        return wait

    def _granted(self, granted: Any) -> None:
        if not granted:
            raise self._too_long(LONGEST_WAIT)

    def _too_long(self, wait: float) -> RateLimitedError:
        return RateLimitedError(
            f"The account's rate limit is used up for another {wait:.0f} s.", vendor=self._vendor, retry_after=wait
        )


_limiters: dict[str, RateLimiter] = {}
_lock = Lock()


def limiter_for(vendor: Vendor) -> RateLimiter:
    """The one limiter that all clients of ``vendor``'s account share in this process."""
    with _lock:
        key = f"{vendor.name} {vendor.account.fingerprint}"
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
    return (RateLimit(int(requests), float(seconds or 1)),)
