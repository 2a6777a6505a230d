"""How long to wait, and how much to forgive, between two looks at a job: the same for sensor, trigger and operator."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from airflow_provider_batchdl.exceptions import BatchDlError, JobNotFoundError, UnexpectedResponseError
from airflow_provider_batchdl.redaction import get_logger

T = TypeVar("T")

log = get_logger(__name__)

# So many looks may fail in a row, for reasons that pass, before a wait is given up.
FORGIVEN_FAILURES = 5
# Least seconds before the poll after one that did not find the job: a vendor may take minutes to show a new one, and a
# read from a replica may miss an old one.
NOT_FOUND_PAUSES = (10.0, 20.0, 40.0, 60.0)
# A job of more seconds than this is not new: what does not find it is a slip, which is over sooner.
YOUNG_SECONDS = 600.0
OLD_SHARE = 0.1
# Waits of many tasks that began together drift apart by this share of their interval.
JITTER = 0.1


class Patience:
    """Counts the failures in a row of one wait, and spaces its looks.

    Args:
        interval: seconds between two looks; it may be changed in between.
        failures: how many in a row there were before, where a wait goes on in another process.
        longest: the most seconds that the vendor may ask for; where it asks for more, the wait is given up.
        young: whether the job may be new, so that the vendor may not show it everywhere yet.
    """

    def __init__(
        self, interval: float, failures: int = 0, *, longest: float = float("inf"), young: bool = True
    ) -> None:
        self._young = young
        self.interval = interval
        self._failures = failures
        self._longest = longest
        self._asked = 0.0

    @property
    def failures(self) -> int:
        """How many in a row there were."""
        return self._failures

    def reset(self) -> None:
        """A look succeeded."""
        self._failures, self._asked = 0, 0.0

    def forgive(self, error: BatchDlError) -> None:
        """A look failed. That the vendor does not find the job is forgiven as well, with longer and longer pauses.

        Raises:
            BatchDlError: ``error`` itself, where waiting on will not help, it is one too many, or the vendor asks for
                too long a wait.
        """
        self._failures += 1
        self._asked = error.retry_after or 0.0
        missing = isinstance(error, JobNotFoundError)
        hopeless = not error.retryable and not missing
        if hopeless or self._asked > self._longest or self._failures >= FORGIVEN_FAILURES:
            raise error
        if missing:
            pause = NOT_FOUND_PAUSES[min(self._failures, len(NOT_FOUND_PAUSES)) - 1]
            self._asked = max(self._asked, pause if self._young else pause * OLD_SHARE)
        log.warning("Look %d of %d failed, waiting on: %s", self._failures, FORGIVEN_FAILURES, error)

    def pause(self) -> float:
        """Seconds until the next look: the interval, jittered, or what the vendor asked for if that is longer."""
        return max(self.interval * random.uniform(1 - JITTER, 1 + JITTER), self._asked)


def until_found(ask: Callable[[], T], is_listed: Callable[[], bool], *, young: bool = False) -> T:
    """What ``ask`` returns; where the vendor does not find the job it is about, ask again a few times.

    Args:
        ask: asks about one job.
        is_listed: whether the vendor lists it.
        young: whether the job may be new; then it takes two minutes until it counts as gone, else some seconds.

    Raises:
        JobNotFoundError: the job is gone.
        UnexpectedResponseError: it is not found, and listed all the same.
        BatchDlError: what else ``ask`` raises.
    """
    patience = Patience(0.0, young=young)
    while True:
        try:
            return ask()
        except JobNotFoundError as error:
            try:
                patience.forgive(error)
            except JobNotFoundError:
                if not is_listed():
                    raise
                raise UnexpectedResponseError(
                    "The vendor lists the job, and does not find it.", vendor=error.vendor, job_id=error.job_id
                ) from error
        time.sleep(patience.pause())
