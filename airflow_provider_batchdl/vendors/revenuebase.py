"""Revenuebase: email verification of an uploaded file.

Source: the vendor's OpenAPI document of v2 and its SDK 0.3.0. What the documents leave open is read tolerantly and
noted where it happens: above all, the exact body of a 400.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_batchdl._redaction.redactor import excerpt, get_logger
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidRequestError,
    JobFailedError,
    JobNotFoundError,
    ResultNotReadyError,
    UnexpectedResponseError,
)
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.vendors.auth import HeaderKeyAuth
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, RateLimit, Submission, Vendor
from airflow_provider_batchdl.vendors.checking import Member, RequestRules
from airflow_provider_batchdl.vendors.errors import error_from_response, json_of, vendor_words
from airflow_provider_batchdl.vendors.files import FileRules, upload_of
from airflow_provider_batchdl.vendors.listing import JobPage, ListedJob, Listing, Page, job_page
from airflow_provider_batchdl.vendors.reading import as_id, as_int, as_list, as_text
from airflow_provider_batchdl.vendors.refusals import folded
from airflow_provider_batchdl.vendors.requests import as_texts

if TYPE_CHECKING:
    import httpx

    from airflow_provider_batchdl.vendors.account import Account

log = get_logger(__name__)

V1_RETIRED = "2026-07-07"
LONGEST_ID = 20
REQUEST = RequestRules({"metadata": Member("flag")})
# "One address a row or in an `email` field" (the vendor's text); no limit for rows or bytes.
FILE = FileRules({".csv": "text/csv", ".json": "application/json"}, required=True, has_addresses=True, column="email")


# Method and path of each operation. Where the path names no job, the body does.
_ROUTES: Mapping[str, Mapping[str, str]] = {
    "v2": {
        "submit": "POST /v2/email/verify/batch",
        "status": "GET /v2/jobs/{id}",
        "list": "GET /v2/jobs",
        "cancel": "POST /v2/jobs/{id}/cancel",
        "download": "GET /v2/jobs/{id}/download",
        "balance": "GET /v2/account/balance",
    },
    "v1": {
        "submit": "POST /v1/batch-upload",
        "status": "POST /v1/batch-process-email-status",
        "list": "GET /v1/queued-process",
        "cancel": "POST /v1/cancel-process",
        "download": "POST /v1/batch-download",
        "balance": "GET /v1/credits",
    },
}


# A 400 about a missing job, by code or by sentence, small letters and "_" as a blank. The vendor has no 404 for jobs.
_KINDS_OF_400: Mapping[type[BatchDlError], tuple[str, ...]] = {
    JobNotFoundError: ("invalid process id", "does not belong"),
    ResultNotReadyError: ("not completed", "before downloading"),
    JobFailedError: ("process error", "ended with an error", "no output file"),
}


class Revenuebase(Vendor):
    """The Revenuebase API, v2; v1 where that is the connection's ``api_version``."""

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
    request_rules = REQUEST
    file_rules = FILE
    # "Every 5-10 seconds for small batches"; 60 requests a minute and 10,000 a day for everything an account does.
    poll_interval = 10.0
    rate_limits = (RateLimit(60, 60.0), RateLimit(10_000, 86_400.0))
    keeps_partial_results = True
    # "Only QUEUED or PROCESSING jobs", and no parameters for paging.
    listing = Listing(active_only=True)

    extra_members = frozenset({"api_version"})
    has_plain_secret = True

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        version = (account.text("api_version") or "v2").lower()
        if version not in _ROUTES:
            problem = f"is {excerpt(version, LONGEST_ID)!r}, and there are only {' and '.join(_ROUTES)}"
            remedy = 'Set it to "v2", or leave it out.'
            raise account.wrong("extra field 'api_version'", problem, remedy, vendor=self.name)
        if version == "v1":
            log.warning("Revenuebase retired v1 on %s; it works only where a proxy or mirror serves it.", V1_RETIRED)
        self._routes, self._version = _ROUTES[version], version

    def auth(self) -> httpx.Auth:
        """The key in the ``x-key`` header."""
        return HeaderKeyAuth("x-key", self.account.secret)

    def submit(self, submission: Submission) -> Flow[Job]:
        """Upload ``file``, a ``.csv`` or ``.json``; the request may say ``{"metadata": true}``."""
        upload = upload_of(self, submission, "requested_file")
        params = {"metadata": "false", **as_texts(self, submission.request, "query")}
        params["metadata"] = params["metadata"].strip().lower()
        response = yield self._call("submit", params=params, upload=upload, repeatable=False)
        return self._read("submit", self.read_json("submit", response))

    def get_job(self, job_id: str) -> Flow[Job]:
        """Get one job."""
        response = yield self._call("status", job_id)
        return self._read("status", self.read_json("status", response))

    def list_page(self, cursor: str | None = None) -> Flow[JobPage]:
        """The queued and processing jobs, all on one page."""
        return self._active_jobs()

    def _active_jobs(self, delay: float = 0.0) -> Flow[JobPage]:
        response = yield self._call("list", delay=delay)
        items = as_list(self.read_json("list", response)["processes"])
        return job_page(self, Page(items), self._listed)

    def _listed(self, item: Any) -> ListedJob:
        return ListedJob(self._read("list", item), updated=self.moment(item.get("last_updated")))

    def cancel_job(self, job_id: str) -> Flow[Job]:
        """Cancel a job."""
        response = yield self._call("cancel", job_id)
        return self._read("cancel", self.read_json("cancel", response))

    def get_balance(self) -> Flow[int | None]:
        """Credits left; one goes for each address found Valid or Invalid."""
        response = yield self._call("balance")
        return as_int(self.read_json("balance", response)["credits"])

    def check(self) -> Flow[str]:
        """Ask for the balance."""
        credits_left = yield from self.get_balance()
        return f"Revenuebase accepts the key; {credits_left} credits left."

    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        """The file streams from the API itself, with its name in ``Content-Disposition``."""
        return self._call("download", job.id)

    def expected_format(self, job: Job, file: ResultFile) -> str | None:
        """The format of the upload, which is in the job's name: ``csv`` or ``json`` (vendor's document)."""
        suffix = (job.name or "").rpartition(".")[2].lower()
        return suffix if f".{suffix}" in FILE.types else None

    def candidates(self, submission: Submission, delay: float) -> Flow[list[Job]]:
        """The active job whose upload's name carries the submission's key."""
        if not submission.key:
            return []  # every name holds the empty text
        page = yield from self._active_jobs(delay)
        return [each.job for each in page.jobs if submission.key in (each.job.name or "")]

    def describe_lost_submit(self, submission: Submission) -> str:
        """The upload's name, and why the search by it may have missed the job."""
        limit = "its API lists queued and running jobs only, so one that has ended is not found by it"
        return f"{super().describe_lost_submit(submission)} ({limit})"

    def error(self, request: ApiRequest, response: httpx.Response) -> BatchDlError:
        """The retired v1 answers 410 to everything, in an undocumented shape: no job is missing, the API is."""
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
        """A 400 has many meanings here; the documents give a code and a sentence for each, and either may be sent."""
        if response.status_code != HTTPStatus.BAD_REQUEST or request.operation not in ("status", "cancel", "download"):
            return None
        words = folded(*vendor_words(response))
        for kind, wordings in _KINDS_OF_400.items():
            if any(wording in words for wording in wordings):
                return kind
        return InvalidRequestError if request.operation == "cancel" else UnexpectedResponseError

    def _read(self, operation: str, body: Any) -> Job:
        job_id = str(as_int(as_id(body["process_id"])))
        state, word = self.read_state(operation, body.get("current_status") or body.get("status"))
        return Job(job_id, state, word, message=as_text(body.get("message")), name=as_text(body.get("filename")))

    def _call(self, operation: str, job_id: str | None = None, **more: Any) -> ApiRequest:
        method, path = self._routes[operation].split()
        if job_id is None:
            return ApiRequest(operation, method, path, **more)
        if not job_id.isascii() or not job_id.isdigit() or len(job_id) > LONGEST_ID:
            raise self.wrong_id(job_id, "an integer")
        body = None if "{id}" in path else {"process_id": int(job_id)}
        return ApiRequest(operation, method, path.format(id=job_id), json=body, job_id=job_id, **more)
