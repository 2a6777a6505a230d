"""Choose the number of connections for a file: more while they raise the rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import perf_counter, thread_time

SOURCE_BOUND = 0.75
"""Share of the time spent waiting for a single connection above which the source is the bottleneck."""
LISTEN = 0.1
"""Seconds of one measurement."""
PATIENCE = 2.0
"""Seconds in which new connections must have received a byte."""
HELPED = 1.25
"""Factor by which a step must raise the rate; ideal steps have 4 and 2."""


class Meter:
    """Measure whether a single connection is the bottleneck of a transfer.

    CPU time of this thread (decryption, hashes) and the time of the destination do not count as waiting.
    """

    def __init__(self) -> None:
        self._began = perf_counter()
        self._waited = 0.0
        self._bytes = 0

    def timed(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield ``chunks``, and measure them."""
        wall, cpu = perf_counter(), thread_time()
        for chunk in chunks:
            self._waited += (perf_counter() - wall) - (thread_time() - cpu)
            self._bytes += len(chunk)
            yield chunk
            wall, cpu = perf_counter(), thread_time()

    @property
    def source_bound(self) -> bool:
        """True if the source has been measured for long enough, and is the bottleneck."""
        elapsed = perf_counter() - self._began
        return elapsed >= LISTEN and self._waited >= SOURCE_BOUND * elapsed

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self._bytes / max(perf_counter() - self._began, 1e-6)


class ConnectionScaler:
    """Number of connections: one, then four, then eight, as long as each step raises the total rate.

    A step that does not help is reverted. ``rate`` is that of a single one, in bytes a second.
    """

    def __init__(self, limit: int, rate: float) -> None:
        self._limit = limit
        self._rate = rate
        self._before, self.wanted = 1, _more(1, limit)
        self._began: float | None = None
        self._window: tuple[float, int] | None = None
        self._settled = False

    def observe(self, now: float, arrived: int, delivering: int) -> int:
        """The number of connections to use ``now`` (monotonic), after so many bytes; ``delivering`` have got any."""
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
        """Limit the number to what the server accepts."""
        self.wanted, self._settled = max(1, min(self.wanted, limit)), True


def _more(count: int, limit: int) -> int:
    return min(limit, 4 if count == 1 else 2 * count)
