"""How long to wait, and how much to forgive, between two looks at a job: the same for sensor, trigger and operator."""

from __future__ import annotations

import random

from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.redaction import get_logger

log = get_logger(__name__)

# So many looks may fail in a row, for reasons that pass, before a wait is given up.
FORGIVEN_FAILURES = 5
# Waits of many tasks that began together drift apart by this share of their interval.
JITTER = 0.1


class Patience:
    """Counts the failures in a row of one wait, and spaces its looks.

    Args:
        interval: seconds between two looks; it may be changed in between.
        failures: how many in a row there were before, where a wait goes on in another process.
        longest: the most seconds that the vendor may ask for; where it asks for more, the wait is given up.
    """

    def __init__(self, interval: float, failures: int = 0, *, longest: float = float("inf")) -> None:
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
        """A look failed.

        Raises:
            BatchDlError: ``error`` itself, where waiting on will not help, it is one too many, or the vendor asks for
                too long a wait.
        """
        self._failures += 1
        self._asked = error.retry_after or 0.0
        if not error.retryable or self._failures >= FORGIVEN_FAILURES or self._asked > self._longest:
            raise error
        log.warning("Look %d of %d failed, waiting on: %s", self._failures, FORGIVEN_FAILURES, error)

    def pause(self) -> float:
        """Seconds until the next look: the interval, jittered, or what the vendor asked for if that is longer."""
        return max(self.interval * random.uniform(1 - JITTER, 1 + JITTER), self._asked)
