"""Adaptive poll interval."""

from __future__ import annotations

from collections import deque
from statistics import median

# An end is seen late by at most this share of the job's duration.
SHARE_OF_AGE = 0.1
# By default, a wait of many hours polls this many times less often than a young one ...
WIDEST = 8.0
# ... but at least once in so many seconds, unless its interval is longer from the start.
LONGEST_BY_DEFAULT = 300.0

_REMEMBERED = 32
_ENOUGH = 3


def interval(age: float, usual: float | None, shortest: float, longest: float) -> float:
    """Seconds until the next poll of a job.

    Short while the job is young, longer as it ages, and short again around the time that the account's jobs usually
    take (``usual``): always a share of the distance to the nearer of these two moments, so no poll skips the usual end.
    """
    distance = age if usual is None else min(age, abs(age - usual))
    return max(shortest, min(longest, distance * SHARE_OF_AGE))


def longest_by_default(shortest: float) -> float:
    """``max_poll_interval`` where nobody set it, for a ``poll_interval`` of ``shortest`` seconds."""
    return max(shortest, min(shortest * WIDEST, LONGEST_BY_DEFAULT))


class UsualDuration:
    """Median duration of an account's last jobs that were seen to end."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_REMEMBERED)
        self.median: float | None = None

    def note(self, seconds: float) -> None:
        """Record a job's duration in seconds."""
        self._seconds.append(seconds)
        if len(self._seconds) >= _ENOUGH:
            self.median = median(self._seconds)
