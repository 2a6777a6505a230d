"""The part of a vendor that cancels, where the answer may not show what became of the job."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidRequestError,
    JobNotFoundError,
    UnexpectedResponseError,
    UnsupportedOperationError,
)
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.vendors.answers import Answers
from airflow_provider_batchdl.vendors.errors import json_of
from airflow_provider_batchdl.vendors.flows import observed, reason_of
from airflow_provider_batchdl.vendors.states import is_cancelled

if TYPE_CHECKING:
    import httpx

    from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Vendor


class Cancels(Answers):
    """Cancels jobs of one account."""

    def cancel_job(self, job_id: str) -> Flow[Job]:
        """Ask the vendor to cancel a job; returns the job as the answer shows it, or raises where it does not.

        Call :meth:`ensure_cancelled`, for which a job that is already cancelled is no error.
        """
        raise self.unsupported("cancel a job", job_id)

    def ensure_cancelled(self, job_id: str) -> Flow[Job]:
        """Cancel a job; one that is cancelled already, or is being cancelled, is no error.

        Where the answer shows no job (204, ``true``, words alone) or is a refusal, the job is polled.

        Raises:
            UnsupportedOperationError: the vendor's API cannot cancel.
            BatchDlError: the vendor refused, and the job is not cancelled.
        """
        vendor = cast("Vendor", self)  # of which this is a part
        answers: list[tuple[ApiRequest, httpx.Response | BatchDlError]] = []
        consented = False
        try:
            return (yield from observed(self.cancel_job(job_id), lambda *answer: answers.append(answer)))
        except (InvalidRequestError, UnsupportedOperationError) as error:
            if not answers:
                raise  # nothing was asked
            refusal: BatchDlError = error
        except Exception as error:
            request, answer = answers[-1] if answers else (None, None)
            if request is None or answer is None or isinstance(answer, BatchDlError):
                raise  # nothing was answered
            odd = vendor.malformed(request.operation, answer, reason_of(error))
            refusal = error if isinstance(error, BatchDlError) else odd
            if not isinstance(refusal, UnexpectedResponseError):
                raise refusal from None
            consented = _is_consent(vendor, request, answer)
        try:
            job = yield from vendor.get_job(job_id)
        except JobNotFoundError:
            if not consented:
                raise
            return Job(job_id, JobState.CANCELLED, "cancelled")  # Proofy's cancel is a DELETE
        if consented or is_cancelled(job):
            return job
        raise refusal


def _is_consent(vendor: Vendor, request: ApiRequest, response: httpx.Response) -> bool:
    """True if a 2xx means that the cancel was accepted: no page of HTML, and no error."""
    body = json_of(response)
    return (
        body is not False
        and not response.content.lstrip().startswith(b"<")
        and vendor.error_within(request, response) is None
    )
