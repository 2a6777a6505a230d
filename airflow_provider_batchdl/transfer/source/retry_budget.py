"""Retries of a transfer: which failures, how many, after what back-off."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from time import monotonic, sleep
from typing import TypeVar

from urllib3.exceptions import ConnectTimeoutError
from urllib3.exceptions import TimeoutError as TransportTimeoutError

from airflow_provider_batchdl.client.policy import backoff
from airflow_provider_batchdl.client.retry_events import Reason, emit_retry
from airflow_provider_batchdl.client.throttle import LONGEST_WAIT
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    RateLimitedError,
    ResultExpiredError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.transfer.source.stream import (
    RATE_WINDOW,
    SLOWEST,
    InterruptedTransferError,
    StalledTransferError,
)

TRY_AGAIN = (InterruptedTransferError, RateLimitedError, ResultExpiredError, VendorUnavailableError)
FAILURES_WITHOUT_PROGRESS = 5
"""Consecutive failures without a new byte after which a transfer fails."""
T = TypeVar("T")


class RetryBudget:
    """Count consecutive failures of a transfer; any progress, from the byte ``reached`` on, resets the count.

    A transfer that is interrupted again and again must be as fast as a single response: of minutes with less than
    `SLOWEST`, there may be as many in a row as failures. Else a byte for each connection would be progress for ever.
    """

    def __init__(self, vendor: str, reached: int = 0) -> None:
        self._vendor = vendor
        self._reached = reached
        self._failures = 0
        self._slow_minutes = 0
        self._window = monotonic(), reached

    def run(
        self,
        attempt: Callable[[], T],
        at: Callable[[], int],
        on_retry: Callable[[BatchDlError, float], None],
        wait: Callable[[float], object] | None = None,
    ) -> T:
        """Call ``attempt`` until it returns, with a back-off, in seconds, after each failure of `TRY_AGAIN`.

        ``at`` is the byte that the transfer has reached. A failure that must not be retried here is raised: after too
        many, or with a Retry-After that is so long that Airflow's own retry should wait for it.
        """
        while True:
            try:
                return attempt()
            except TRY_AGAIN as error:
                delay = self._delay(error, at())
                on_retry(error, delay)
                (wait or sleep)(delay)

    def _delay(self, error: BatchDlError, reached: int) -> float:
        self._failures = 1 if reached > self._reached else self._failures + 1
        self._reached = max(reached, self._reached)
        failures = max(self._failures, self._count_slow_minutes())
        if failures >= FAILURES_WITHOUT_PROGRESS or (error.retry_after or 0.0) > LONGEST_WAIT:
            raise error
        emit_retry(self._vendor, "download", _reason(error))
        return backoff(self._failures - 1, error.retry_after)

    def _count_slow_minutes(self) -> int:
        began, before = self._window
        elapsed = monotonic() - began
        if elapsed > RATE_WINDOW:
            is_slow = self._reached - before < SLOWEST * elapsed
            self._slow_minutes = self._slow_minutes + 1 if is_slow else 0
            self._window = monotonic(), self._reached
        return self._slow_minutes


def _reason(error: BatchDlError) -> Reason:
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
