"""Context manager that turns a typed error into a failed, skipped or retried task."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._airflow.compat import AirflowException, AirflowFailException, AirflowTaskTimeout
from airflow_provider_batchdl._airflow.job_note import note_error
from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._redaction.tracebacks import empty_frames, shorten
from airflow_provider_batchdl.exceptions import BatchDlError

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["BatchTaskFailedError", "fail_fast"]

log = get_logger(__name__)


class BatchTaskFailedError(AirflowFailException):
    """The task fails without further retries, since none can help.

    Args:
        cause: the typed error.
    """

    def __init__(self, cause: BatchDlError) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")  # with the class: people search for it in logs
        self.cause = cause


class fail_fast:  # noqa: N801 used like a function, as contextlib's are
    """Fail a task at once for errors that no retry can fix; let others pass, to be retried.

    Our errors, and Airflow's time-outs, are raised with a short traceback of the callers only, without their causes.
    Right before, two lines are logged: what happened, and what to do.

    Args:
        fixed_by_retry: error types that a retry of this task can fix, although a retry of the request cannot.
        task: the running task, which notes the error for the page "Batch jobs"; None before it runs.
        context: the running task's.
        skips_final: whether an error that no retry can fix skips the task, as a sensor's ``soft_fail`` does; it is
            logged as a warning.
        skips_all: whether any error does, as with a sensor's ``never_fail``.
    """

    def __init__(
        self,
        *fixed_by_retry: type[BatchDlError],
        task: Any = None,
        context: Context | None = None,
        skips_final: bool = False,
        skips_all: bool = False,
    ) -> None:
        self._fixed_by_retry = fixed_by_retry
        self._task, self._context = task, context
        self._skips_final = skips_final
        self._skips_all = skips_all

    def __enter__(self) -> None:
        pass

    # No generator with contextlib.contextmanager: that restores the traceback.
    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        if error is None:
            return
        if self._context is not None:
            note_error(self._task, self._context, error)
        empty_frames(error)
        if isinstance(error, BatchDlError):
            error.cause = shorten(error) or error.cause
            final = not (error.retryable or isinstance(error, self._fixed_by_retry))
            level = logging.WARNING if self._skips_all or (final and self._skips_final) else logging.ERROR
            log.log(level, "%s", error.description)
            if error.remedy:
                log.log(level, "What to do: %s", error.remedy)
            if final:
                raise BatchTaskFailedError(error) from None
        elif isinstance(error, AirflowException | AirflowTaskTimeout):
            shorten(error)
