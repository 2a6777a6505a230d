"""Rate limits as the vendors describe them."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Verdict:
    """Verdict of a limit on one request.

    Attributes:
        allowed: the request may pass, and was counted.
        limit: requests per window.
        remaining: requests left in the window.
        reset_after: seconds until the window has room, or is new.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_after: float


@dataclass
class RollingWindow:
    """At most ``limit`` requests in any ``seconds``; a refused request is not counted."""

    limit: int
    seconds: float
    _times: deque[float] = field(default_factory=deque)

    def take(self, now: float) -> Verdict:
        """Ask for one request at Unix time ``now``."""
        while self._times and self._times[0] <= now - self.seconds:
            self._times.popleft()
        allowed = len(self._times) < self.limit
        if allowed:
            self._times.append(now)
        return Verdict(allowed, self.limit, self.limit - len(self._times), self._times[0] + self.seconds - now)


@dataclass
class FixedWindow:
    """At most ``limit`` requests per window.

    Aligned windows begin at whole multiples of ``seconds`` (days end at midnight UTC), others with the first request
    after the last window.
    """

    limit: int
    seconds: float
    aligned: bool = True
    _end: float = float("-inf")
    _count: int = 0

    def take(self, now: float) -> Verdict:
        """Ask for one request at Unix time ``now``."""
        if now >= self._end:
            begin = math.floor(now / self.seconds) * self.seconds if self.aligned else now
            self._end, self._count = begin + self.seconds, 0
        allowed = self._count < self.limit
        self._count += allowed
        return Verdict(allowed, self.limit, self.limit - self._count, self._end - now)


@dataclass
class TokenBucket:
    """Bursts of ``burst`` requests, refilled by one every ``seconds``."""

    burst: int
    seconds: float
    _level: float = -1.0
    _at: float = 0.0

    def take(self, now: float) -> Verdict:
        """Ask for one request at Unix time ``now``."""
        level = self.burst if self._level < 0 else min(self.burst, self._level + (now - self._at) / self.seconds)
        allowed = level >= 1
        self._level, self._at = level - allowed, now
        wait = max(0.0, (1 - self._level) * self.seconds)
        return Verdict(allowed, self.burst, int(self._level), wait)


Limit = RollingWindow | FixedWindow | TokenBucket
