"""What a person reads in the task's log about a download: how far it is while it lasts, and what it left."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Protocol

from airflow_provider_batchdl.jobs import LandedFile, Landing
from airflow_provider_batchdl.redaction import get_logger

log = get_logger(__name__)

INTERVAL = 10.0
"""Seconds between two lines, at least."""
STEP = 0.05
"""Share of the file between two lines, so that a slow download does not fill the log."""
LONGEST_SILENCE = 60.0
"""Seconds after which there is a line whatever share has come: whoever waits wants to see that something does."""
DIGEST_SHOWN = 12
"""Hex digits of a SHA-256: enough to compare by eye; the manifest and XCom have all of them."""


class Progress(Protocol):
    """Is told how far one file has come. It is called for every chunk, so it must be quick; it must not raise."""

    def begin(self, name: str, done: int, total: int | None) -> None:
        """Bytes are about to come: of a file, of the rest of one that was interrupted, or of one begun again.

        Args:
            name: what to call the file.
            done: bytes that are here.
            total: bytes that it has, where known.
        """

    def at(self, done: int) -> None:
        """Bytes came.

        Args:
            done: bytes that are here.
        """


class ProgressLines:
    """Tells how far one file has come by a line now and then. A call costs one look at the clock.

    Args:
        say: takes a line; the log where left out.
        clock: seconds, monotonic.
    """

    def __init__(self, say: Callable[[str], None] | None = None, clock: Callable[[], float] = monotonic) -> None:
        self._say = say or (lambda line: log.info("%s", line))
        self._clock = clock
        self._name = ""
        self._total: int | None = None
        # When the last line was written and what was there then: what the next line's rate is measured from.
        self._said: tuple[float, int] | None = None

    def begin(self, name: str, done: int, total: int | None) -> None:
        """As :meth:`Progress.begin`."""
        self._name, self._total = name, total
        if self._said is None or done < self._said[1]:
            self._said = self._clock(), done

    def at(self, done: int) -> None:
        """Write a line, if it is time for one."""
        if self._said is None:
            raise AssertionError("not begun")
        now = self._clock()
        elapsed = now - self._said[0]
        if elapsed < INTERVAL:
            return
        came = done - self._said[1]
        step = self._total * STEP if self._total else 0
        if came < step and elapsed < LONGEST_SILENCE:
            return
        self._said = now, done
        self._say(f"Downloading {self._name}: {self._standing(done, came / elapsed)}.")

    def _standing(self, done: int, rate: float) -> str:
        if not self._total:
            return f"{amount(done)}, {amount(rate)}/s"
        share = f"{amount(done)} of {amount(self._total)} ({done / self._total:.0%}), {amount(rate)}/s"
        return f"{share}, {duration((self._total - done) / rate)} left" if rate > 0 else share


def tell_landing(landing: Landing) -> None:
    """Log where everything is, and how it came."""
    for file in landing.files:
        log.info("Landed %s: %s.", file.uri, _content(file))
    log.info("The result of job %s is complete: %s.", landing.job_id, _way(landing))


def _content(file: LandedFile) -> str:
    facts = [amount(file.bytes)]
    if file.rows is not None:
        facts.append(plural(file.rows, "row"))
    if file.sha256:
        facts.append(f"sha256 {file.sha256[:DIGEST_SHOWN]}…")
    return ", ".join(facts)


def _way(landing: Landing) -> str:
    facts = [
        plural(len(landing.files), "file"),
        f"{amount(landing.bytes)} in {duration(landing.seconds)}",
        f"{amount(landing.bytes / max(landing.seconds, 1e-3))}/s",
        plural(landing.connections, "connection"),
    ]
    if landing.resumed:
        facts.append(f"resumed {plural(landing.resumed, 'time')}")
    if landing.restarted:
        facts.append(f"begun again {plural(landing.restarted, 'time')}")
    return ", ".join(facts)


def amount(count: float) -> str:
    """Bytes for people, in decimal units as disks and networks are sold."""
    if count < 1000:
        return plural(round(count), "byte")
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 999.95:
            return f"{count:.1f} {unit}"
    return f"{count / 1000:.1f} TB"


def duration(seconds: float) -> str:
    """Seconds for people, in at most two units."""
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
    """``count`` of them."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
