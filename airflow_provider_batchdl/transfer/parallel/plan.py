"""Which bytes of a file are here, which are on their way, and which connection fetches what next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Condition

Interval = tuple[int, int]
"""Bytes from the first, inclusive, to the second, exclusive."""

SMALLEST_SHARE = 1 << 20
"""Bytes below which what one connection has left is not divided: asking costs a round trip."""


@dataclass(eq=False)
class Span:
    """What one connection fetches: from ``start`` to ``end``, of which all before ``at`` is here."""

    start: int
    end: int
    at: int = field(init=False)
    claimed: int = field(init=False)
    """Where the bytes end that its connection is about to put in their place."""

    def __post_init__(self) -> None:
        self.at = self.claimed = self.start


def merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same bytes as few intervals, in order."""
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
    """What is missing of ``total`` bytes."""
    missing, at = [], 0
    for start, end in merged(intervals):
        missing.append((at, min(start, total)))
        at = end
    return [gap for gap in (*missing, (at, total)) if gap[0] < gap[1]]


class Plan:
    """One file in the hands of several connections. Thread-safe.

    Where bytes can be put anywhere (a local file), a connection without work takes half of what the slowest has left:
    all come to the end together, whatever their speeds. Where they are held in memory until their turn comes, the
    file is handed out in pieces from the front, at most ``ahead`` bytes before the reader.

    Args:
        total: the file's size in bytes.
        landed: what is here already.
        piece: bytes handed out at once where ``ahead`` bounds them.
        ahead: how many bytes may wait for their turn; None for any number.
    """

    def __init__(
        self, total: int, landed: Iterable[Interval] = (), *, piece: int = 0, ahead: int | None = None
    ) -> None:
        self.total = total
        self.changed = Condition()
        self._done = merged(landed)
        self._gaps = gaps(self._done, total)
        self._active: list[Span] = []
        self._piece = piece
        self._ahead = ahead
        self._taken = self.prefix
        self._stopped = False
        self.arrived = 0
        """Bytes that have come since this plan was made."""

    @property
    def prefix(self) -> int:
        """All bytes before this one are here."""
        landed = self.landed
        return landed[0][1] if landed and landed[0][0] == 0 else 0

    @property
    def landed(self) -> tuple[Interval, ...]:
        """What is here."""
        with self.changed:
            return merged((*self._done, *((span.start, span.at) for span in self._active)))

    @property
    def active(self) -> int:
        """How many spans are on their way."""
        with self.changed:
            return len(self._active)

    @property
    def delivering(self) -> int:
        """How many of them have brought a byte."""
        with self.changed:
            return sum(span.at > span.start for span in self._active)

    @property
    def stopped(self) -> bool:
        """Whether nothing more is to be fetched."""
        return self._stopped

    def take(self, *, wait: bool = True) -> Span | None:
        """The next bytes to fetch.

        Args:
            wait: for the reader, where they would come too far ahead of it. The reader itself must not.

        Returns:
            None where everything is here or on its way in shares too small to divide, or the plan was stopped.
        """
        with self.changed:
            while not self._stopped:
                if not self._gaps:
                    return self._share() if self._ahead is None else None
                start, end = self._gaps[0]
                if self._ahead is None:
                    return self._begin(start, end)
                end = min(end, start + self._piece)
                if end <= self._taken + self._ahead:
                    return self._begin(start, end)
                if not wait:
                    return None
                self.changed.wait()
        return None

    def _begin(self, start: int, end: int) -> Span:
        _, last = self._gaps.pop(0)
        if end < last:
            self._gaps.insert(0, (end, last))
        span = Span(start, end)
        self._active.append(span)
        return span

    def _share(self) -> Span | None:
        """Half of what the one with the most left has not begun."""
        slowest = max(self._active, key=lambda span: span.end - span.claimed, default=None)
        if slowest is None or slowest.end - slowest.claimed < 2 * SMALLEST_SHARE:
            return None
        middle = (slowest.claimed + slowest.end) // 2
        span = Span(middle, slowest.end)
        slowest.end = middle
        self._active.append(span)
        return span

    def claim(self, span: Span, count: int) -> int:
        """How many of ``count`` bytes that came still belong to ``span``; nobody else will fetch those."""
        with self.changed:
            span.claimed = min(span.at + count, span.end)
            return span.claimed - span.at

    def put(self, span: Span, count: int) -> None:
        """The claimed bytes are in their place."""
        with self.changed:
            span.at += count
            self.arrived += count
            self.changed.notify_all()

    def leave(self, span: Span) -> None:
        """Its connection is done with ``span``; what is missing of it is for others."""
        with self.changed:
            self._active.remove(span)
            self._done = merged((*self._done, (span.start, span.at)))
            if span.at < span.end:
                self._gaps = sorted([*self._gaps, (span.at, span.end)])
            self.changed.notify_all()

    def took(self, at: int) -> None:
        """The reader has everything before ``at``."""
        with self.changed:
            self._taken = at
            self.changed.notify_all()

    def stop(self) -> None:
        """Fetch nothing more."""
        with self.changed:
            self._stopped = True
            self.changed.notify_all()
