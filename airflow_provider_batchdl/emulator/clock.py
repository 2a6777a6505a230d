"""Where the emulator takes its time from: the system's clock, or one that a test moves by hand."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Anything that tells Unix time in seconds."""

    def time(self) -> float:
        """Return the current Unix time in seconds."""
        ...


class SystemClock:
    """The system's wall clock."""

    def time(self) -> float:
        """Return the current Unix time in seconds."""
        return time.time()


class ManualClock:
    """A clock that stands still until a test advances it.

    Jobs, rate limits, tokens and links all read it, so a test can cross a token's two hours in no time. Faults that
    hold bytes back (``stall``, ``drip``) sleep in real time, because the client that they annoy does.

    Args:
        start: Unix time in seconds at which the clock stands at first.
    """

    def __init__(self, start: float = 1_767_225_600.0) -> None:
        self._now = float(start)
        self._lock = threading.Lock()

    def time(self) -> float:
        """Return the Unix time in seconds that the clock stands at."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Args:
            seconds: how far, in seconds; not negative.

        Raises:
            ValueError: for a negative step; time that runs back would un-finish jobs.
        """
        if seconds < 0:
            raise ValueError(f"a clock cannot go back (advance by {seconds} s)")
        with self._lock:
            self._now += seconds
