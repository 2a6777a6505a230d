"""ApartmentIQ: bulk market data.

Source: the vendor's OpenAPI document and pages, version 1.14.0. A job knows four states; its result is a 302 to a
pre-signed S3 link that lives seven days.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_batchdl.exceptions import BatchDlError, QuotaExceededError, ResultNotReadyError
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.vendors.auth import BearerAuth
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, RateLimit, Submission, Vendor
from airflow_provider_batchdl.vendors.checking import Member, RequestRules
from airflow_provider_batchdl.vendors.dates import as_day
from airflow_provider_batchdl.vendors.errors import json_of, vendor_words
from airflow_provider_batchdl.vendors.listing import JobPage, ListedJob, Listing, Page, job_page
from airflow_provider_batchdl.vendors.matching import is_echo_of, searched
from airflow_provider_batchdl.vendors.oauth2 import OAuth2ClientCredentials, token_url_of
from airflow_provider_batchdl.vendors.reading import as_id, as_int, as_list, as_text
from airflow_provider_batchdl.vendors.refusals import folded, has_quota

if TYPE_CHECKING:
    import httpx

    from airflow_provider_batchdl.vendors.account import Account

JOBS = "/bulk_api/jobs"
PAGE_SIZE = 100


def _order(request: Mapping[str, Any]) -> Iterator[str]:
    """Both days are of the period (reported), so the first cannot be after the last."""
    first, last = (str(request[name])[:10] for name in ("start_date", "end_date"))
    if first > last:
        yield f"start_date, {first}, is after end_date, {last}"


# Of the vendor's `POST /bulk_api/jobs`; it names no limits for property_ids and the period.
REQUEST = RequestRules(
    {
        "report_type": Member("text", required=True, values=("floorplans", "property", "units")),
        "output_format": Member("text", required=True, values=("csv", "jsonl", "parquet")),
        "start_date": Member("day", required=True),
        "end_date": Member("day", required=True),
        "property_ids": Member("whole", many=True, required=True, least=1),
        "callback_url": Member("text"),
    },
    also=_order,
)


class ApartmentIQ(Vendor):
    """The ApartmentIQ bulk API, v1."""

    name = "apartmentiq"
    label = "ApartmentIQ"
    default_host = "https://data.apartmentiq.io/apartmentiq/api/v1"
    docs_url = "https://developers.apartmentiq.io"
    id_member = "job_id"
    states: ClassVar[Mapping[str, JobState]] = {
        "submitted": JobState.RUNNING,  # the one word for every state before the end
        "succeeded": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "cancelled": JobState.CANCELLED,
    }
    request_rules = REQUEST
    file_rules = None
    poll_interval = 20.0
    # The vendor gives no number and asks to follow its headers; 100 in 5 minutes is a third party's.
    rate_limits = (RateLimit(100, 300.0),)
    # All jobs, newest first; that those which have ended stay in it is inferred (high confidence) from its `status`.
    listing = Listing(newest_first=True, complete=True)

    extra_members = frozenset({"token_url"})
    key_label = "Client secret: or an access token, where there is no client id"
    login_label = "Client id"
    has_plain_secret = True

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._token_url = token_url_of(account, "/oauth/token", vendor=self.name)

    def auth(self) -> httpx.Auth:
        """Client credentials where the connection has a login, else its password is an access token."""
        if not self.account.login:
            return BearerAuth(self.account.secret)
        return OAuth2ClientCredentials(
            token_url=self._token_url,
            client_id=self.account.login,
            client_secret=self.account.secret,
            cache_key=self.account.fingerprint,
            vendor=self.name,
        )

    def submit(self, submission: Submission) -> Flow[Job]:
        """Submit a report job; ``request`` is the body of ``POST /bulk_api/jobs``."""
        response = yield ApiRequest("submit", "POST", JOBS, json=dict(submission.request), repeatable=False)
        return self._read("submit", self.read_json("submit", response))

    def write_date(self, value: date) -> str:
        """Days only: ``start_date`` and ``end_date`` are YYYY-MM-DD (vendor's document)."""
        return as_day(value)

    def get_job(self, job_id: str) -> Flow[Job]:
        """Get one job."""
        response = yield ApiRequest("status", "GET", self._path(job_id), job_id=job_id)
        return self._read("status", self.read_json("status", response))

    def list_page(self, cursor: str | None = None) -> Flow[JobPage]:
        """Up to a hundred jobs, newest first; the cursor is the page's number."""
        page = yield from self._page(cursor)
        return job_page(self, page, self._listed)

    def _listed(self, item: Any) -> ListedJob:
        job = self._read("list", item)
        return ListedJob(job, self.moment(item.get("created_at")), self.moment(item.get("updated_at")))

    def _page(self, cursor: str | None, delay: float = 0.0) -> Flow[Page]:
        number = int(cursor or 1)
        params: dict[str, str | int] = {"page": number, "per_page": PAGE_SIZE}
        response = yield ApiRequest("list", "GET", JOBS, params=params, delay=delay)
        body = self.read_json("list", response)
        items, last = as_list(body["jobs"]), as_int(body["pagination"]["total_pages"])
        following = str(number + 1) if items and number < last else None
        return Page(items, following, whole=number >= last or bool(items))

    def cancel_job(self, job_id: str) -> Flow[Job]:
        """Cancel a job."""
        response = yield ApiRequest("cancel", "DELETE", self._path(job_id), job_id=job_id)
        return self._read("cancel", self.read_json("cancel", response))

    def check(self) -> Flow[str]:
        """List one account."""
        params: dict[str, str | int] = {"page": 1, "per_page": 1}
        response = yield ApiRequest("check", "GET", "/accounts", params=params)
        self.read_json("check", response)["data"]
        return "ApartmentIQ accepts the credentials."

    def expected_format(self, job: Job, file: ResultFile) -> str | None:
        """The requested format: ``csv``, ``jsonl`` or ``parquet``."""
        suffix = (file.name or "").rpartition(".")[2].lower()
        return suffix if suffix in ("csv", "jsonl", "parquet") else None

    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        """Ask for the link: the answer is a 302."""
        return ApiRequest("download", "GET", f"{self._path(job.id)}/results", job_id=job.id)

    def candidates(self, submission: Submission, delay: float) -> Flow[list[Job | None]]:
        """The jobs of the same request made since: newest first, so a page with none but older ones is the last."""

        def is_ours(item: Mapping[str, Any]) -> bool | None:
            made = item.get("created_at")
            return is_echo_of(
                item, submission.request, made, submission.submitted_at, known=REQUEST.members, zone=self.zone
            )

        return searched(self._page, self._listed, is_ours, submission, delay, newest_first=True)

    def is_own_error(self, response: httpx.Response) -> bool:
        """``{"error": ..., "message"?: ...}`` or ``{"errors": ...}``; some 403s are empty, and the 429 is text."""
        body = json_of(response)
        if isinstance(body, dict):
            return isinstance(body.get("error"), str) or bool(body.get("errors"))
        status = response.status_code
        return status == HTTPStatus.TOO_MANY_REQUESTS or (status == HTTPStatus.FORBIDDEN and not response.content)

    def error_kind(self, request: ApiRequest, response: httpx.Response) -> type[BatchDlError] | None:
        """Two things are a 429 here: text/plain for too many requests, JSON for a quota used up."""
        words = folded(vendor_words(response)[0])
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS and json_of(response):
            return QuotaExceededError if has_quota(response) or "quota" in words else None
        early = response.status_code == HTTPStatus.BAD_REQUEST and request.operation == "download"
        return ResultNotReadyError if early and "not completed" in words else None

    def _path(self, job_id: str) -> str:
        try:
            return f"{JOBS}/{uuid.UUID(job_id)}"
        except ValueError as error:
            raise self.wrong_id(job_id, "a UUID") from error

    def _read(self, operation: str, item: Any) -> Job:
        job_id, (state, word) = as_id(item["job_id"]), self.read_state(operation, item.get("status"))
        report, suffix = as_text(item.get("report_type")), as_text(item.get("output_format"))
        name = f"{report or 'report'}-{job_id}.{suffix}" if suffix else None
        files = (ResultFile(job_id, name),) if state is JobState.SUCCEEDED else ()
        return Job(job_id, state, word, message=as_text(item.get("error_message")), files=files)
