"""Progress lines of a download in the task's log, and its summary."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Protocol

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.jobs import LandedFile, Landing

log = get_logger(__name__)

INTERVAL = 10.0
"""Minimum seconds between two lines."""
STEP = 0.05
"""Minimum share of the file between two lines, so that a slow download does not fill the log."""
LONGEST_SILENCE = 60.0
"""Seconds after which a line is logged even for a smaller share."""
DIGEST_SHOWN = 12
"""Hex digits of a SHA-256: enough to compare by eye; the manifest and XCom have all of them."""


class Progress(Protocol):
    """Progress reporter of one file. Called for every chunk, so it must be fast; it must not raise."""

    def begin(self, name: str, done: int, total: int | None) -> None:
        """Bytes are about to arrive: of a new file, or after the first ``done``; ``total`` is None for unknown."""

    def at(self, done: int) -> None:
        """So many bytes have arrived so far."""


class ProgressLines:
    """Report one file's progress by a line now and then, to the log by default. A call costs one read of the clock."""

    def __init__(self, say: Callable[[str], None] | None = None, clock: Callable[[], float] = monotonic) -> None:
        self._say = say or (lambda line: log.info("%s", line))
        self._clock = clock
        self._name = ""
        self._total: int | None = None
        # Time and bytes of the last line, from which the next line's rate is computed.
        self._last: tuple[float, int] | None = None

    def begin(self, name: str, done: int, total: int | None) -> None:
        """As :meth:`Progress.begin`."""
        self._name, self._total = name, total
        if self._last is None or done < self._last[1]:
            self._last = self._clock(), done

    def at(self, done: int) -> None:
        """Log a line if one is due."""
        if self._last is None:
            raise AssertionError("not begun")
        now = self._clock()
        elapsed = now - self._last[0]
        if elapsed < INTERVAL:
            return
        arrived = done - self._last[1]
        step = self._total * STEP if self._total else 0
        if arrived < step and elapsed < LONGEST_SILENCE:
            return
        self._last = now, done
        self._say(f"Downloading {self._name}: {self._status(done, arrived / elapsed)}")

    def _status(self, done: int, rate: float) -> str:
        if not self._total:
            return f"{amount(done)}, {amount(rate)}/s"
        share = f"{amount(done)} of {amount(self._total)} ({done / self._total:.0%}), {amount(rate)}/s"
        return f"{share}, {duration((self._total - done) / rate)} left" if rate > 0 else share


def log_landing(landing: Landing) -> None:
    """Log the files of a landing and its summary."""
    for file in landing.files:
        log.info("Landed %s: %s", file.uri, _content(file))
    log.info("The result of job %s is complete: %s", landing.job_id, _summary(landing))


def _content(file: LandedFile) -> str:
    facts = [amount(file.bytes)]
    if file.rows is not None:
        facts.append(plural(file.rows, "row"))
    if file.sha256:
        facts.append(f"sha256 {file.sha256[:DIGEST_SHOWN]}…")
    return ", ".join(facts)


def _summary(landing: Landing) -> str:
    facts = [
        plural(len(landing.files), "file"),
        f"{amount(landing.bytes)} in {duration(landing.seconds)}",
        f"{amount(landing.bytes / max(landing.seconds, 1e-3))}/s",
        plural(landing.connections, "connection"),
    ]
    if landing.resumed:
        facts.append(f"resumed {plural(landing.resumed, 'time')}")
    if landing.restarted:
        facts.append(f"restarted {plural(landing.restarted, 'time')}")
    return ", ".join(facts)


def amount(count: float) -> str:
    """Format bytes in decimal units."""
    if count < 1000:
        return plural(round(count), "byte")
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 999.95:
            return f"{count:.1f} {unit}"
    return f"{count / 1000:.1f} TB"


def duration(seconds: float) -> str:
    """Format seconds in at most two units."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, noun: str) -> str:
    """Format ``count`` with its noun."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
