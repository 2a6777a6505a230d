"""The questions that every vendor answers.

An operation is a *flow*: a generator that yields the requests to send and is sent their responses, as in
``httpx.Auth.auth_flow``. It does no input or output itself, so the sync and the async client drive the same code::

    def get_job(self, job_id):
        response = yield ApiRequest("status", "GET", f"/jobs/{job_id}", job_id=job_id)
        return self.read_job(response.json())

A response of status 400 or above never reaches the flow as a value: the client asks :meth:`Vendor.error` what it
means and throws that into the flow, which may catch it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    JobCancelledError,
    JobFailedError,
    SubmitUncertainError,
    UnexpectedResponseError,
    UnsupportedOperationError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.vendors.errors import error_from_response, json_of, vendor_words
from airflow_provider_batchdl.vendors.listing import JobPage, Listing
from airflow_provider_batchdl.vendors.refusals import kind_by_words, kind_in_success
from airflow_provider_batchdl.vendors.requests import ApiRequest, RateLimit, Submission, Upload

if TYPE_CHECKING:
    import httpx

    from airflow_provider_batchdl.vendors.account import Account

__all__ = ["ADOPTION_DELAYS", "ApiRequest", "Flow", "RateLimit", "Submission", "Upload", "Vendor", "answer"]

log = get_logger(__name__)

T = TypeVar("T")
Flow: TypeAlias = "Generator[ApiRequest, httpx.Response, T]"

# A submitted job may take a moment to show in the vendor's list: seconds to wait before each look.
ADOPTION_DELAYS = (0.0, 2.0, 5.0)

# By these a server says that it did not act on a POST; a 302 or 303 may come after it did.
_NOT_TAKEN = frozenset({301, 307, 308, *range(400, 500)})

_unknown_states_logged: set[tuple[str, str]] = set()


def answer(value: T) -> Flow[T]:
    """A flow that asks nothing."""
    yield from ()
    return value


class Vendor(ABC):
    """One vendor's API, as seen with one account."""

    name: ClassVar[str]
    """Also the connection type."""
    label: ClassVar[str]
    """What people call it."""
    default_host: ClassVar[str]
    docs_url: ClassVar[str]
    states: ClassVar[Mapping[str, JobState]]
    """The vendor's words for a job's state; any other word counts as running."""
    poll_interval: ClassVar[float]
    """Seconds between looks at one job that the vendor's limits bear."""
    rate_limits: ClassVar[tuple[RateLimit, ...]]
    keeps_partial_results: ClassVar[bool] = False
    """Whether a cancelled job's results so far can be downloaded."""
    listing: ClassVar[Listing | None] = None
    """What :meth:`list_page` shows; None where one request tells of one job only."""

    def __init__(self, account: Account) -> None:
        self.account = account

    @property
    def rate_limit_scope(self) -> str:
        """What the vendor counts requests by, as a name that gives no secret away: the credentials, each for itself."""
        return self.account.fingerprint

    @property
    def account_name(self) -> str | None:
        """What the vendor knows the account by, whichever key it has; None where it is only known by its key."""
        return self.account.login

    # What the API can do; the first four are what a vendor must have.

    @abstractmethod
    def auth(self) -> httpx.Auth:
        """What puts the account's credentials on a request."""

    @abstractmethod
    def submit(self, submission: Submission) -> Flow[Job]:
        """Submit a job. Its request has ``repeatable=False``."""

    @abstractmethod
    def get_job(self, job_id: str) -> Flow[Job]:
        """Look at one job."""

    @abstractmethod
    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        """The request answered with ``file``, or with a redirect to it."""

    def list_jobs(self) -> Flow[list[Job]]:
        """All jobs that the vendor lists, every page of them."""
        raise self.unsupported("list jobs")

    def list_page(self, cursor: str | None = None) -> Flow[JobPage]:
        """One page of the vendor's list, with one request.

        Args:
            cursor: ``JobPage.following`` of the page before; None for the first.
        """
        raise self.unsupported("list jobs")

    def cancel_job(self, job_id: str) -> Flow[Job]:
        """Cancel a job; one that is already cancelled is no error."""
        raise self.unsupported("cancel a job", job_id)

    def get_balance(self) -> Flow[int | None]:
        """Credits left, or None where the API does not tell."""
        return answer(None)

    @abstractmethod
    def check(self) -> Flow[str]:
        """The cheapest authenticated request; returns a line for the person who pressed Test."""

    def find_submitted(self, submission: Submission) -> Flow[Job | None]:
        """The job that ``submission`` made, looked for a few times; None where it is not there (or cannot be found).

        Where a request is all to know it by, another task's may be equal. So one that has failed or was cancelled is
        taken only if no other turns up: of that, nothing would come.
        """
        ended: Job | None = None
        for delay in ADOPTION_DELAYS:
            for job in (yield from self.candidates(submission, delay)):
                if job.id in submission.earlier:
                    continue
                if job.state not in (JobState.FAILED, JobState.CANCELLED):
                    return job
                ended = ended or job
        return ended

    def candidates(self, submission: Submission, delay: float) -> Flow[list[Job]]:
        """The listed jobs that may be the one that ``submission`` made; none where the vendor has no list.

        Args:
            submission: what was submitted.
            delay: seconds to wait before the first request.
        """
        return answer([])

    def clue(self, submission: Submission) -> str:
        """What a person can recognise the job of ``submission`` by, in the vendor's dashboard: "a job with …"."""
        return f"a job made at {submission.time()} or up to a few minutes later, with the request {submission.gist()}"

    # What its answers mean.

    def error(self, request: ApiRequest, response: httpx.Response) -> BatchDlError:
        """The typed error for a response of status 400 or above, whose body has been read.

        What :meth:`is_own_error` does not know came from a router, firewall or proxy: for a refusal (4xx) that is
        ``VendorUnavailableError``, and a 503 leaves it open whether the vendor acted on the request.
        """
        own = self.is_own_error(response)
        return error_from_response(
            response,
            vendor=self.name,
            operation=request.operation,
            job_id=request.job_id,
            kind=kind_by_words(response) or self.error_kind(request, response) if own else None,
            own=own,
        )

    def is_own_error(self, response: httpx.Response) -> bool:
        """Whether the body of an error has a shape in which the vendor itself says errors; by default, any JSON.

        A vendor overrides it with the shapes that it documents: what answers in its place speaks JSON at times.
        """
        return bool(json_of(response))

    def error_kind(self, request: ApiRequest, response: httpx.Response) -> type[BatchDlError] | None:
        """The type of an error in the vendor's own shape, where its words tell more than the status; else None."""
        return None

    def state_of(self, word: str) -> JobState:
        """The state behind the vendor's word. An unknown one counts as running, and is logged once."""
        state = self.states.get(word)
        if state is None:
            if (self.name, word) not in _unknown_states_logged:
                _unknown_states_logged.add((self.name, word))
                log.warning("%s reports the unknown job state %r; it counts as running.", self.label, word)
            return JobState.RUNNING
        return state

    def result_files(self, job: Job) -> tuple[ResultFile, ...]:
        """The files of a job that has results."""
        return job.files or (ResultFile(id=job.id),)

    def check_result(self, job_id: str, members: Mapping[str, object]) -> None:
        """Refuse a result that says of itself that it is none.

        Args:
            job_id: the job whose result it is.
            members: the top-level scalar members, where the result is a JSON object.

        Raises:
            ResultNotReadyError: the result says it is not complete.
        """

    def has_results(self, job: Job, *, accept_partial: bool = False) -> bool:
        """Whether a wait for ``job`` is over: the one decision of sensor, trigger and operators.

        Returns:
            True where results can be downloaded, False while the job goes on.

        Raises:
            JobFailedError: the job failed.
            JobCancelledError: it was cancelled, and partial results are not wanted or not kept.
        """
        if job.state is JobState.SUCCEEDED:
            return True
        if job.state is JobState.FAILED:
            raise JobFailedError(f"The {self.label} job failed in state {job.vendor_state}.", **self._about(job))
        if job.state is JobState.CANCELLED:
            if accept_partial and self.keeps_partial_results:
                return True
            raise JobCancelledError(f"The {self.label} job was cancelled.", **self._about(job))
        return False

    def _about(self, job: Job) -> dict[str, Any]:
        return {"vendor": self.name, "job_id": job.id, "vendor_message": job.message}

    def unsupported(self, what: str, job_id: str | None = None) -> UnsupportedOperationError:
        """The error for something this API cannot do."""
        return UnsupportedOperationError(f"{self.label}'s API cannot {what}.", vendor=self.name, job_id=job_id)

    # Policy that is the same for every vendor.

    def submit_once(self, submission: Submission) -> Flow[Job]:
        """Submit, and where the answer is lost look the job up instead of sending it again.

        Raises:
            SubmitUncertainError: the request may have been accepted, and the job cannot be found.
        """
        try:
            return (yield from self.submit(submission))
        except VendorUnavailableError as error:
            if not error.maybe_processed:
                raise
            lost: BatchDlError = error
        except UnexpectedResponseError as error:
            if error.status in _NOT_TAKEN:
                raise
            lost = error
        try:
            job = yield from self.find_submitted(submission)
        except BatchDlError as error:
            log.warning("Could not look for the job whose submit was not answered: %s", error)
            job = None
        if job is None:
            raise SubmitUncertainError(
                f"The submit to {self.label} may or may not have been accepted, and no such job is found. "
                f"{self.to_check(submission)}",
                vendor=self.name,
                status=lost.status,
                vendor_message=lost.vendor_message or lost.message,
            ) from lost
        log.warning("The answer to the submit was lost; found the job again as %s.", job.id)
        return job

    def to_check(self, submission: Submission) -> str:
        """The sentence that tells a person what to look for after an uncertain submit."""
        return f"Look at {self.label} for {self.clue(submission)}."

    def read_json(self, operation: str, response: httpx.Response) -> Any:
        """The body of a successful response, which must be JSON.

        Raises:
            UnexpectedResponseError: it is not.
        """
        try:
            return response.json()
        except (ValueError, RecursionError) as error:
            raise self.malformed(operation, response, "the body is not JSON") from error

    def malformed(self, operation: str, response: httpx.Response, reason: object) -> BatchDlError:
        """The error for a successful response that lacks what it must have, or says of itself that it is an error."""
        body = json_of(response)
        words, code = vendor_words(response) if isinstance(body, dict) else (None, None)
        kind = kind_in_success(body, operation, words or "")
        said = "something unexpected" if kind is None else "an error"
        return (kind or UnexpectedResponseError)(
            f"{self.label} answered the {operation} request with {said}: {reason}.",
            vendor=self.name,
            status=response.status_code,
            vendor_message=words,
            vendor_code=code,
        )
