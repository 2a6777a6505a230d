"""How fast one account may be asked: evenly, and a little below its rate limits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from airflow_provider_batchdl.vendors.requests import RateLimit

# What waiting takes of an account's rate limit. The rest is left to cancels, submits and downloads.
SHARE = 0.9
# Requests that routine leaves unspent, where the limit has so many to spare, so that an urgent one goes at once.
KEPT_BACK = 5


class Pace:
    """Spreads requests by the generic cell rate algorithm (ITU-T I.371), one cell for each limit.

    Of a limit of ``n`` requests in a window, ``SHARE * n`` are spread evenly over it and the rest may come at once, so
    that no window ever holds more than ``n``. A burst that used up the whole limit would make a job wait for the
    window's end; spread out, each job's wait is as short as any other's.

    Of what may come at once, the last few are for urgent requests. What these take, routine pays back by coming later.

    Args:
        limits: the account's rate limits, all of which are kept.
    """

    def __init__(self, limits: Sequence[RateLimit]) -> None:
        self._cells = [_Cell(limit) for limit in limits]
        self.held_until = float("-inf")
        """Until when nothing goes, by the event loop's clock."""
        self._doubtful = False
        self._trying = False
        self._answer = asyncio.Event()
        self._turns = {urgent: asyncio.Lock() for urgent in (False, True)}

    def wait(self, now: float, *, urgent: bool = False) -> float:
        """Seconds from ``now`` until the next request may go."""
        ready = max((cell.ready(urgent=urgent) for cell in self._cells), default=now)
        return max(0.0, ready - now, self.held_until - now)

    def spend(self, now: float) -> None:
        """A request goes."""
        for cell in self._cells:
            cell.spend(now)

    async def turn(self, *, urgent: bool = False) -> None:
        """Wait until a request may go, and spend it. Whoever comes first goes first, the urgent before all others.

        After a hold, one request goes alone, and the others when it has been answered well. Each turn ends with
        :meth:`answered`.
        """
        loop = asyncio.get_running_loop()
        async with self._turns[urgent]:
            while True:
                if wait := self.wait(loop.time(), urgent=urgent):
                    await asyncio.sleep(wait)
                elif self._trying:
                    await self._answer.wait()
                else:
                    break
            if self._doubtful:
                self._trying = True
                self._answer.clear()
            self.spend(loop.time())

    def answered(self, *, well: bool) -> None:
        """A request that had its turn is over.

        Args:
            well: the account is served.
        """
        if well:
            self._doubtful = False
        self._trying = False
        self._answer.set()

    def hold(self, until: float) -> None:
        """Let nothing through before ``until``, and then one request to begin with."""
        self.held_until = max(self.held_until, until)
        self._doubtful = True


class _Cell:
    """One limit."""

    def __init__(self, limit: RateLimit) -> None:
        self._every = limit.seconds / (limit.requests * SHARE)
        burst = max(1, int(limit.requests * (1 - SHARE)))
        kept_back = min(burst - 1, KEPT_BACK)
        # How many seconds of requests may be brought forward.
        self._slack = {True: (burst - 1) * self._every, False: (burst - 1 - kept_back) * self._every}
        self._paid_off = float("-inf")

    def ready(self, *, urgent: bool) -> float:
        return self._paid_off - self._slack[urgent]

    def spend(self, now: float) -> None:
        self._paid_off = max(self._paid_off, now) + self._every
