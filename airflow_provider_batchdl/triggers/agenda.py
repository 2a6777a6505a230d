"""Which of an account's jobs to look at next, and whether with a list request or alone. No clock, no requests."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

# One list request tells of up to a hundred jobs, so it pays for two.
LIST_PAYS = 2
# Jobs due within this share of their shortest interval are looked at together with those that are due now.
TOGETHER = 0.25

NEVER = float("inf")


@dataclass(slots=True, eq=False)
class Wait:
    """One wait for one job.

    Args:
        job_id: the vendor's id.
        shortest: least seconds between two looks that are for this job only.
        due: when to look next.
        alone: the vendor's list does not show it, so it is looked up by itself.
    """

    job_id: str
    shortest: float
    due: float = NEVER
    alone: bool = False
    # The one entry of the heap that counts for this wait, and the time it stands there under.
    entry: int = 0
    entry_due: float = NEVER


W = TypeVar("W", bound=Wait)


class Agenda(Generic[W]):
    """The waits of one account in the order in which they are due: the oldest first, so none is passed over for ever.

    A wait has one entry in a heap. Put off, it keeps the entry and is filed anew when that comes up, so that a list
    which shows thousands of jobs costs no heap operation for each.

    Args:
        lists: whether the vendor has a list.
    """

    def __init__(self, *, lists: bool) -> None:
        self.lists = lists
        self._listed: list[tuple[float, int, W]] = []
        self._alone: list[tuple[float, int, W]] = []
        self._entries = count(1)
        self._dropped = 0
        self._passing = False

    def plan(self, wait: W, due: float, *, alone: bool) -> None:
        """Look at ``wait`` when ``due``."""
        filed = wait.entry and wait.alone == alone and wait.entry_due <= due
        wait.due, wait.alone = due, alone
        if not filed:
            self._file(wait)

    def drop(self, wait: W) -> None:
        """Look at ``wait`` no more."""
        if wait.entry:
            wait.entry, wait.due = 0, NEVER
            self._dropped += 1
            if self._dropped > len(self._listed) + len(self._alone) - self._dropped:
                self._sweep()

    def next_due(self) -> float:
        """When :meth:`take` has something to do, ``inf`` for never."""
        return min(self._head(self._alone), NEVER if self._passing else self._head(self._listed))

    def take(self, now: float, *, lists: bool = True) -> W | list[W] | None:
        """What to do now, the most overdue first.

        Args:
            now: the time.
            lists: whether a list request may be made at present.

        Returns:
            A wait to look up by itself; the waits to look for in the list, until :meth:`passed` the only ones; or None
            where nothing is due. What is returned is off the agenda until planned again.
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

    def _file(self, wait: W) -> None:
        if wait.entry:
            self._dropped += 1  # its former entry
        wait.entry, wait.entry_due = next(self._entries), wait.due
        heapq.heappush(self._alone if wait.alone else self._listed, (wait.due, wait.entry, wait))

    def _head(self, heap: list[tuple[float, int, W]]) -> float:
        """When the first wait of a heap is due, once entries that no longer count have been put away."""
        while heap:
            due, entry, wait = heap[0]
            if entry != wait.entry:
                heapq.heappop(heap)
                self._dropped -= 1
            elif wait.due > due:
                wait.entry_due = wait.due
                heapq.heapreplace(heap, (wait.due, entry, wait))
            else:
                return due
        return NEVER

    def _pop(self, heap: list[tuple[float, int, W]]) -> W:
        """The first wait of a heap whose head was just looked at."""
        wait = heapq.heappop(heap)[2]
        wait.entry, wait.due = 0, NEVER
        return wait

    def _sweep(self) -> None:
        for heap in (self._listed, self._alone):
            heap[:] = [(wait.due, wait.entry, wait) for _, entry, wait in heap if entry == wait.entry]
            for due, _, wait in heap:
                wait.entry_due = due
            heapq.heapify(heap)
        self._dropped = 0
