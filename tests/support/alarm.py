"""A signal whose handler raises in the main thread, wherever that is, as Airflow's time-outs and SIGTERM do."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator


class _Interrupted(BaseException):
    """As Airflow's own, it is no `Exception`."""


def ring() -> None:
    """Let the time-out that a timer is set for, as Airflow's ``execution_timeout`` is, come now."""
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    for _ in range(6_000):  # not `signal.pause`, which waits for ever if the signal has just arrived
        time.sleep(0.01)


@contextlib.contextmanager
def interrupted_once(happens: Callable[[], object], *, within: float = 60.0) -> Iterator[list[float]]:
    """Interrupt the block shortly after something has happened, however long a busy machine takes to get there.

    Yields:
        The time of the signal, by ``time.monotonic``, once it has been sent.
    """
    sent: list[float] = []

    def watch() -> None:
        end = time.monotonic() + within
        while not happens() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.1)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGALRM)

    threading.Thread(target=watch, daemon=True).start()
    with interrupted_after(within + 10):
        yield sent


@contextlib.contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Interrupt the block, which must still run then."""

    def interrupt(*_: object) -> None:
        raise _Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _Interrupted:
        return
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    raise AssertionError(f"it ended before {seconds} s")
