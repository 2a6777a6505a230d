"""Batch.com (CEP): profile exports.

Source: the vendor's OpenAPI pages of the export calls. An export comes in one or several files; the link to each is
asked for separately, lives 20 minutes, and makes a new file every time it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_batchdl.exceptions import BatchDlError, InvalidRequestError, ResultNotReadyError
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.redaction import remember
from airflow_provider_batchdl.vendors.auth import BearerAuth
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, RateLimit, Submission, Vendor
from airflow_provider_batchdl.vendors.errors import json_of
from airflow_provider_batchdl.vendors.listing import JobPage, ListedJob, Listing
from airflow_provider_batchdl.vendors.matching import is_echo_of, parse_time, recognized
from airflow_provider_batchdl.vendors.reading import as_cursor, as_id, as_list, as_size, as_text
from airflow_provider_batchdl.vendors.states import fold

if TYPE_CHECKING:
    import httpx

    from airflow_provider_batchdl.vendors.account import Account

DEFAULT_VERSION = "2.11"
PAGE_SIZE = 100


class BatchCom(Vendor):
    """The Batch.com export API. It has no call that cancels an export, and none that tells a balance."""

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
    poll_interval = 15.0
    rate_limits = (RateLimit(1, 1.0),)  # see `rate_limit_scope`
    # Pages of up to a hundred, in an order that is not documented; three or four months of them, whatever their state.
    listing = Listing(complete=True)

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        version = account.text("api_version") or DEFAULT_VERSION
        if not re.fullmatch(r"\d+(\.\d+)?", version):
            raise InvalidRequestError(
                f"{version!r} is no Batch.com API version.",
                vendor=self.name,
                remedy=f'Set the connection extra "api_version" to one like "{DEFAULT_VERSION}", or leave it out.',
            )
        self._prefix = f"/{version}"
        # A word of the vendor's other export API (MEP), whose files end after a month; here it is inferred (medium).
        self._states.setdefault(fold("EXPIRED"), JobState.FAILED)

    @property
    def rate_limit_scope(self) -> str:
        """The project: keys of one share its limit, and two projects that one key serves have one each.

        One request a second "per project key" is what third parties tell; the vendor's own pages say no number.
        """
        return replace(self.account, login=None, secret=self.account.text("project_key") or "").fingerprint

    @property
    def account_name(self) -> str | None:
        """The project: exports are its own, whichever key asks."""
        return self.account.text("project_key")

    def auth(self) -> httpx.Auth:
        """The REST API key as Bearer, and the project key in ``X-Batch-Project``."""
        project = self.account.text("project_key")
        if project is None:
            raise InvalidRequestError(
                "The connection has no project key.",
                vendor=self.name,
                remedy='Set the connection extra "project_key"; the Batch.com dashboard shows it.',
            )
        remember(project)
        return BearerAuth(self.account.secret, {"X-Batch-Project": project})

    def submit(self, submission: Submission) -> Flow[Job]:
        """Create a profile export; ``request`` is the body of ``POST /profiles/export``."""
        if submission.file is not None or not submission.request:
            raise InvalidRequestError("Batch.com takes a request, and no file.", vendor=self.name)
        response = yield self._call(
            "submit", "/profiles/export", method="POST", json=dict(submission.request), repeatable=False
        )
        try:
            export_id = as_id(self.read_json("submit", response)["id"])
        except (KeyError, TypeError) as error:
            raise self.malformed("submit", response, repr(error)) from error
        return Job(export_id, JobState.PENDING, "CREATED")

    def get_job(self, job_id: str) -> Flow[Job]:
        """Look at one export."""
        response = yield self._call("status", "/exports/view", params={"id": job_id}, job_id=job_id)
        return self._read(response, "status", self.read_json("status", response))

    def list_jobs(self) -> Flow[list[Job]]:
        """All exports that the vendor still lists (three or four months, by its own two statements)."""
        jobs: dict[str, Job] = {}
        listed, _ = yield from self._pages()
        for job in self.read_items(listed, lambda each: self._read(each[0], "list", each[1])):
            jobs.setdefault(job.id, job)
        return list(jobs.values())

    def _pages(self, delay: float = 0.0) -> Flow[tuple[list[tuple[httpx.Response, Any]], bool]]:
        """The items of all pages, and whether these are all that there are."""
        found: list[tuple[httpx.Response, Any]] = []
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            response, items, cursor, has_more = yield from self._page(cursor, delay)
            found += [(response, item) for item in items]
            if not cursor or cursor in seen:  # a cursor that repeats would never end
                return found, not has_more
            seen.add(cursor)
            delay = 0.0

    def _page(self, cursor: str | None, delay: float = 0.0) -> Flow[tuple[httpx.Response, list[Any], str | None, bool]]:
        """One page: its items, the cursor of the next, and whether there is one."""
        params: dict[str, str | int] = {"limit": PAGE_SIZE}
        if cursor:
            params["from"] = cursor
        response = yield self._call("list", "/exports/list", params=params, delay=delay)
        try:
            page = self.read_json("list", response)
            has_more = bool(page.get("has_more"))
            following = as_cursor(page.get("next_from")) if has_more else None
            return response, as_list(page["exports"]), following, has_more
        except (AttributeError, KeyError, TypeError) as error:
            raise self.malformed("list", response, repr(error)) from error

    def list_page(self, cursor: str | None = None) -> Flow[JobPage]:
        """Up to a hundred exports."""
        response, items, following, has_more = yield from self._page(cursor)
        jobs = self.read_items(items, lambda item: ListedJob(self._read(response, "list", item), _made(item)))
        whole = len(jobs) == len(items) and has_more is (following is not None)
        return JobPage(tuple(jobs), following, whole=whole)

    def check(self) -> Flow[str]:
        """List one export."""
        response = yield self._call("check", "/exports/list", params={"limit": 1})
        try:
            self.read_json("check", response)["exports"]
        except (KeyError, TypeError) as error:
            raise self.malformed("check", response, repr(error)) from error
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
            return is_echo_of(item.get("request"), submission.request, _made(item), submission.submitted_at)

        listed, is_whole = yield from self._pages(delay)
        found: list[Job | None] = [] if is_whole else [None]
        for response, item in listed:
            found += recognized([item], is_ours, partial(self._read, response, "list"), submission.earlier)
        return found

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

    def _read(self, response: httpx.Response, operation: str, item: Any) -> Job:
        try:
            export_id, (state, word) = as_id(item["id"]), self.read_state(operation, item["status"])
            # `files` is required, but some members "only exist at SUCCESS": there, `[]` is empty and null is no answer.
            listed = item["files"] if state is JobState.SUCCEEDED else item.get("files") or []
            files = tuple(
                ResultFile(as_id(file["id"]), f"{export_id}.json", as_size(file.get("size")), as_size(file.get("part")))
                for file in as_list(listed)
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise self.malformed(operation, response, repr(error)) from error
        words = as_text(item.get("error_message") or item.get("error_msg"))
        code = as_text(item.get("error_code"))
        return Job(export_id, state, word, message=f"{code}: {words}" if code and words else words or code, files=files)


def _made(item: Mapping[str, Any]) -> datetime | None:
    """When an export was made: the vendor's schema requires a `requested_at`, its examples show a `request_date`."""
    return parse_time(item.get("request_date") or item.get("requested_at"))
