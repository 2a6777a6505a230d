"""Retry policy for Airflow 3.3: fail at once where a retry cannot help, retry when the vendor says.

Below Airflow 3.3 there are no retry policies. This module can still be imported there, and a policy in
``default_args`` has no effect; as an argument of an operator, an older Airflow refuses it as unknown.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_batchdl._airflow.compat import RetryPolicy, reschedule_decision
from airflow_provider_batchdl._airflow.fail_fast import BatchTaskFailedError
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InsufficientCreditsError,
    QuotaExceededError,
    RateLimitedError,
    ResultNotReadyError,
    SubmitUncertainError,
    VendorUnavailableError,
)

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryDecision

__all__ = ["BatchDlRetryPolicy", "BatchTaskFailedError"]

# Levels of exceptions that wrap exceptions.
DEEPEST_CAUSE = 10
# Errors whose delay comes from the vendor.
_THEIR_DELAY = (RateLimitedError, VendorUnavailableError, ResultNotReadyError, SubmitUncertainError)
# Errors of what a vendor certainly has not done, and for which it may say when it will: of the first two, in hours.
_USED_UP = (QuotaExceededError, InsufficientCreditsError)
_COME_BACK = (*_USED_UP, RateLimitedError, VendorUnavailableError, ResultNotReadyError)
# Of one try, before retries are used for it: how often, and for how long after the first.
MOST_RESCHEDULES = 24
LONGEST_RESCHEDULED = timedelta(days=1)


class BatchDlRetryPolicy(RetryPolicy):
    """Fail a task at once where a retry cannot help; retry it when the vendor says.

    ::

        BatchJobOperator(..., retries=5, retry_policy=BatchDlRetryPolicy())
        DAG(..., default_args={"retries": 5, "retry_policy": BatchDlRetryPolicy()})

    The operators here already fail at once on errors that no retry can fix. The policy adds two things: tasks of your
    own that use the hooks are treated alike, also where they raised another exception ``from`` ours; and a delay that
    the vendor requested replaces the task's ``retry_delay``. It changes one: where a ``BatchJobOperator``'s job failed
    at the vendor, the task fails, instead of submitting a new job in a retry.

    A policy cannot give a task more tries than its ``retries``. From Airflow 3.4 on it need not use them: where a
    vendor requests a delay of more than two minutes (too many requests or jobs, a quota or credits that are renewed
    then), the task is rescheduled, up to 24 times in a day for each try, and only then retried. That is for the
    operators and the sensor here, which reconnect to their job. With ``durable=False``, and in tasks of your own, a
    retry is used.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide whether a failed task is retried, and when.

        Args:
            exception: the task's exception; the typed error is searched along its ``__cause__``.
            try_number: the try that failed, from 1; not used.
            max_tries: the most tries; not used.
            context: the task's context, for its ``retry_delay`` and what it has been rescheduled for.

        Returns:
            Fail, for an error that no retry can fix. Retry after the vendor's delay, at most a day, where it requested
            one, and for a submit without a response once the vendor's list can decide about it. The client has already
            waited out a delay of up to two minutes several times, without success: after one, the task's own
            ``retry_delay`` applies if it is longer. From Airflow 3.4 on, a delay of more than two minutes uses no
            retry. The default for all else, errors that are not ours included.
        """
        from airflow.sdk import RetryDecision

        error = _typed(exception)
        if error is None:
            return RetryDecision.default()
        rescheduled = _rescheduled(error, context)
        if rescheduled is not None:
            return rescheduled
        if not error.retryable:
            return RetryDecision.fail(str(error))
        if isinstance(error, _THEIR_DELAY) and error.retry_after:
            return _retry_after(error, error.retry_after, context)
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """The policy as JSON: ``{"__type": "BatchDlRetryPolicy"}``; it has no settings."""
        return {"__type": type(self).__name__}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:
        """The policy that :meth:`serialize` described."""
        return cls()


def longest_pause(task: Any, context: Context) -> float:
    """Most seconds to sleep on a worker for a vendor's Retry-After: two minutes, or without limit.

    Two minutes if failing brings the task back when the vendor says: it has this policy and a retry left. Otherwise a
    retry might start too early, be refused as well, and be used up.
    """
    from airflow_provider_batchdl.client.throttle import LONGEST_WAIT

    ti: Any = context["ti"]
    has_policy = isinstance(getattr(task, "retry_policy", None), BatchDlRetryPolicy)
    comes_back = has_policy and (ti.try_number <= ti.max_tries or _can_reschedule(context))
    return LONGEST_WAIT if comes_back else float("inf")


def left_to_policy(task: Any) -> tuple[type[BatchDlError], ...]:
    """Errors that fail a task at once, unless its policy can reschedule it: a quota or credits used up."""
    has_policy = isinstance(getattr(task, "retry_policy", None), BatchDlRetryPolicy)
    return _USED_UP if has_policy and reschedule_decision is not None else ()


def _typed(exception: BaseException | None) -> BatchDlError | None:
    """The first of our errors along the chain of causes; ``__context__`` does not count."""
    for _ in range(DEEPEST_CAUSE):
        if exception is None or isinstance(exception, BatchDlError):
            return exception
        exception = exception.__cause__ or getattr(exception, "cause", None)
    return None


def _rescheduled(error: BatchDlError, context: Context | None) -> RetryDecision | None:
    """The decision to run the task again when the vendor says, without using a retry; None if a retry is due."""
    from airflow_provider_batchdl.client.throttle import LONGEST_WAIT
    from airflow_provider_batchdl.vendors.retry_after import LONGEST_ASKED

    seconds = error.retry_after or 0.0
    says_when = isinstance(error, _COME_BACK) and seconds > LONGEST_WAIT
    if reschedule_decision is None or not says_when or not _can_reschedule(context):
        return None
    return reschedule_decision(
        timedelta(seconds=min(seconds, LONGEST_ASKED)),
        max_reschedules=MOST_RESCHEDULES,
        reschedule_timeout=LONGEST_RESCHEDULED,
        reason=f"Running again in {seconds:.0f} s, as the vendor requested: {error.message}",
    )


def _can_reschedule(context: Context | None) -> bool:
    """True if running the task again, as often as a policy may, can neither submit twice nor poll too often.

    Past its bound, Airflow would retry after the task's own delay instead of the vendor's. The reschedules of a sensor
    with ``mode="reschedule"`` count, too.
    """
    facts: Any = context or {}
    task, has_store = facts.get("task"), facts.get("task_state_store") is not None
    reconnects = (getattr(task, "durable", False) is True and has_store) or hasattr(task, "job_id")
    is_left = facts.get("task_reschedule_count", 0) < MOST_RESCHEDULES
    return reschedule_decision is not None and reconnects and is_left and getattr(task, "mode", "") != "reschedule"


def _retry_after(error: BatchDlError, seconds: float, context: Context | None) -> RetryDecision:
    from airflow.sdk import RetryDecision

    from airflow_provider_batchdl.client.throttle import LONGEST_WAIT
    from airflow_provider_batchdl.vendors.retry_after import LONGEST_ASKED

    own = getattr(context.get("task"), "retry_delay", None) if context else None
    if seconds <= LONGEST_WAIT and own is not None and own.total_seconds() > seconds:
        return RetryDecision.default()
    delay = timedelta(seconds=min(seconds, LONGEST_ASKED))
    return RetryDecision.retry(delay, f"Retrying in {seconds:.0f} s, as the vendor requested: {error.message}")
