"""Order of an account's polls, each by a list request or for one job alone. No clock, no requests."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

# One list request shows up to a hundred jobs, so it pays off for two.
LIST_PAYS = 2
# Jobs due within this share of their shortest interval are polled together with those that are due now.
TOGETHER = 0.25

NEVER = float("inf")


@dataclass(slots=True, eq=False)
class ScheduledPoll:
    """The next poll of one job for one waiter.

    Args:
        job_id: the vendor's id.
        shortest: minimum seconds between two polls of this job alone.
        due: when to poll next.
        alone: the vendor's list does not show the job, so it is polled by itself.
    """

    job_id: str
    shortest: float
    due: float = NEVER
    alone: bool = False
    # The one valid heap entry of this poll, and the due time it was filed under.
    entry: int = 0
    entry_due: float = NEVER


P = TypeVar("P", bound=ScheduledPoll)


class PollSchedule(Generic[P]):
    """The polls of one account in the order in which they are due: most overdue first, so none starves.

    A poll has one entry in a heap. When it is postponed the entry stays, and is refiled once it reaches the top: a list
    that shows thousands of jobs costs no heap operation for each.

    Args:
        lists: whether the vendor has a list.
    """

    def __init__(self, *, lists: bool) -> None:
        self.lists = lists
        self._listed: list[tuple[float, int, P]] = []
        self._alone: list[tuple[float, int, P]] = []
        self._entries = count(1)
        self._dropped = 0
        self._passing = False

    def plan(self, poll: P, due: float, *, alone: bool) -> None:
        """Schedule ``poll`` for ``due``."""
        filed = poll.entry and poll.alone == alone and poll.entry_due <= due
        poll.due, poll.alone = due, alone
        if not filed:
            self._file(poll)

    def drop(self, poll: P) -> None:
        """Unschedule ``poll``."""
        if poll.entry:
            poll.entry, poll.due = 0, NEVER
            self._dropped += 1
            if self._dropped > len(self._listed) + len(self._alone) - self._dropped:
                self._sweep()

    def next_due(self) -> float:
        """Time at which :meth:`take` next returns something, ``inf`` for never."""
        return min(self._head(self._alone), NEVER if self._passing else self._head(self._listed))

    def take(self, now: float, *, lists: bool = True) -> P | list[P] | None:
        """Take the polls to make now, the most overdue first.

        Args:
            now: the time.
            lists: whether a list request may be made at present.

        Returns:
            A poll of one job alone; the polls to make by one list request, the only such until :meth:`passed`; or None
            where nothing is due. What is returned is unscheduled until planned again.
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
        while self._head(self._listed) <= now + first.shortest * TOGETHER:
            together.append(self._pop(self._listed))
        if len(together) < LIST_PAYS:
            return first
        self._passing = True
        return together

    def passed(self) -> None:
        """The list has been read."""
        self._passing = False

    def _file(self, poll: P) -> None:
        if poll.entry:
            self._dropped += 1  # its previous entry
        poll.entry, poll.entry_due = next(self._entries), poll.due
        heapq.heappush(self._alone if poll.alone else self._listed, (poll.due, poll.entry, poll))

    def _head(self, heap: list[tuple[float, int, P]]) -> float:
        """Due time of a heap's first poll, after removing stale entries."""
        while heap:
            due, entry, poll = heap[0]
            if entry != poll.entry:
                heapq.heappop(heap)
                self._dropped -= 1
            elif poll.due > due:
                poll.entry_due = poll.due
                heapq.heapreplace(heap, (poll.due, entry, poll))
            else:
                return due
        return NEVER

    def _pop(self, heap: list[tuple[float, int, P]]) -> P:
        """Pop the first poll of a heap whose head has just been checked."""
        poll = heapq.heappop(heap)[2]
        poll.entry, poll.due = 0, NEVER
        return poll

    def _sweep(self) -> None:
        for heap in (self._listed, self._alone):
            heap[:] = [(poll.due, poll.entry, poll) for _, entry, poll in heap if entry == poll.entry]
            for due, _, poll in heap:
                poll.entry_due = due
            heapq.heapify(heap)
        self._dropped = 0
