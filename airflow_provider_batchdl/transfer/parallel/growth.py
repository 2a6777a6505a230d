"""How many connections a file is worth: more while more of them bring it faster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import perf_counter, thread_time

SOURCE_BOUND = 0.75
"""The share of its time that a single connection must be waited for: else we, not it, are what is slow."""
LISTEN = 0.1
"""Seconds for which a number of connections is measured."""
PATIENCE = 2.0
"""Seconds in which new connections must have brought a byte."""
HELPED = 1.25
"""What a step must have multiplied the rate by; the ideal ones are 4 and 2."""


class Meter:
    """Tells whether a single connection is what a transfer waits for.

    The time in which this thread computes (decrypts, hashes) is ours, and so is the time that a store takes.
    """

    def __init__(self) -> None:
        self._began = perf_counter()
        self._waited = 0.0
        self._bytes = 0

    def timed(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """``chunks``, measured as they come."""
        each = iter(chunks)
        while True:
            wall, cpu = perf_counter(), thread_time()
            chunk = next(each, None)
            self._waited += (perf_counter() - wall) - (thread_time() - cpu)
            if chunk is None:
                return
            self._bytes += len(chunk)
            yield chunk

    @property
    def source_bound(self) -> bool:
        """Whether the source has been measured for long enough, and is the slow side."""
        elapsed = perf_counter() - self._began
        return elapsed >= LISTEN and self._waited >= SOURCE_BOUND * elapsed

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self._bytes / max(perf_counter() - self._began, 1e-6)


class Growth:
    """The number of connections to have: four in place of one, then eight, as long as each step helps.

    Two steps, since the first bytes of a file are fetched slowly while they are taken; each is judged by what all
    connections together bring a second. A step that does not help is taken back.

    Args:
        limit: the most connections.
        rate: what a single one brought, in bytes a second.
    """

    def __init__(self, limit: int, rate: float) -> None:
        self._limit = limit
        self._rate = rate
        self._before, self.wanted = 1, _more(1, limit)
        self._began: float | None = None
        self._window: tuple[float, int] | None = None
        self._settled = False

    def observe(self, now: float, arrived: int, delivering: int) -> int:
        """How many connections there should be.

        Args:
            now: seconds, monotonic.
            arrived: bytes that all of them have brought.
            delivering: how many have brought any.
        """
        if self._settled:
            return self.wanted
        if self._window is None:
            self._began = self._began or now
            if delivering >= self.wanted or now - self._began >= PATIENCE:
                self._window = now, arrived
        elif now - self._window[0] >= LISTEN:
            self._judge((arrived - self._window[1]) / (now - self._window[0]))
        return self.wanted

    def _judge(self, rate: float) -> None:
        if rate < self._rate * HELPED:
            self.wanted, self._settled = self._before, True
            return
        self._rate, self._before = rate, self.wanted
        self.wanted = _more(self.wanted, self._limit)
        self._began = self._window = None
        self._settled = self.wanted == self._before

    def cap(self, limit: int) -> None:
        """The server takes no more than ``limit`` connections."""
        self.wanted, self._settled = max(1, min(self.wanted, limit)), True


def _more(count: int, limit: int) -> int:
    return min(limit, 4 if count == 1 else 2 * count)
