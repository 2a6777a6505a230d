"""Batch.com's exports (customer engagement platform).

Sources: the vendor's OpenAPI document and pages of the export calls. The API has no cancellation and no balance.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import re
import uuid
from datetime import UTC, datetime
from typing import Any

from airflow_provider_batchdl.emulator.apis.batchcom_requests import problem_of, recipe_for
from airflow_provider_batchdl.emulator.downloads import result_content
from airflow_provider_batchdl.emulator.echo import in_own_order
from airflow_provider_batchdl.emulator.exchange import (
    Api,
    BadBodyError,
    Call,
    Endpoint,
    Reply,
    json_reply,
    redirect_reply,
)
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.emulator.limits import TokenBucket
from airflow_provider_batchdl.emulator.naming import result_names
from airflow_provider_batchdl.emulator.states import Phase
from airflow_provider_batchdl.emulator.store import link_to

BURST = 10
SECONDS_PER_REQUEST = 1.0
SECONDS_PER_SEGMENT_EXPORT = 720.0
"""One export with a segment filter per 12 minutes, and bursts of 10: third party."""

_VERSION = re.compile(r"2\.\d+")
_CODES = {
    400: "MALFORMED_PARAMETER",
    401: "AUTHENTICATION_INVALID",
    404: "ROUTE_NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    429: "TOO_MANY_REQUESTS",
    500: "SERVER_ERROR",
    503: "MAINTENANCE",
}
"""Error codes by status. The vendor lists none for exports; some names are its older API's, the rest are made up."""


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class BatchCom(Api):
    """Routes under ``/batchcom/{version}``; any version ``2.x`` is served."""

    vendor = "batchcom"

    def own_endpoints(self) -> list[Endpoint]:
        """Return the routes."""
        base = "/batchcom/{version}"
        body: dict[str, Any] = {"type": "object", "properties": {"export_type": {"enum": ["ATTRIBUTES"]}}}
        body["properties"] |= {
            name: {"type": "array", "items": {"type": "string"}} for name in ("attributes", "identifiers")
        }
        create = {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}
        by_id = {"parameters": [{"name": "id", "in": "query", "required": True, "schema": {"type": "string"}}]}
        limit = {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}}
        page = {"parameters": [limit, {"name": "from", "in": "query", "schema": {"type": "string"}}]}
        return [
            Endpoint("submit", "POST", f"{base}/profiles/export", self.create, create),
            Endpoint("status", "GET", f"{base}/exports/view", self.view, by_id),
            Endpoint("list", "GET", f"{base}/exports/list", self.listing, page),
            Endpoint("download", "GET", f"{base}/exports/download", self.download, by_id),
        ]

    def error(self, status: int, message: str, code: str = "") -> Reply:
        """Return the documented error object."""
        return json_reply(status, {"error_code": code or _CODES.get(status, "ERROR"), "error_message": message})

    def guard(self, call: Call, endpoint: Endpoint) -> Reply | None:
        """Check the version, the bearer key, the project header and the limit per project."""
        if not _VERSION.fullmatch(call.params["version"]):
            return self.error(404, "Route not found")
        account = self.world.accounts.credentials[self.vendor]
        if not hmac.compare_digest(call.header("authorization").encode(), f"Bearer {account.password}".encode()):
            return self.error(401, "The Rest API Key is not valid for this project")
        project = call.header("x-batch-project")
        if not project:
            return self.error(400, "The header X-Batch-Project is missing", "MISSING_PARAMETER")
        if project != account.extra["project_key"]:
            return self.error(401, "The Rest API Key is not valid for this project")
        # One request a second on average (vendor's documentation); how large a burst may be is an inference.
        verdict = self.world.take("batchcom", project, lambda: TokenBucket(BURST, SECONDS_PER_REQUEST))
        return self.error(429, "Too Many Requests") if self.world.rate_limits and not verdict.allowed else None

    async def create(self, call: Call) -> Reply:
        """Create an export; 202 with its id."""
        try:
            body = await call.json_object()
        except BadBodyError as problem:
            return self.error(400, str(problem))
        if problem_text := problem_of(body, self.world.clock.time()):
            return self.error(400, *problem_text)
        if "filter" in body:
            verdict = self.world.take("batchcom-segment", "", lambda: TokenBucket(BURST, SECONDS_PER_SEGMENT_EXPORT))
            if self.world.rate_limits and not verdict.allowed:
                return self.error(429, "Too Many Requests")
        job = self.world.add_job(self.vendor, request=body, recipe=recipe_for(body, self.world.seed))
        job.names = result_names(job)
        return json_reply(202, {"id": job.id})

    async def view(self, call: Call) -> Reply:
        """Return one export."""
        job = self.world.job(self.vendor, call.query.get("id", ""))
        if "id" not in call.query:
            return self.error(400, "The parameter id is missing", "MISSING_PARAMETER")
        if job is None:
            return self.error(404, "No export has this id", "NOT_FOUND")
        return json_reply(200, await self._describe(call, job))

    async def _describe(self, call: Call, job: EmulatedJob) -> dict[str, Any]:
        request = job.request or {"export_type": "ATTRIBUTES", "attributes": [], "identifiers": ["custom_id"]}
        view: dict[str, Any] = {"id": job.id, "request_date": job.dated or _moment(job.submitted_at)}
        if job.phase is not Phase.QUEUED:
            view["start_date"] = _moment(job.started_at)
        # PROFILE_ATTRIBUTES is the only scope that the vendor's pages show.
        view |= {"scope": f"PROFILE_{request['export_type']}", "status": job.vendor_state}
        view["request"] = in_own_order(request)
        if job.message:
            view["error_message"] = job.message  # an inference: no page shows an export that failed
        if job.phase is Phase.SUCCEEDED and job.ended_at is not None:
            view["completion_date"] = _moment(job.ended_at)
            listing = job.result.listing if job.result else "files"
            if listing != "missing":
                view["files"] = await self._files(call, job) if listing == "files" else None
        return view

    async def _files(self, call: Call, job: EmulatedJob) -> list[dict[str, Any]]:
        version = call.params["version"]
        url = f"{self.world.origin}/batchcom/{version}/exports/download?id="
        files = []
        for part in range(1, job.parts + 1):
            content = await asyncio.to_thread(job.content, part)
            file_id = f"{job.id.replace('export_', 'file_')}{part:04d}"
            wrong = call.fault.length_delta if call.fault and call.faulty("wrong_size") else 0
            size = max(0, content.size + wrong)
            files.append({"id": file_id, "part": job.part_number(part), "size": size, "url": url + file_id})
        return files

    async def listing(self, call: Call) -> Reply:
        """Return a page of exports, newest first (the order is an inference)."""
        limit_text = call.query.get("limit", "10")
        limit = int(limit_text) if limit_text.isascii() and limit_text.isdecimal() and len(limit_text) < 5 else 0
        if not 1 <= limit <= 100:
            return self.error(400, "limit must be between 1 and 100")
        jobs = self.world.jobs(self.vendor)[::-1]
        cursor = call.query.get("from", "")
        start = len(jobs) if cursor.startswith("endless-") else _position(jobs, cursor) if cursor else 0
        if start is None:
            return self.error(400, "from is not a cursor of this list")
        page = jobs[start : start + limit]
        has_more = len(jobs) > start + limit
        exports = [await self._describe(call, job) for job in page]
        answer: dict[str, Any] = {"exports": exports, "count": len(page), "has_more": has_more}
        if call.faulty("endless_list"):
            number = uuid.uuid4().hex
            invented = {"id": f"export_{number}", "status": "RUNNING", "scope": "PROFILE_ATTRIBUTES", "request": {}}
            answer |= {"exports": [*exports, invented], "has_more": True, "next_from": "endless-" + number}
        elif has_more:
            answer["next_from"] = base64.urlsafe_b64encode(jobs[start + limit].id.encode()).decode()
        return json_reply(200, answer)

    async def download(self, call: Call) -> Reply:
        """Redirect to a file. Each call makes a new one: the vendor says so ("to generate a new file").

        The emulator takes that to mean a new key and a new ETag over the same bytes (an inference). That 409 is the
        answer to a file of an unfinished export is one as well.
        """
        file_id = call.query.get("id", "")
        if not file_id:
            return self.error(400, "The parameter id is missing", "MISSING_PARAMETER")
        head, tail = file_id[:-4], file_id[-4:]
        job = self.world.job(self.vendor, head.replace("file_", "export_", 1)) if head.startswith("file_") else None
        part = int(tail) if tail.isascii() and tail.isdecimal() else 0
        if job is None or not 1 <= part <= job.parts:
            return self.error(404, "No file has this id", "NOT_FOUND")
        if job.phase is not Phase.SUCCEEDED:
            return self.error(409, "The export is not finished")
        await result_content(call, job, part)
        with self.world.lock:
            serial = len(self.world.links.objects) + 1
            key = f"batchcom-exports/{job.id}/{serial:06d}/{job.part_name(part)}"
            stored = self.world.links.store(key, job, part)
        return redirect_reply(307, link_to(self.world, stored))


def _position(jobs: list[EmulatedJob], cursor: str) -> int | None:
    try:
        job_id = base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        return None
    return next((index for index, job in enumerate(jobs) if job.id == job_id), None)
