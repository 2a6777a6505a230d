"""Batch.com (CEP): profile exports.

Source: the vendor's OpenAPI pages of the export calls. An export has one or several files; the link to each is
asked for separately, lives 20 minutes, and makes a new file every time it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_batchdl._redaction.redactor import excerpt, remember
from airflow_provider_batchdl._values import times
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidRequestError, ResultNotReadyError
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.vendors.auth import BearerAuth
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, RateLimit, Submission, Vendor
from airflow_provider_batchdl.vendors.checking import Member, RequestRules
from airflow_provider_batchdl.vendors.dates import as_moment
from airflow_provider_batchdl.vendors.errors import json_of
from airflow_provider_batchdl.vendors.listing import JobPage, ListedJob, Listing, Page, job_page
from airflow_provider_batchdl.vendors.matching import CLOCK_TOLERANCE, is_echo_of, searched
from airflow_provider_batchdl.vendors.reading import as_cursor, as_id, as_list, as_size, as_text, as_token
from airflow_provider_batchdl.vendors.states import fold

if TYPE_CHECKING:
    import httpx

    from airflow_provider_batchdl.vendors.account import Account

DEFAULT_VERSION = "2.11"
PAGE_SIZE = 100
LONGEST_VERSION = 20
LOOKBACK = timedelta(days=90)
"""Age of the oldest events and reachability (vendor's documentation); an older ``from`` is an error."""


def _something(request: Mapping[str, Any]) -> Iterator[str]:
    if request["export_type"] == "ATTRIBUTES" and not (request.get("attributes") or request.get("identifiers")):
        yield "it asks for neither attributes nor identifiers"


# Of the vendor's `POST /profiles/export`. Exports of events and reachability are documented without their names and
# members; those here are reported.
REQUEST = RequestRules(
    {
        "export_type": Member("text", required=True, values=("ATTRIBUTES",), reported=("EVENTS", "REACHABILITY")),
        "attributes": Member("text", many=True),
        "identifiers": Member("text", many=True),
        "filter": Member("object"),
        "from": Member("moment", documented=False),
        "to": Member("moment", documented=False),
        "events": Member("text", many=True, documented=False),
        "channels": Member("text", many=True, documented=False),
    },
    also=_something,
)


class BatchCom(Vendor):
    """The Batch.com export API. It has no call that cancels an export, and none for a balance."""

    name = "batchcom"
    label = "Batch.com"
    default_host = "https://api.batch.com"
    docs_url = "https://doc.batch.com/developer/api/cep/"
    states: ClassVar[Mapping[str, JobState]] = {
        "CREATED": JobState.PENDING,
        "PENDING": JobState.PENDING,
        "RUNNING": JobState.RUNNING,
        "SUCCESS": JobState.SUCCEEDED,
        "ERROR": JobState.FAILED,
    }
    request_rules = REQUEST
    file_rules = None
    poll_interval = 15.0
    rate_limits = (RateLimit(1, 1.0),)  # see `rate_limit_scope`
    # Pages of up to a hundred, in an undocumented order; three or four months of them (by its own two statements), in
    # any state.
    listing = Listing(complete=True)
    extra_members = frozenset({"api_version", "project_key"})
    key_label = "REST API key"
    has_plain_secret = True

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        version = account.text("api_version") or DEFAULT_VERSION
        if not re.fullmatch(r"\d+\.\d+", version):
            raise account.wrong(
                "extra field 'api_version'",
                f"is {excerpt(version, LONGEST_VERSION)!r}, and no version of Batch.com's API",
                f'Set it to one like "{DEFAULT_VERSION}", or leave it out.',
                vendor=self.name,
            )
        if account.text("project_key") is None:
            others = f" It is none of {', '.join(self.ignored_extra)}." if self.ignored_extra else ""
            raise account.wrong(
                "extra field 'project_key'",
                "is missing",
                f'Set the connection extra "project_key"; the Batch.com dashboard shows it.{others}',
                vendor=self.name,
            )
        self._prefix = f"/{version}"
        # A word of the vendor's other export API (MEP), whose files end after a month; here it is inferred (medium).
        self._states.setdefault(fold("EXPIRED"), JobState.FAILED)

    @property
    def rate_limit_scope(self) -> str:
        """The project: its API keys share its limit, and two projects with one API key have one each.

        One request a second "per project key" is by third parties; the vendor's own pages have no number.
        """
        return replace(self.account, login=None, secret=self.account.text("project_key") or "").fingerprint

    @property
    def account_name(self) -> str | None:
        """The project: exports are its own, for all API keys."""
        return self.account.text("project_key")

    def auth(self) -> httpx.Auth:
        """The REST API key as Bearer, and the project key in ``X-Batch-Project``."""
        project = self.account.text("project_key") or ""
        remember(project)
        return BearerAuth(self.account.secret, {"X-Batch-Project": project})

    def submit(self, submission: Submission) -> Flow[Job]:
        """Create a profile export; ``request`` is the body of ``POST /profiles/export``."""
        if submission.request.get("export_type") != "ATTRIBUTES":
            check_period(self, submission.request)
        response = yield self._call(
            "submit", "/profiles/export", method="POST", json=dict(submission.request), repeatable=False
        )
        return Job(as_id(self.read_json("submit", response)["id"]), JobState.PENDING, "CREATED")

    def write_date(self, value: date) -> str:
        """Times as RFC 3339, as in the vendor's answers; that a request takes them so is reported."""
        return as_moment(value)

    def get_job(self, job_id: str) -> Flow[Job]:
        """Get one export."""
        response = yield self._call("status", "/exports/view", params={"id": job_id}, job_id=job_id)
        return self._read("status", self.read_json("status", response))

    def _page(self, cursor: str | None, delay: float = 0.0) -> Flow[Page]:
        params: dict[str, str | int] = {"limit": PAGE_SIZE}
        if cursor:
            params["from"] = cursor
        response = yield self._call("list", "/exports/list", params=params, delay=delay)
        page = self.read_json("list", response)
        has_more = bool(page.get("has_more"))
        following = as_cursor(page.get("next_from")) if has_more else None
        return Page(as_list(page["exports"]), following, whole=has_more is (following is not None))

    def list_page(self, cursor: str | None = None) -> Flow[JobPage]:
        """Up to a hundred exports."""
        page = yield from self._page(cursor)
        return job_page(self, page, self._listed)

    def _listed(self, item: Any) -> ListedJob:
        job = self._read("list", item)
        return ListedJob(job, self.moment(_made(item)), self.moment(item.get("completion_date")))

    def check(self) -> Flow[str]:
        """List one export."""
        response = yield self._call("check", "/exports/list", params={"limit": 1})
        self.read_json("check", response)["exports"]
        return "Batch.com accepts the key and the project."

    def result_files(self, job: Job) -> tuple[ResultFile, ...]:
        """The files that the export lists; an empty export may list none."""
        return job.files

    def expected_format(self, job: Job, file: ResultFile) -> str | None:
        """JSON, says the vendor, a record a profile: one client read an array of them, another JSON lines."""
        return "jsonl"

    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        """Ask for a link: the answer is a 307."""
        return self._call("download", "/exports/download", params={"id": file.id}, job_id=job.id)

    def candidates(self, submission: Submission, delay: float) -> Flow[list[Job | None]]:
        """The exports of the same request made since."""

        def is_ours(item: Mapping[str, Any]) -> bool | None:
            return is_echo_of(
                item.get("request"), submission.request, _made(item), submission.submitted_at, zone=self.zone
            )

        return searched(self._page, self._listed, is_ours, submission, delay)

    def is_own_error(self, response: httpx.Response) -> bool:
        """``{"error_code": ..., "error_message": ...}``, both required by the vendor's document; the code is enough."""
        body = json_of(response)
        return isinstance(body, dict) and isinstance(body.get("error_code"), str)

    def error_kind(self, request: ApiRequest, response: httpx.Response) -> type[BatchDlError] | None:
        """The vendor calls a 409 on download just "Conflict"; that the export is not SUCCESS yet is inferred."""
        early = request.operation == "download" and response.status_code == HTTPStatus.CONFLICT
        return ResultNotReadyError if early else None

    def _call(self, operation: str, path: str, *, method: str = "GET", **more: Any) -> ApiRequest:
        return ApiRequest(operation, method, self._prefix + path, **more)

    def _read(self, operation: str, item: Any) -> Job:
        export_id, (state, word) = as_id(item["id"]), self.read_state(operation, item["status"])
        # `files` is required, but some members "only exist at SUCCESS": there, `[]` is empty and null is no answer.
        listed = item["files"] if state is JobState.SUCCEEDED else item.get("files") or []
        files = tuple(
            ResultFile(as_token(file["id"]), f"{export_id}.json", as_size(file.get("size")), as_size(file.get("part")))
            for file in as_list(listed)
        )
        words = as_text(item.get("error_message") or item.get("error_msg"))
        code = as_text(item.get("error_code"))
        return Job(export_id, state, word, message=f"{code}: {words}" if code and words else words or code, files=files)


def _made(item: Mapping[str, Any]) -> Any:
    """Creation time of an export: the vendor's schema requires a `requested_at`, its examples show a `request_date`."""
    return item.get("request_date") or item.get("requested_at")


def check_period(vendor: Vendor, request: Mapping[str, Any]) -> None:
    """Refuse a period that begins too long ago, or does not end after it begins.

    What is no time (the word "now", a form that the vendor may know) passes.
    """
    begin, end = (vendor.moment(request.get(name)) for name in ("from", "to"))
    if begin is None:
        return
    first = times.now() - LOOKBACK
    if begin < first - CLOCK_TOLERANCE:
        raise InvalidRequestError(
            f"The request's from, {request['from']}, is more than {LOOKBACK.days} days ago: {vendor.label} has nothing "
            "older.",
            vendor=vendor.name,
            remedy=f"Ask for {first:%Y-%m-%d %H:%M} UTC or later; an older run of a DAG cannot be made up for.",
        )
    if end is not None and end <= begin:
        raise InvalidRequestError(
            f"The request's period is empty: it is from {request['from']} to {request['to']}.",
            vendor=vendor.name,
            remedy=(
                "Under Airflow's @daily a run's data interval has no length; take the start and end of "
                "macros.batchdl.period() instead."
            ),
        )
