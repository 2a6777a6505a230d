"""Cancelling, where the answer may not show what became of the job."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidRequestError,
    JobNotFoundError,
    UnexpectedResponseError,
    UnsupportedOperationError,
)
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.vendors.errors import json_of
from airflow_provider_batchdl.vendors.states import fold

if TYPE_CHECKING:
    import httpx

    from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Vendor


def cancel(vendor: Vendor, request: ApiRequest, job_id: str, read: Callable[[httpx.Response], Job]) -> Flow[Job]:
    """Cancel a job; where the answer does not show it (204, ``true``, words alone), the job is polled.

    Args:
        vendor: whose job it is.
        request: the request that cancels.
        job_id: the job.
        read: the job that the answer shows.

    Raises:
        BatchDlError: the vendor refused, and the job is not cancelled.
    """
    consented = False
    try:
        response = yield request
        try:
            return read(response)
        except UnexpectedResponseError as error:
            consented = _is_consent(vendor, response)
            refusal: BatchDlError = error
    except (InvalidRequestError, UnsupportedOperationError) as error:
        refusal = error
    try:
        job = yield from vendor.get_job(job_id)
    except JobNotFoundError:
        if not consented:
            raise
        return Job(job_id, JobState.CANCELLED, "cancelled")  # Proofy's cancel is a DELETE
    if consented or job.state is JobState.CANCELLED or fold(job.vendor_state) == "cancelling":
        return job
    raise refusal


def _is_consent(vendor: Vendor, response: httpx.Response) -> bool:
    """Whether a 2xx means that the cancel was accepted, whatever it shows: no page of HTML, and no error."""
    body = json_of(response)
    return (
        body is not False
        and not response.content.lstrip().startswith(b"<")
        and vendor.kind_within("cancel", None, body) is None
    )
