"""Which failures of a transfer are tried again, how often, and after what pause."""

from __future__ import annotations

from airflow_provider_batchdl.client.policy import backoff
from airflow_provider_batchdl.client.ratelimit import LONGEST_WAIT
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    RateLimitedError,
    ResultExpiredError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.transfer.stream import InterruptedTransferError

TRY_AGAIN = (InterruptedTransferError, RateLimitedError, ResultExpiredError, VendorUnavailableError)
FAILURES_WITHOUT_PROGRESS = 5
"""So many failures in a row without a new byte end a transfer."""


class RetryBudget:
    """Counts failures; any progress makes it whole again.

    Args:
        reached: the byte from which progress counts.
    """

    def __init__(self, reached: int = 0) -> None:
        self._reached = reached
        self._failures = 0

    def pause(self, error: BatchDlError, reached: int) -> float:
        """Seconds to wait after a failure.

        Args:
            error: the failure.
            reached: the byte at which it happened.

        Raises:
            BatchDlError: ``error``, where it is not to be tried again: there were too many, or the wait that it asks
                for is so long that Airflow's own retry should do the waiting.
        """
        self._failures = 1 if reached > self._reached else self._failures + 1
        self._reached = reached
        if self._failures >= FAILURES_WITHOUT_PROGRESS or (error.retry_after or 0.0) > LONGEST_WAIT:
            raise error
        return backoff(self._failures - 1, error.retry_after)
