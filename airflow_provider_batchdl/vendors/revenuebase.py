"""Revenuebase: email verification of an uploaded file.

Source: the vendor's OpenAPI document of v2 and its SDK 0.3.0. What the documents leave open is read tolerantly and
said where it happens: above all, the exact body of a 400.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidRequestError,
    JobFailedError,
    JobNotFoundError,
    ResultNotReadyError,
    UnexpectedResponseError,
)
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.vendors.auth import HeaderKeyAuth
from airflow_provider_batchdl.vendors.base import (
    ApiRequest,
    Flow,
    RateLimit,
    Submission,
    Upload,
    Vendor,
)
from airflow_provider_batchdl.vendors.cancelling import cancel
from airflow_provider_batchdl.vendors.errors import error_from_response, json_of, vendor_words
from airflow_provider_batchdl.vendors.listing import JobPage, ListedJob, Listing
from airflow_provider_batchdl.vendors.reading import as_id, as_int, as_list, as_text
from airflow_provider_batchdl.vendors.refusals import folded

if TYPE_CHECKING:
    import httpx

    from airflow_provider_batchdl.vendors.account import Account

log = get_logger(__name__)

V1_RETIRED = "2026-07-07"
LONGEST_ID = 20
_CONTENT_TYPES = {".csv": "text/csv", ".json": "application/json"}


@dataclass(frozen=True)
class _Route:
    """Where an operation lives; ``{id}`` in the path, or ``process_id`` in the body, names the job."""

    method: str
    path: str
    id_in_body: bool = False

    def request(self, operation: str, job_id: str, **more: Any) -> ApiRequest:
        body = {"process_id": int(job_id)} if self.id_in_body else None
        return ApiRequest(operation, self.method, self.path.format(id=job_id), json=body, job_id=job_id, **more)


_ROUTES: Mapping[str, Mapping[str, _Route]] = {
    "v2": {
        "submit": _Route("POST", "/v2/email/verify/batch"),
        "status": _Route("GET", "/v2/jobs/{id}"),
        "list": _Route("GET", "/v2/jobs"),
        "cancel": _Route("POST", "/v2/jobs/{id}/cancel"),
        "download": _Route("GET", "/v2/jobs/{id}/download"),
        "balance": _Route("GET", "/v2/account/balance"),
    },
    "v1": {
        "submit": _Route("POST", "/v1/batch-upload"),
        "status": _Route("POST", "/v1/batch-process-email-status", id_in_body=True),
        "list": _Route("GET", "/v1/queued-process"),
        "cancel": _Route("POST", "/v1/cancel-process", id_in_body=True),
        "download": _Route("POST", "/v1/batch-download", id_in_body=True),
        "balance": _Route("GET", "/v1/credits"),
    },
}


# What a 400 about a job says, by code or by sentence, small letters and "_" as a blank. The vendor has no 404 for jobs.
_KINDS_OF_400: Mapping[type[BatchDlError], tuple[str, ...]] = {
    JobNotFoundError: ("invalid process id", "does not belong"),
    ResultNotReadyError: ("not completed", "before downloading"),
    JobFailedError: ("process error", "ended with an error", "no output file"),
}


class Revenuebase(Vendor):
    """The Revenuebase API, v2; v1 where the connection's ``api_version`` says so."""

    name = "revenuebase"
    label = "Revenuebase"
    default_host = "https://api.revenuebase.ai"
    docs_url = "https://docs.revenuebase.ai/api-reference/jobs/download-batch-job-results"
    id_member = "process_id"
    states: ClassVar[Mapping[str, JobState]] = {
        "QUEUED": JobState.PENDING,
        "PROCESSING QUEUED": JobState.PENDING,  # only in the answer to a submit
        "PROCESSING": JobState.RUNNING,
        "CANCELLING": JobState.RUNNING,
        "COMPLETED": JobState.SUCCEEDED,
        "ERROR": JobState.FAILED,
        "CANCELLED": JobState.CANCELLED,
    }
    # "Every 5-10 seconds for small batches"; 60 requests a minute and 10,000 a day for everything an account does.
    poll_interval = 10.0
    rate_limits = (RateLimit(60, 60.0), RateLimit(10_000, 86_400.0))
    keeps_partial_results = True
    # "Only QUEUED or PROCESSING jobs", and no parameters for paging.
    listing = Listing(active_only=True)

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        version = account.text("api_version") or "v2"
        if version not in _ROUTES:
            raise InvalidRequestError(
                f"Revenuebase has no api_version {version!r}.",
                vendor=self.name,
                remedy='Set the connection extra "api_version" to "v2", or leave it out.',
            )
        if version == "v1":
            log.warning("Revenuebase retired v1 on %s; it works only where a proxy or mirror serves it.", V1_RETIRED)
        self._routes, self._version = _ROUTES[version], version

    def auth(self) -> httpx.Auth:
        """The key in the ``x-key`` header."""
        return HeaderKeyAuth("x-key", self.account.secret)

    def submit(self, submission: Submission) -> Flow[Job]:
        """Upload ``file``, a ``.csv`` or ``.json``; the request may say ``{"metadata": true}``."""
        upload = self._upload(submission)
        options = dict(submission.request)
        metadata = str(options.pop("metadata", False)).strip().lower()
        if metadata not in ("true", "false"):  # a template makes a text of it, and "False" must not turn it on
            raise self._invalid(f"Revenuebase's metadata is true or false, not {metadata!r}.")
        if options:
            raise self._invalid(f"Revenuebase's submit takes no {', '.join(sorted(options))}; only metadata.")
        route = self._routes["submit"]
        response = yield ApiRequest(
            "submit",
            route.method,
            route.path,
            params={"metadata": metadata},
            upload=upload,
            repeatable=False,
        )
        return self._read(response, "submit", self.read_json("submit", response))

    def _upload(self, submission: Submission) -> Upload:
        name = submission.upload_name()
        content_type = next((kind for suffix, kind in _CONTENT_TYPES.items() if name.lower().endswith(suffix)), None)
        if submission.file is None or content_type is None:
            raise self._invalid("Revenuebase takes a file, and only .csv or .json.")
        return Upload("requested_file", submission.file, name, content_type)

    def get_job(self, job_id: str) -> Flow[Job]:
        """Look at one job."""
        response = yield self._routes["status"].request("status", self._checked(job_id))
        return self._read(response, "status", self.read_json("status", response))

    def list_jobs(self) -> Flow[list[Job]]:
        """The queued and processing jobs: the vendor lists no others."""
        return (yield from self._active_jobs())

    def list_page(self, cursor: str | None = None) -> Flow[JobPage]:
        """The queued and processing jobs, all on one page."""
        jobs, is_whole = yield from self._listed()
        return JobPage(tuple(ListedJob(job) for job in jobs), whole=is_whole)

    def _active_jobs(self, delay: float = 0.0) -> Flow[list[Job]]:
        jobs, _ = yield from self._listed(delay)
        return jobs

    def _listed(self, delay: float = 0.0) -> Flow[tuple[list[Job], bool]]:
        """The list's jobs, and whether it has no item that cannot be read."""
        route = self._routes["list"]
        response = yield ApiRequest("list", route.method, route.path, delay=delay)
        try:
            items = as_list(self.read_json("list", response)["processes"])
        except (KeyError, TypeError) as error:
            raise self.malformed("list", response, repr(error)) from error
        jobs = self.read_items(items, lambda item: self._read(response, "list", item))
        return jobs, len(jobs) == len(items)

    def cancel_job(self, job_id: str) -> Flow[Job]:
        """Cancel a job; one already cancelled or cancelling is polled instead, since the refusal's words may vary."""
        request = self._routes["cancel"].request("cancel", self._checked(job_id))
        return cancel(
            self, request, job_id, lambda answer: self._read(answer, "cancel", self.read_json("cancel", answer))
        )

    def get_balance(self) -> Flow[int | None]:
        """Credits left; one goes for each address found Valid or Invalid."""
        route = self._routes["balance"]
        response = yield ApiRequest("balance", route.method, route.path)
        try:
            return as_int(self.read_json("balance", response)["credits"])
        except (KeyError, TypeError, ValueError) as error:
            raise self.malformed("balance", response, repr(error)) from error

    def check(self) -> Flow[str]:
        """Ask for the balance."""
        credits_left = yield from self.get_balance()
        return f"Revenuebase accepts the key; {credits_left} credits left."

    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        """The file streams from the API itself, with its name in ``Content-Disposition``."""
        return self._routes["download"].request("download", self._checked(job.id))

    def expected_format(self, job: Job, file: ResultFile) -> str | None:
        """That of the upload, which the job's name tells: ``csv`` or ``json`` (vendor's document)."""
        suffix = (job.name or "").rpartition(".")[2].lower()
        return suffix if f".{suffix}" in _CONTENT_TYPES else None

    def candidates(self, submission: Submission, delay: float) -> Flow[list[Job]]:
        """The active job whose upload's name carries the submission's key."""
        if not submission.key:
            return []  # every name holds the empty text
        jobs = yield from self._active_jobs(delay)
        return [job for job in jobs if submission.key in (job.name or "")]

    def clue(self, submission: Submission) -> str:
        """The upload's name, which no other job has."""
        return (
            f"a job of the file {submission.upload_name()!r}, submitted at {submission.time()} (its API lists queued "
            "and running jobs only, so one that has ended is not found by it)"
        )

    def error(self, request: ApiRequest, response: httpx.Response) -> BatchDlError:
        """The retired v1 answers 410 to everything, in a shape that nobody tells of: no job is missing, the API is."""
        gone = self._version == "v1" and response.status_code == HTTPStatus.GONE
        if not gone:
            return super().error(request, response)
        error = error_from_response(
            response, vendor=self.name, operation=request.operation, job_id=request.job_id, kind=InvalidRequestError
        )
        error.remedy = 'v1 is retired: use v2. Set the connection extra "api_version" to "v2", or leave it out.'
        return error

    def is_own_error(self, response: httpx.Response) -> bool:
        """FastAPI's ``detail``, or ``message``: the vendor shows both. A bare text or list of JSON is accepted, too.

        So is RFC 9457's ``title``, which one newer endpoint is reported to answer with.
        """
        body = json_of(response)
        if isinstance(body, dict):
            return any(body.get(member) for member in ("detail", "message", "title"))
        return isinstance(body, str | list) and bool(body)

    def error_kind(self, request: ApiRequest, response: httpx.Response) -> type[BatchDlError] | None:
        """A 400 has many meanings here; the documents give a code and a sentence for each, and either may come."""
        if response.status_code != HTTPStatus.BAD_REQUEST or request.operation not in ("status", "cancel", "download"):
            return None
        words = folded(*vendor_words(response))
        for kind, wordings in _KINDS_OF_400.items():
            if any(wording in words for wording in wordings):
                return kind
        return InvalidRequestError if request.operation == "cancel" else UnexpectedResponseError

    def _read(self, response: httpx.Response, operation: str, body: Any) -> Job:
        try:
            job_id, name = str(as_int(as_id(body["process_id"]))), as_text(body.get("filename"))
            state, word = self.read_state(operation, body.get("current_status") or body.get("status"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self.malformed(operation, response, repr(error)) from error
        return Job(job_id, state, word, message=as_text(body.get("message")), name=name)

    def _checked(self, job_id: str) -> str:
        if not job_id.isascii() or not job_id.isdigit() or len(job_id) > LONGEST_ID:
            raise self._invalid(f"A Revenuebase job id is an integer, not {job_id!r}.")
        return job_id

    def _invalid(self, message: str) -> InvalidRequestError:
        return InvalidRequestError(message, vendor=self.name)
