"""Order of an account's polls, each by a list request or for one job alone. No clock, no requests."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

# One list request shows up to a hundred jobs, so it pays off for two.
LIST_PAYS = 2
# Jobs due within this share of the interval of one that is due now are polled together with it.
TOGETHER = 0.25

NEVER = float("inf")


@dataclass(slots=True, eq=False)
class ScheduledPoll:
    """The next poll of one job for one waiter.

    ``alone``: the vendor's list does not show the job. ``entry``: its one valid heap entry; 0 for unscheduled.
    """

    job_id: str
    interval: float
    due: float = NEVER
    alone: bool = False
    entry: int = 0


P = TypeVar("P", bound=ScheduledPoll)


class PollSchedule(Generic[P]):
    """The polls of one account in the order in which they are due: most overdue first, so none starves."""

    def __init__(self, *, lists: bool) -> None:
        self.lists = lists
        self._listed: list[tuple[float, int, P]] = []
        self._alone: list[tuple[float, int, P]] = []
        self._entries = count(1)
        self._scheduled = 0
        self._passing = False

    def plan(self, poll: P, due: float, *, alone: bool) -> None:
        """Schedule ``poll`` for ``due``, instead of what it was scheduled for."""
        self._scheduled += not poll.entry
        poll.due, poll.alone, poll.entry = due, alone, next(self._entries)
        heapq.heappush(self._alone if alone else self._listed, (due, poll.entry, poll))
        self._sweep()

    def drop(self, poll: P) -> None:
        """Unschedule ``poll``."""
        self._scheduled -= bool(poll.entry)
        poll.entry, poll.due = 0, NEVER
        self._sweep()

    def next_due(self) -> float:
        """Time at which :meth:`take` next returns something, ``inf`` for never."""
        return min(self._head(self._alone), NEVER if self._passing else self._head(self._listed))

    def take(self, now: float, *, lists: bool = True) -> P | list[P] | None:
        """Take the polls to make now, the most overdue first; None where nothing is due.

        A list of them is for one list request (``lists``: one may be made at present), the only such until
        :meth:`passed`. What is returned is unscheduled until planned again.
        """
        alone, listed = self._head(self._alone), NEVER if self._passing else self._head(self._listed)
        if min(alone, listed) > now:
            return None
        if alone <= listed:
            return self._pop(self._alone)
        first = self._pop(self._listed)
        if not (self.lists and lists):
            return first
        together = [first]
        while self._head(self._listed) <= now + first.interval * TOGETHER:
            together.append(self._pop(self._listed))
        if len(together) < LIST_PAYS:
            return first
        self._passing = True
        return together

    def passed(self) -> None:
        """The list has been read."""
        self._passing = False

    def _head(self, heap: list[tuple[float, int, P]]) -> float:
        """Due time of a heap's first poll, after removing stale entries."""
        while heap and heap[0][1] != heap[0][2].entry:
            heapq.heappop(heap)
        return heap[0][0] if heap else NEVER

    def _pop(self, heap: list[tuple[float, int, P]]) -> P:
        """Pop the first poll of a heap whose head has just been checked."""
        poll = heapq.heappop(heap)[2]
        self._scheduled -= 1
        poll.entry, poll.due = 0, NEVER
        return poll

    def _sweep(self) -> None:
        """Remove stale entries once they are the most."""
        if len(self._listed) + len(self._alone) > 2 * self._scheduled:
            for heap in (self._listed, self._alone):
                heap[:] = [entry for entry in heap if entry[1] == entry[2].entry]
                heapq.heapify(heap)
