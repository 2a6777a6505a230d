"""Proofy: email verification of a list of addresses, or of a file.

The least documented of the four. The vendor's pages give create, download and the errors; status, cancel, credits and
everything about files are from third parties or inferred, so those answers are read tolerantly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_batchdl.exceptions import BatchDlError, InvalidRequestError
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.vendors.auth import QueryKeyAuth
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, RateLimit, Submission, Vendor, path_segment
from airflow_provider_batchdl.vendors.checking import Member, RequestRules
from airflow_provider_batchdl.vendors.errors import json_of
from airflow_provider_batchdl.vendors.files import FileRules, upload_of
from airflow_provider_batchdl.vendors.reading import as_id, as_int, as_text, unwrapped

if TYPE_CHECKING:
    import httpx

MOST_ADDRESSES = 10_000
# Lists and files are jobs of two kinds, with an address of their own each; the id of a file job shows it.
FILE_PREFIX = "file:"


def _something(request: Mapping[str, Any]) -> Iterator[str]:
    if request.get("emails") is None and request.get("file_url") is None:
        yield 'it is neither {"emails": [...]} nor {"file_name": ..., "file_url": ...}'


# `emails` is of the vendor's page of /verify/batch/create, files are reported.
REQUEST = RequestRules(
    {
        "emails": Member("text", many=True, least=1, most=MOST_ADDRESSES),
        "file_name": Member("text", documented=False),
        "file_url": Member("text", documented=False),
    },
    also=_something,
)
FILE = FileRules({".csv": "text/csv", ".txt": "text/plain"}, has_addresses=True)


class Proofy(Vendor):
    """The Proofy API, v1. It has no call that lists jobs."""

    name = "proofy"
    label = "Proofy"
    default_host = "https://apis.proofy.io/v1"
    docs_url = "https://docs.proofy.io"
    # The vendor documents `parsing` (create) and `ready` (download). The other words are inferred (medium
    # confidence); what is in no list counts as running until the wait's own time-out.
    states: ClassVar[Mapping[str, JobState]] = {
        "parsing": JobState.PENDING,
        "queued": JobState.PENDING,
        "pending": JobState.PENDING,
        "processing": JobState.RUNNING,
        "in_progress": JobState.RUNNING,
        "verifying": JobState.RUNNING,
        "ready": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "error": JobState.FAILED,
        "cancelled": JobState.CANCELLED,
        "canceled": JobState.CANCELLED,
    }
    request_rules = REQUEST
    file_rules = FILE
    # 50 requests an hour on /verify/batch, and whether polling counts is undocumented: 48 an hour is safe (inferred).
    poll_interval = 75.0
    rate_limits = (RateLimit(25, 60.0),)
    extra_members = frozenset[str]()
    has_plain_secret = True

    def auth(self) -> httpx.Auth:
        """The key in the ``api_key`` query parameter."""
        return QueryKeyAuth("api_key", self.account.secret)

    def submit(self, submission: Submission) -> Flow[Job]:
        """Submit ``{"emails": [...]}``, or ``{"file_name": ..., "file_url": ...}``, or upload ``file``."""
        request, more = dict(submission.request), dict[str, Any]()
        if submission.file is None:
            path, more["json"] = "file/create" if "file_url" in request else "batch/create", request
        elif request:
            raise InvalidRequestError("Give Proofy either a file or a request, not both.", vendor=self.name)
        else:
            path, more["upload"] = "file/upload", upload_of(self, submission, "file")
        response = yield ApiRequest("submit", "POST", f"/verify/{path}", repeatable=False, **more)
        return self._read(response, "submit", prefix=FILE_PREFIX if path.startswith("file") else "")

    def get_job(self, job_id: str) -> Flow[Job]:
        """Get one job."""
        response = yield ApiRequest("status", "GET", self._path(job_id), job_id=job_id)
        return self._read(response, "status", job_id=job_id)

    def cancel_job(self, job_id: str) -> Flow[Job]:
        """Delete a job, which is Proofy's way to cancel it.

        What the answer's body holds is not documented. Where it shows a state that we know, a job that had ended
        before is reported as what it is; else the job is polled, and one that is gone was cancelled.
        """
        response = yield ApiRequest("cancel", "DELETE", self._path(job_id), job_id=job_id)
        job = self._read(response, "cancel", job_id=job_id)
        if self.known_state(job.vendor_state) is None:
            raise ValueError("its status is none of a job's")
        return job

    def get_balance(self) -> Flow[int | None]:
        """Credits left; addresses found ``unknown`` cost none."""
        response = yield ApiRequest("balance", "GET", "/credits")
        return as_int(self.read_json("balance", response)["credits"])

    def check(self) -> Flow[str]:
        """Ask for the balance."""
        credits_left = yield from self.get_balance()
        return f"Proofy accepts the key; {credits_left} credits left."

    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        """The result is the answer itself."""
        return ApiRequest("download", "GET", f"{self._path(job.id)}/download", job_id=job.id)

    def check_result(self, job_id: str, members: Mapping[str, object]) -> None:
        """A 200 may say ``{"status": "processing", "list": []}``: only ``ready`` is a result."""
        super().check_result(job_id, members)
        status = unwrapped(dict(members), self.id_member).get("status")
        if status is not None and self.known_state(status) is not JobState.SUCCEEDED:
            raise self.not_ready(job_id, str(status))

    def expected_format(self, job: Job, file: ResultFile) -> str | None:
        """JSON for a list of addresses (vendor's document); for a file that is not documented."""
        return None if job.id.startswith(FILE_PREFIX) else "json"

    def refusal(self, request: ApiRequest, response: httpx.Response) -> BatchDlError | None:
        """Its older API answers errors as 200 ``{"error": true, "message": ...}``, and so may this one (inferred)."""
        error = super().refusal(request, response)
        body = json_of(response) if error is None and response.is_success else None
        flagged = isinstance(body, dict) and body.get("error") is True and "id" not in body
        return self.error_within(request, response) if flagged else error

    def is_own_error(self, response: httpx.Response) -> bool:
        """``{"message": ...}``; its older API says ``{"error": true, "message": ...}``."""
        body = json_of(response)
        return isinstance(body, dict) and any(isinstance(body.get(name), str) for name in ("message", "error"))

    def _path(self, job_id: str) -> str:
        kind, bare = ("file", job_id.removeprefix(FILE_PREFIX)) if job_id.startswith(FILE_PREFIX) else ("batch", job_id)
        return f"/verify/{kind}/{path_segment(bare)}"

    def _read(self, response: httpx.Response, operation: str, *, prefix: str = "", job_id: str | None = None) -> Job:
        prefix = FILE_PREFIX if (job_id or "").startswith(FILE_PREFIX) else prefix
        body = self.read_json(operation, response)
        # What a status answers is not documented, and may lack the id; a submit's has it.
        found = prefix + as_id(body["id"]) if job_id is None or body.get("id") is not None else job_id
        state, word = self.read_state(operation, body.get("status"))
        return Job(found, state, word, message=as_text(body.get("message")))
