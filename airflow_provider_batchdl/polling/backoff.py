"""Delays and retries between two polls of a job: the same for sensor, trigger and operator."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from typing import TypeVar

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import BatchDlError, JobNotFoundError, UnexpectedResponseError

T = TypeVar("T")

log = get_logger(__name__)

# Consecutive failed polls, for reasons that a retry may fix, at which a wait fails.
MAX_FAILURES = 5
# Minimum seconds from a poll that did not find the job to the next: a vendor may take minutes to show a new one, and
# a read from a replica may miss an old one.
NOT_FOUND_DELAYS = (10.0, 20.0, 40.0, 60.0)
# A job of more seconds than this is not new: what does not find it is a slip, which is over sooner.
YOUNG_SECONDS = 600.0
OLD_SHARE = 0.1
# Share of the interval by which waits that started together drift apart.
JITTER = 0.1


class PollBackoff:
    """Consecutive failures of one wait's polls, and the delay before the next poll.

    A wait fails if the vendor asks for more than ``longest`` seconds. A ``young`` job may not show everywhere yet.
    """

    def __init__(self, interval: float, failures: int = 0, *, longest: float = math.inf, young: bool = True) -> None:
        self._young = young
        self.interval = interval
        self.failures = failures
        self._longest = longest
        self._asked = 0.0

    def reset(self) -> None:
        """Record a poll that succeeded."""
        self.failures, self._asked = 0, 0.0

    def record_failure(self, error: BatchDlError) -> None:
        """Record a poll that failed; raise ``error`` where waiting cannot help, or it is one too many.

        A job that is not found is retried as well, with longer and longer delays.
        """
        self.failures += 1
        self._asked = error.retry_after or 0.0
        missing = isinstance(error, JobNotFoundError)
        hopeless = not error.retryable and not missing
        if hopeless or self._asked > self._longest or self.failures >= MAX_FAILURES:
            raise error
        if missing:
            delay = NOT_FOUND_DELAYS[min(self.failures, len(NOT_FOUND_DELAYS)) - 1]
            self._asked = max(self._asked, delay if self._young else delay * OLD_SHARE)
        allowed = MAX_FAILURES - 1
        log.warning("Poll failed (%d of %d consecutive failures allowed), retrying: %s", self.failures, allowed, error)

    def next_delay(self) -> float:
        """Seconds until the next poll: the interval, jittered, or the vendor's Retry-After if that is longer."""
        return max(self.interval * random.uniform(1 - JITTER, 1 + JITTER), self._asked)


def until_found(ask: Callable[[], T], is_listed: Callable[[], bool], *, young: bool = False) -> T:
    """The value of ``ask``, retried a few times where the vendor does not find the job it is about.

    A job that may be new (``young``) counts as gone after two minutes, another one after some seconds.
    """
    backoff = PollBackoff(0.0, young=young)
    while True:
        try:
            return ask()
        except JobNotFoundError as error:
            try:
                backoff.record_failure(error)
            except JobNotFoundError:
                if not is_listed():
                    raise
                raise UnexpectedResponseError(
                    "The vendor lists the job, and does not find it.", vendor=error.vendor, job_id=error.job_id
                ) from error
        time.sleep(backoff.next_delay())
