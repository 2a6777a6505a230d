"""Aggregate poll metrics and flush every 10 s."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar
from weakref import WeakSet

from airflow_provider_batchdl._airflow import metrics

# Seconds between two flushes.
INTERVAL = 10.0
# Durations per flush. Where a list shows thousands of ended jobs at once, so many stand for all.
MOST = 500


class PollStats:
    """Counts for one account."""

    _all: ClassVar[WeakSet[PollStats]] = WeakSet()

    def __init__(self, vendor: str) -> None:
        self._vendor = vendor
        self._waiting = 0
        self._due = float("-inf")
        self._clear()
        self._all.add(self)

    def record_poll(self, kind: str, lag: float | None = None) -> None:
        """Record a poll that got a response."""
        self._polls[kind] += 1
        if lag is not None and len(self._lags) < MOST:
            self._lags.append(lag)

    def record_end(self, unseen: float) -> None:
        """Record a job that has ended, at some time in the last ``unseen`` seconds."""
        if len(self._unseen) < MOST:
            self._unseen.append(unseen)

    def report(self, waiting: int, now: float, *, last: bool = False) -> None:
        """Send what was recorded, if it is time."""
        self._waiting = waiting
        if now < self._due and not last:
            return
        self._due = now + INTERVAL
        # A gauge is one for each vendor: the accounts of this process together.
        total = sum(each._waiting for each in self._all if each._vendor == self._vendor)
        metrics.count_shared_polls(self._vendor, polls=self._polls, lags=self._lags, unseen=self._unseen, waiting=total)
        self._clear()

    def _clear(self) -> None:
        self._polls: Counter[str] = Counter()
        self._lags: list[float] = []
        self._unseen: list[float] = []
