"""Plan of a parallel download: present bytes, active ranges, and which range is next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Condition

Interval = tuple[int, int]
"""Byte range: first inclusive, last exclusive."""

SMALLEST_SHARE = 1 << 20
"""Bytes below which the rest of a connection is not divided: a request costs a round trip."""


@dataclass(eq=False)
class Span:
    """The range of one connection: ``start`` to ``end``, present up to ``at``."""

    start: int
    end: int
    at: int = field(init=False)
    claimed: int = field(init=False)
    """End of the bytes that its connection is about to write."""

    def __post_init__(self) -> None:
        self.at = self.claimed = self.start


def merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same bytes as the fewest intervals, sorted."""
    found: list[Interval] = []
    for start, end in sorted(intervals):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return tuple(found)


def gaps(intervals: Iterable[Interval], total: int) -> list[Interval]:
    """The intervals missing of ``total`` bytes."""
    missing, at = [], 0
    for start, end in merged(intervals):
        missing.append((at, min(start, total)))
        at = end
    return [gap for gap in (*missing, (at, total)) if gap[0] < gap[1]]


class Plan:
    """Ranges of one file for several connections. Thread-safe.

    Where bytes can be written at any offset (a local file), an idle connection takes half of what the slowest has
    left: all finish together, whatever their speeds. Where they are reordered in memory, the file is assigned in pieces
    of ``piece`` bytes from the front, at most ``ahead`` bytes before the reader.
    """

    def __init__(
        self, total: int, landed: Iterable[Interval] = (), *, piece: int = 0, ahead: int | None = None
    ) -> None:
        self.total = total
        self.changed = Condition()
        self._done = merged(landed)
        self._active: list[Span] = []
        self._piece = piece
        self._ahead = ahead
        self._taken = self.prefix
        self._stopped = False
        self.arrived = 0
        """Bytes that have arrived since this plan was made."""

    @property
    def prefix(self) -> int:
        """End of the present bytes at the start of the file."""
        landed = self.landed
        return landed[0][1] if landed and landed[0][0] == 0 else 0

    @property
    def landed(self) -> tuple[Interval, ...]:
        """The present intervals."""
        with self.changed:
            return merged((*self._done, *((span.start, span.at) for span in self._active)))

    @property
    def active(self) -> int:
        """Number of active spans."""
        with self.changed:
            return len(self._active)

    @property
    def delivering(self) -> int:
        """Number of active spans with a byte."""
        with self.changed:
            return sum(span.at > span.start for span in self._active)

    def take(self, *, wait: bool = True) -> Span | None:
        """Assign the next range; None where all is present or in spans too small to divide, or the plan was stopped.

        With ``wait``, waits for the reader, where the range would be too far ahead of it; the reader must not wait.
        """
        with self.changed:
            while not self._stopped:
                missing = gaps((*self._done, *((span.start, span.end) for span in self._active)), self.total)
                if not missing:
                    return self._share() if self._ahead is None else None
                start, end = missing[0]
                if self._ahead is None:
                    return self._assign(start, end)
                end = min(end, start + self._piece)
                if end <= self._taken + self._ahead:
                    return self._assign(start, end)
                if not wait:
                    return None
                self.changed.wait()
        return None

    def _assign(self, start: int, end: int) -> Span:
        span = Span(start, end)
        self._active.append(span)
        return span

    def _share(self) -> Span | None:
        """Half of the unclaimed rest of the span with the longest one."""
        slowest = max(self._active, key=lambda span: span.end - span.claimed, default=None)
        if slowest is None or slowest.end - slowest.claimed < 2 * SMALLEST_SHARE:
            return None
        middle, end = (slowest.claimed + slowest.end) // 2, slowest.end
        slowest.end = middle
        return self._assign(middle, end)

    def claim(self, span: Span, count: int) -> int:
        """Claim ``count`` received bytes for ``span``; returns how many still belong to it."""
        with self.changed:
            span.claimed = min(span.at + count, span.end)
            return span.claimed - span.at

    def put(self, span: Span, count: int) -> None:
        """Record that claimed bytes are written."""
        with self.changed:
            span.at += count
            self.arrived += count
            self.changed.notify_all()

    def leave(self, span: Span) -> None:
        """End ``span``; its missing bytes are assigned to others."""
        with self.changed:
            self._active.remove(span)
            self._done = merged((*self._done, (span.start, span.at)))
            self.changed.notify_all()

    def took(self, at: int) -> None:
        """Record that the reader has everything before ``at``."""
        with self.changed:
            self._taken = at
            self.changed.notify_all()

    def stop(self) -> None:
        """Assign nothing more."""
        with self.changed:
            self._stopped = True
            self.changed.notify_all()
