"""Which failures of a transfer are tried again, how often, and after what pause."""

from __future__ import annotations

from http import HTTPStatus

from urllib3.exceptions import ConnectTimeoutError
from urllib3.exceptions import TimeoutError as TransportTimeoutError

from airflow_provider_batchdl.client.policy import backoff
from airflow_provider_batchdl.client.ratelimit import LONGEST_WAIT
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    RateLimitedError,
    ResultExpiredError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.observers import Reason, tell_retry
from airflow_provider_batchdl.transfer.stream import InterruptedTransferError, StalledTransferError

TRY_AGAIN = (InterruptedTransferError, RateLimitedError, ResultExpiredError, VendorUnavailableError)
FAILURES_WITHOUT_PROGRESS = 5
"""So many failures in a row without a new byte end a transfer."""


class RetryBudget:
    """Counts failures; any progress makes it whole again.

    Args:
        vendor: the vendor's name, for those who count.
        reached: the byte from which progress counts.
    """

    def __init__(self, vendor: str, reached: int = 0) -> None:
        self._vendor = vendor
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
        tell_retry(self._vendor, "download", reason(error))
        return backoff(self._failures - 1, error.retry_after)


def reason(error: BatchDlError) -> Reason:
    """Why a transfer that broke in this way goes on, in a word."""
    if isinstance(error, StalledTransferError):
        return "stalled"
    if isinstance(error, InterruptedTransferError):
        return "other" if isinstance(error.__context__, BatchDlError) else "dropped"
    if isinstance(error, ResultExpiredError):
        return "expired_link"
    if isinstance(error, RateLimitedError) or error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limited"
    if error.status:
        return "server_error"
    cause = error.__context__  # what urllib3 raised; a connection that times out has its own type
    if isinstance(cause, ConnectTimeoutError):
        return "connect"
    return "timeout" if isinstance(cause, TimeoutError | TransportTimeoutError) else "dropped"
