"""Submits of unknown outcome: whether a retry can decide them by the vendor's list."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_batchdl.exceptions import SubmitUncertainError
    from airflow_provider_batchdl.vendors.base import Vendor


def decide_later(error: SubmitUncertainError, vendor: Vendor, seconds: float) -> SubmitUncertainError:
    """Make ``error`` retryable after ``seconds``, when the list of ``vendor`` can decide; return it."""
    error.retryable, error.retry_after = True, max(1.0, seconds)
    error.remedy = (
        f"A retry searches for it again: if the vendor does not list it {_in_words(vendor.listed_within)} after "
        "the submit, it was not accepted, and the retry submits it. If no retry is left, clear the task then."
    )
    return error


def _in_words(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 60 else f"{seconds:.0f} seconds"
