"""A submit of unknown outcome: whether a retry can decide it, from what the vendor lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_batchdl.exceptions import SubmitUncertainError
    from airflow_provider_batchdl.hooks.base import BatchApiHook

# By then a vendor that lists all its jobs lists one that it has accepted: no router holds a request as long before it
# hands it on (a minute is usual), and a list that lags behind by seconds is known of other APIs, one by minutes is not.
NOT_LISTED_SECONDS = 300.0


def lists_all(hook: BatchApiHook) -> bool:
    """Whether a job that the vendor does not list minutes after its submit was not accepted."""
    return hook.vendor.listing is not None and hook.vendor.listing.complete


def decide_later(error: SubmitUncertainError, seconds: float) -> SubmitUncertainError:
    """``error``, as one that a retry decides, after so many seconds."""
    error.retryable, error.retry_after = True, max(1.0, seconds)
    error.remedy = (
        f"A retry looks for it again: if the vendor does not list it {NOT_LISTED_SECONDS / 60:.0f} minutes after the "
        "submit, it was not accepted, and the retry submits it. If no retry is left, clear the task then."
    )
    return error
