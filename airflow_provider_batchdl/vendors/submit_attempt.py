"""One run of a submit's flow: whether the vendor may have made the job, whatever the flow ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_batchdl.exceptions import BatchDlError, UnexpectedResponseError, VendorUnavailableError

if TYPE_CHECKING:
    import httpx

    from airflow_provider_batchdl.vendors.requests import ApiRequest

# By these a server says that it did not act on a POST; a 302 or 303 may come after it did.
_NOT_TAKEN = frozenset({301, 307, 308, *range(400, 500)})


class SubmitAttempt:
    """Notes the answers to the requests of a submit's flow. Only those with ``repeatable=False`` make a job.

    ==========================================  ==========================================
    the last such request                       an error at the end of the flow
    ==========================================  ==========================================
    none was sent, or the vendor refused it     certain: no job was made
    its answer was lost, or makes no sense      uncertain
    was answered, and nothing was sent since    certain if the answer itself says "not taken"
    was answered, and others were sent since    uncertain: the job may be there
    ==========================================  ==========================================
    """

    def __init__(self) -> None:
        self._answered = False
        self._went_on = False
        self._lost: BatchDlError | None = None

    def note(self, request: ApiRequest, answer: httpx.Response | BatchDlError) -> None:
        """Note the answer to a request of the flow, or the error that it was."""
        self._went_on = self._answered
        if request.repeatable:
            return
        if not isinstance(answer, BatchDlError):
            self._answered = True
        elif _leaves_it_open(answer):
            self._lost = answer

    def doubt(self, error: BatchDlError) -> BatchDlError | None:
        """The error that leaves open whether a job was made; None if none was."""
        if self._lost is not None or self._went_on:
            return self._lost or error
        return error if self._answered and _leaves_it_open(error) else None


def _leaves_it_open(error: BatchDlError) -> bool:
    """True if a request with this error may have been accepted."""
    if isinstance(error, VendorUnavailableError):
        return error.maybe_processed
    return isinstance(error, UnexpectedResponseError) and error.status not in _NOT_TAKEN
