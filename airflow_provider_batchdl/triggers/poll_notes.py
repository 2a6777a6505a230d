"""Notes of what polls saw, for the page "Batch jobs": of each job at most one a minute, of a process two a second.

With a few jobs each has one a minute. With a thousand of them a round takes eight minutes, and the page shows each
note's age: the database is to bear ten thousand waits as it bears a few.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._airflow.job_note import POLL_SECONDS, facts_of
from airflow_provider_batchdl._values.times import rfc3339
from airflow_provider_batchdl.polling.schedule import NEVER

if TYPE_CHECKING:
    from airflow_provider_batchdl.client.throttle import Throttle
    from airflow_provider_batchdl.polling.waiters import Waiter, Waiters

PushNote = Callable[[dict[str, Any]], Awaitable[None]]

# Minimum seconds between two notes of this process, whatever the account.
WRITE_SECONDS = 0.5


class _Pace:
    """Spaces the notes of all accounts."""

    def __init__(self) -> None:
        self._free_at = float("-inf")

    async def turn(self) -> None:
        now = time.monotonic()
        at = max(now, self._free_at)
        self._free_at = at + WRITE_SECONDS
        await asyncio.sleep(at - now)


_pace = _Pace()


class PollNotes:
    """Pushes the notes of one account's waits, where their triggers take them."""

    def __init__(self, waiters: Waiters, throttle: Throttle) -> None:
        self._waiters = waiters
        self._throttle = throttle
        self._poller = uuid.uuid4().hex[:8]

    async def run(self) -> None:
        """Go round until cancelled. Waits that are shorter than a minute cost nothing."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            for waiter in self._waiters:
                if waiter.push_note is not None and waiter.seen_at > waiter.noted_at and not waiter.ended.done():
                    await _pace.turn()
                    waiter.noted_at = waiter.seen_at
                    await waiter.push_note(self._facts(waiter))

    def _facts(self, waiter: Waiter) -> dict[str, Any]:
        """The note of a wait as of now; without ``next_poll_at`` while a poll is on its way."""
        seen = waiter.seen
        facts: dict[str, Any] = {"polled_at": _moment(waiter.seen_at), "poller": self._poller}
        if waiter.due != NEVER:
            facts["next_poll_at"] = _moment(waiter.due)
        if seen is not None:
            facts |= facts_of(seen)
        facts["requests"] = [
            {"requests": sent, "limit": limit.requests, "seconds": limit.seconds}
            for limit, sent in self._throttle.sent(time.monotonic())
        ]
        return facts


def _moment(moment: float) -> str:
    """A time of the event loop's clock as RFC 3339."""
    unix = time.time() + moment - asyncio.get_running_loop().time()
    return rfc3339(datetime.fromtimestamp(round(unix), UTC))
