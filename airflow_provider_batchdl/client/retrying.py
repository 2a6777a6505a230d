"""The one retry loop: tenacity's, driven by functions of the error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tenacity import RetryCallState, stop_after_attempt

from airflow_provider_batchdl.exceptions import BatchDlError


def retry_options(
    attempts: int,
    is_retryable: Callable[[Any], bool],
    delay: Callable[[int, Any], float],
    on_retry: Callable[[Any, float], None] = lambda error, seconds: None,
    *,
    kind: type[Exception] = BatchDlError,
) -> dict[str, Any]:
    """The keyword arguments for tenacity's ``Retrying`` and ``AsyncRetrying``; the last error is raised as it is.

    ``delay`` gives the seconds to wait after the n-th failure. An error that is not of ``kind`` is never retried.
    """

    def error(state: RetryCallState) -> Any:
        return state.outcome.exception() if state.outcome else None

    def before_sleep(state: RetryCallState) -> None:
        on_retry(error(state), state.next_action.sleep if state.next_action else 0.0)

    return {
        "retry": lambda state: isinstance(error(state), kind) and is_retryable(error(state)),
        # tenacity also asks after the last failure, before it stops.
        "wait": lambda state: delay(state.attempt_number, error(state)) if state.attempt_number < attempts else 0.0,
        "stop": stop_after_attempt(attempts),
        "before_sleep": before_sleep,
        "reraise": True,
    }
