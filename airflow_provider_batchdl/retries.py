"""When Airflow should try a task again, as an Airflow 3.3 retry policy.

Below Airflow 3.3 there are no retry policies. This module can be imported there all the same, and a policy in
``default_args`` does no harm and has no effect; given to an operator by name, that Airflow refuses it as an argument
it does not know.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    RateLimitedError,
    ResultNotReadyError,
    SubmitUncertainError,
    VendorUnavailableError,
)

try:
    from airflow.sdk import RetryPolicy
except ImportError:  # below Airflow 3.3
    RetryPolicy = object  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryDecision

# An exception that wraps an exception that wraps …: no more than a person would read.
DEEPEST_CAUSE = 10
# Errors whose delay is the vendor's word on when the same will go well.
_THEIR_DELAY = (RateLimitedError, VendorUnavailableError, ResultNotReadyError, SubmitUncertainError)


class BatchDlRetryPolicy(RetryPolicy):
    """Fails a task at once where a retry cannot help, and retries it when the vendor says.

    ::

        BatchJobOperator(..., retries=5, retry_policy=BatchDlRetryPolicy())
        DAG(..., default_args={"retries": 5, "retry_policy": BatchDlRetryPolicy()})

    The operators here fail at once without it, too, on what no retry can mend. The policy adds two things: code that
    uses the hooks in a task of its own gets the same treatment, also where it raised another exception ``from`` ours;
    and a delay that the vendor asked for takes the place of the task's ``retry_delay``. It changes one: the
    ``BatchJobOperator``'s job that failed at the vendor, which a retry would submit anew, fails the task.

    A policy cannot give a task more tries than its ``retries``.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """What to do about a failure.

        Args:
            exception: what the task raised; the typed error is looked for along its ``__cause__``.
            try_number: which try failed, from 1; it does not matter here.
            max_tries: how many there may be; it does not matter here.
            context: the task's context, for its ``retry_delay``.

        Returns:
            Fail, for what no retry can mend. Retry after the vendor's delay, at most a day, where it asked for one, and
            when the vendor's list will have decided about a submit without an answer.
            A delay of up to two minutes has been waited out by the client already, several times and in vain: after
            one, the task's own ``retry_delay`` applies if it is longer. The default for all else, errors that are not
            ours included.
        """
        from airflow.sdk import RetryDecision

        error = _typed(exception)
        if error is None:
            return RetryDecision.default()
        if not error.retryable:
            return RetryDecision.fail(str(error))
        if isinstance(error, _THEIR_DELAY) and error.retry_after:
            return _retry_after(error, error.retry_after, context)
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """The policy as JSON; it has no settings."""
        return {"__type": type(self).__name__}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:
        """The policy that :meth:`serialize` described."""
        return cls()


def longest_pause(task: Any, context: Context) -> float:
    """The most seconds to sleep on a worker because a vendor asks for it: two minutes, or without end.

    Two minutes where failing instead brings the task back when the vendor says: it has this policy and a retry left.
    Otherwise a retry might come too early, be refused as well, and be used up.

    Args:
        task: the task, which would reconnect to its job.
        context: its context.
    """
    from airflow_provider_batchdl.client.ratelimit import LONGEST_WAIT

    ti: Any = context["ti"]
    comes_back = isinstance(getattr(task, "retry_policy", None), BatchDlRetryPolicy) and ti.try_number <= ti.max_tries
    return LONGEST_WAIT if comes_back else float("inf")


def _typed(exception: BaseException | None) -> BatchDlError | None:
    """The first of our errors along the chain of causes; what merely happened meanwhile is another matter."""
    for _ in range(DEEPEST_CAUSE):
        if exception is None or isinstance(exception, BatchDlError):
            return exception
        exception = exception.__cause__
    return None


def _retry_after(error: BatchDlError, seconds: float, context: Context | None) -> RetryDecision:
    from airflow.sdk import RetryDecision

    from airflow_provider_batchdl.client.ratelimit import LONGEST_WAIT
    from airflow_provider_batchdl.vendors.retry_after import LONGEST_ASKED

    own = getattr(context.get("task"), "retry_delay", None) if context else None
    if seconds <= LONGEST_WAIT and own is not None and own.total_seconds() > seconds:
        return RetryDecision.default()
    delay = timedelta(seconds=min(seconds, LONGEST_ASKED))
    return RetryDecision.retry(delay, f"A retry is of use in {seconds:.0f} s: {error.message}")
