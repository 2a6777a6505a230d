"""Salesforce's Bulk API 2.0, query jobs.

Sources: the "Bulk API 2.0 and Bulk API Developer Guide" (pages on creating, viewing, listing and aborting query jobs
and on their results) and the REST guide's page on errors. Inferences are said to be: what ended or unready jobs answer,
and how many rows a page has where nobody asks for a number.

The job's object never shows its SOQL (the guide's examples and tables do not have it), so a client cannot know a job
again by its query.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import re
from datetime import UTC, datetime
from itertools import chain
from typing import Any, BinaryIO

from airflow_provider_batchdl.emulator.downloads import result_content, served
from airflow_provider_batchdl.emulator.exchange import Api, Call, Endpoint, RefusedError, Reply, json_reply
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.emulator.limits import FixedWindow
from airflow_provider_batchdl.emulator.listing import jobs_after, whole_number
from airflow_provider_batchdl.emulator.oauth import TOKEN_SPEC, token_for_client
from airflow_provider_batchdl.emulator.openapi import TEXT, body, query
from airflow_provider_batchdl.emulator.pages import page_of
from airflow_provider_batchdl.emulator.results import Recipe
from airflow_provider_batchdl.emulator.rows import MEDIA_TYPES
from airflow_provider_batchdl.emulator.states import Phase

LOGIN = "/salesforce_bulk_query/my-domain"
"""Where a connection's host points: the org's My Domain. It has nothing but a token endpoint, at the origin."""
INSTANCE = "/salesforce_bulk_query/instance"
"""What the token's answer names as ``instance_url``; on the real service it may be another host."""
PAGE_ROWS = 50_000
"""Rows on a page of a result where no number is asked for (an inference: "a default value based on the service")."""
LIST_ROWS = 1_000
"""Jobs on a page of the list (the guide)."""
PER_DAY = 100_000
"""Requests a day; the real number is the org's."""

RECORDS = 500
"""Records of every object in the emulated org."""

_QUERY = re.compile(r"\s*SELECT\s+([\w.,\s]+?)\s+FROM\s+(\w+)\b.*", re.IGNORECASE | re.DOTALL | re.ASCII)
_VERSION = re.compile(r"v(4[7-9]|[5-9]\d)\.0")
_CODES = {
    400: "INVALID_FIELD",
    401: "INVALID_SESSION_ID",
    403: "REQUEST_LIMIT_EXCEEDED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "API_VERSION_MISMATCH",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "UNKNOWN_EXCEPTION",
    503: "SERVER_UNAVAILABLE",
}
"""Error codes by status; of these, the guides name those of 401, 403 and 404."""


class SalesforceBulkQuery(Api):
    """The token endpoint at the origin, and the jobs under the instance's ``/services/data/vXX.0/jobs/query``."""

    vendor = "salesforce_bulk_query"

    def endpoints(self) -> list[Endpoint]:
        """Return the routes."""
        create = body(
            {"operation": {"enum": ["query", "queryAll"]}, "query": {"const": "SELECT Id, Name FROM Account"}}
        )
        abort = body({"state": {"const": "Aborted"}})
        jobs = f"{INSTANCE}/services/data/{{sf_version}}/jobs/query"
        job = f"{jobs}/{{query_job_id}}"
        return [
            Endpoint("token", "POST", "/services/oauth2/token", self.token, TOKEN_SPEC, open=True),
            Endpoint("submit", "POST", jobs, self.create, create),
            Endpoint("list", "GET", jobs, self.listing, query(queryLocator=TEXT)),
            Endpoint("status", "GET", job, self.status),
            Endpoint("cancel", "PATCH", job, self.abort, abort),
            Endpoint("download", "GET", f"{job}/results", self.results, query(locator=TEXT, maxRecords=TEXT)),
        ]

    def error(self, status: int, message: str, code: str = "") -> Reply:
        """Return the documented error: a list of one object."""
        return json_reply(status, [{"errorCode": code or _CODES.get(status, "UNKNOWN_EXCEPTION"), "message": message}])

    def bad_body(self, problem: str) -> Reply:
        """Return the answer to a body that cannot be read."""
        return self.error(400, problem, "JSON_PARSER_ERROR")

    def guard(self, call: Call, endpoint: Endpoint) -> None:
        """Check the version, the bearer token and the daily limit, which is a 403 (the REST guide)."""
        if not _VERSION.fullmatch(call.params["sf_version"]):
            raise RefusedError(self.error(404, "The requested resource does not exist"))
        if not self.world.accounts.knows_token(self.vendor, call.bearer, self.world.clock.time()):
            raise RefusedError(self.error(401, "Session expired or invalid"))
        verdict = self.world.take(self.vendor, "org", lambda: FixedWindow(PER_DAY, 86_400))
        if self.world.accounts.quota_exceeded.get(self.vendor) or not verdict.allowed:
            raise RefusedError(self.error(403, "TotalRequests Limit exceeded.", "REQUEST_LIMIT_EXCEEDED"))

    async def token(self, call: Call) -> Reply:
        """Issue a token, and say where the instance is; no ``expires_in`` (the guide's example has none)."""
        token = await token_for_client(call, self.vendor, refused_status=400)
        now = self.world.clock.time()
        where = {"instance_url": self.world.origin + INSTANCE, "id": f"{self.world.origin}{LOGIN}/id/00D/005"}
        answer = {"access_token": token, "signature": "c2lnbmF0dXJl", "token_format": "opaque", **where}
        return json_reply(200, {**answer, "token_type": "Bearer", "issued_at": str(int(now * 1000))})

    # --- jobs

    async def create(self, call: Call) -> Reply:
        """Create a query job."""
        given = await call.json_object()
        if given.get("operation") not in ("query", "queryAll"):
            return self.error(400, "operation must be query or queryAll", "INVALIDJOB")
        queried = _QUERY.fullmatch(str(given.get("query")))
        if queried is None:
            return self.error(400, "unexpected token in the query", "MALFORMED_QUERY")
        names = [name.strip() for name in queried[1].split(",")]
        request = {**given, "object": queried[2], "version": call.params["sf_version"]}
        job = self.world.add_job(self.vendor, request=request, recipe=_recipe_for(names, self.world.seed))
        return json_reply(200, await self._describe(job))

    async def _describe(self, job: EmulatedJob) -> dict[str, Any]:
        request = job.request
        view = {
            "id": job.id,
            "operation": request.get("operation", "query"),
            "object": request.get("object", "Account"),
            "createdById": "005R0000000GiwjIAC",
            "createdDate": job.dated or _moment(job.submitted_at),
            "systemModstamp": _moment(job.changed_at),
            "state": job.vendor_state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(request.get("version", "v64.0")[1:]),
            "jobType": "V2Query",
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        }
        if job.message:
            view["errorMessage"] = job.message
        if job.phase is Phase.SUCCEEDED:
            lines = await asyncio.to_thread(lambda: job.content().lines)
            view |= {"numberRecordsProcessed": max(0, lines.count - 1), "retries": 0, "totalProcessingTime": 334}
        return view

    def _find(self, call: Call) -> EmulatedJob:
        return self.job(call.params["query_job_id"], self.error(404, "The requested resource does not exist"))

    async def status(self, call: Call) -> Reply:
        """Return one job."""
        return json_reply(200, await self._describe(self._find(call)))

    async def abort(self, call: Call) -> Reply:
        """Abort a job, which the guide allows in the first two states; the error for another is an inference."""
        job = self._find(call)
        if (await call.json_object()).get("state") != "Aborted":
            return self.error(400, "state must be Aborted")
        if job.phase.is_terminal:
            return self.error(400, f"Cannot abort a job in state {job.vendor_state}", "INVALIDJOBSTATE")
        job.ask_to_cancel(lingering=False)
        return json_reply(200, await self._describe(job))

    async def listing(self, call: Call) -> Reply:
        """Return a page of all jobs, "in an indeterminate order"; the next one's URL is a path at the instance."""
        jobs = sorted(self.world.jobs(self.vendor), key=lambda job: hashlib.sha256(job.id.encode()).digest())
        page = jobs_after(call, self.vendor, jobs, _text_of(call.query.get("queryLocator", "")), LIST_ROWS)
        following = None
        if page.has_more:
            following = f"{call.request.scope['path']}?queryLocator={_locator(page.jobs[-1].id)}"
        records = [await self._describe(job) for job in page.jobs]
        return json_reply(200, {"done": not page.has_more, "records": records, "nextRecordsUrl": following})

    async def results(self, call: Call) -> Reply:
        """Return a page of the result, whose next one is named by ``Sforce-Locator``; ``null`` on the last."""
        job = self._find(call)
        if job.request and job.request["version"] != call.params["sf_version"]:
            return self.error(409, "The query was created in another API version")
        if job.phase is not Phase.SUCCEEDED:
            return self.error(400, f"Results are not available in state {job.vendor_state}", "INVALIDJOBSTATE")
        most = whole_number(call.query.get("maxRecords", ""), PAGE_ROWS)
        first = whole_number(_text_of(call.query.get("locator", "")), 0)
        if most < 1 or first < 0:
            return self.error(400, "maxRecords or locator is not valid", "INVALID_QUERY_LOCATOR")
        if job.result and job.result.page_rows:
            most = min(most, job.result.page_rows)
        content = await result_content(call, job)
        page = await asyncio.to_thread(page_of, content, first, most)
        if page is None:
            return self.error(400, "invalid query locator", "INVALID_QUERY_LOCATOR")
        following = "null" if page.following is None else _locator(str(page.following))
        headers = [("sforce-locator", following), ("sforce-numberofrecords", str(page.rows))]
        return await served(call, Reply(200, page.content, headers, chunked=True), job)


def _locator(text: str) -> str:
    """Return a pseudo-random text as in the guide's examples (``MTAwMDA``)."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _text_of(locator: str) -> str:
    try:
        return base64.urlsafe_b64decode(locator.encode("ascii") + b"==").decode("ascii")
    except (binascii.Error, UnicodeError):
        return "-"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def _recipe_for(names: list[str], seed: int) -> Recipe:
    """Return the recipe of a query's result: a column for each field, every value in quotes (the guide's examples)."""

    def write(file: BinaryIO, revision: int, share: float) -> None:
        numbers = range(int(RECORDS * share))
        rows = ([_value(name, number, seed, revision) for name in names] for number in numbers)
        file.writelines(_line(values) for values in chain([names], rows))

    return Recipe(MEDIA_TYPES["csv"], write)


def _value(name: str, number: int, seed: int, revision: int) -> str:
    digest = hashlib.sha256(f"{seed}:{revision}:{name}:{number}".encode()).hexdigest()
    return f"001R{number:011d}IAC" if name.lower() == "id" else f'{name} {number}, "{digest[:8]}"'


def _line(values: list[str]) -> bytes:
    return ",".join('"' + value.replace('"', '""') + '"' for value in values).encode() + b"\n"
