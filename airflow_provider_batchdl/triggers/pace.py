"""How fast one account may be asked: evenly, and a little below its rate limits."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_batchdl.vendors.requests import RateLimit

# What waiting takes of an account's rate limit. The rest is left to cancels, submits and downloads.
SHARE = 0.9


class Pace:
    """Spreads requests by the generic cell rate algorithm (ITU-T I.371), one cell for each limit.

    Of a limit of ``n`` requests in a window, ``SHARE * n`` are spread evenly over it and the rest may come at once, so
    that no window ever holds more than ``n``. A burst that used up the whole limit would make a job wait for the
    window's end; spread out, each job's wait is as short as any other's.

    Args:
        limits: the account's rate limits, all of which are kept.
    """

    def __init__(self, limits: Sequence[RateLimit]) -> None:
        # For each limit: seconds from one request to the next, how many seconds of them may be brought forward, and
        # when the requests so far are paid off.
        self._cells: list[tuple[float, float, float]] = []
        for limit in limits:
            every = limit.seconds / (limit.requests * SHARE)
            burst = max(1, int(limit.requests * (1 - SHARE)))
            self._cells.append((every, (burst - 1) * every, float("-inf")))
        self._held_until = float("-inf")

    def wait(self, now: float) -> float:
        """Seconds from ``now`` until the next request may go."""
        ready = max((paid - slack for _, slack, paid in self._cells), default=now)
        return max(0.0, ready - now, self._held_until - now)

    def spend(self, now: float) -> None:
        """A request goes."""
        self._cells = [(every, slack, max(paid, now) + every) for every, slack, paid in self._cells]

    def hold(self, until: float) -> None:
        """Let nothing through before ``until``."""
        self._held_until = max(self._held_until, until)
