"""From a typed error to what Airflow should do with the task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.frames import emptied_frames

try:
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
    )
except ImportError:  # Airflow 3.1
    from airflow.exceptions import (  # type: ignore[attr-defined,no-redef]
        AirflowException,
        AirflowFailException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
    )

__all__ = [
    "AirflowException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "BatchTaskFailedError",
    "no_vain_retries",
]


class BatchTaskFailedError(AirflowFailException):
    """The task fails now, with no retry left to run, since none could help. ``__cause__`` is the typed error."""


@contextmanager
def no_vain_retries(*mended_by_retry: type[BatchDlError]) -> Iterator[None]:
    """Fail the task at once for errors that no retry can mend; let the others through, to be retried.

    Args:
        mended_by_retry: error types that a retry of this very task does mend, although looking again would not.
    """
    try:
        with emptied_frames():
            yield
    except mended_by_retry:
        raise
    except BatchDlError as error:
        if error.retryable:
            raise
        raise BatchTaskFailedError(str(error)) from error
