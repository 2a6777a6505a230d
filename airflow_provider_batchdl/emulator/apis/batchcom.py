"""Batch.com's exports (customer engagement platform).

Sources: the vendor's OpenAPI document and pages of the export calls. The API has no cancellation and no balance.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import uuid
from datetime import UTC, datetime
from typing import Any

from airflow_provider_batchdl.emulator.apis.batchcom_requests import in_own_order, problem_of, recipe_for
from airflow_provider_batchdl.emulator.downloads import result_content
from airflow_provider_batchdl.emulator.exchange import (
    Api,
    Call,
    Endpoint,
    RefusedError,
    Reply,
    json_reply,
    redirect_reply,
)
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.emulator.limits import TokenBucket
from airflow_provider_batchdl.emulator.listing import whole_number
from airflow_provider_batchdl.emulator.openapi import TEXT, body, query
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

    def endpoints(self) -> list[Endpoint]:
        """Return the routes."""
        base = "/batchcom/{version}"
        names = {"type": "array", "items": TEXT}
        create = body({"export_type": {"enum": ["ATTRIBUTES"]}, "attributes": names, "identifiers": names}, [])
        by_id = query("id")
        page = query(limit={"type": "integer", "minimum": 1, "maximum": 100}, **{"from": TEXT})
        return [
            Endpoint("submit", "POST", f"{base}/profiles/export", self.create, create),
            Endpoint("status", "GET", f"{base}/exports/view", self.view, by_id),
            Endpoint("list", "GET", f"{base}/exports/list", self.listing, page),
            Endpoint("download", "GET", f"{base}/exports/download", self.download, by_id),
        ]

    def error(self, status: int, message: str, code: str = "") -> Reply:
        """Return the documented error object."""
        return json_reply(status, {"error_code": code or _CODES.get(status, "ERROR"), "error_message": message})

    def guard(self, call: Call, endpoint: Endpoint) -> None:
        """Check the version, the bearer key, the project header and the limit per project."""
        if not _VERSION.fullmatch(call.params["version"]):
            raise RefusedError(self.error(404, "Route not found"))
        project = call.header("x-batch-project")
        known = self.world.accounts.credentials[self.vendor].extra["project_key"]
        if call.header("authorization") != f"Bearer {self.key}" or project not in ("", known):
            raise RefusedError(self.error(401, "The Rest API Key is not valid for this project"))
        if not project:
            raise RefusedError(self.error(400, "The header X-Batch-Project is missing", "MISSING_PARAMETER"))
        # One request a second on average (vendor's documentation); how large a burst may be is an inference.
        self._limit("batchcom", project, SECONDS_PER_REQUEST)

    def _limit(self, name: str, key: str, seconds: float) -> None:
        if not self.world.take(name, key, lambda: TokenBucket(BURST, seconds)).allowed:
            raise RefusedError(self.error(429, "Too Many Requests"))

    async def create(self, call: Call) -> Reply:
        """Create an export; 202 with its id."""
        request = await call.json_object()
        if problem := problem_of(request, self.world.clock.time()):
            return self.error(400, *problem)
        if "filter" in request:
            self._limit("batchcom-segment", "", SECONDS_PER_SEGMENT_EXPORT)
        job = self.world.add_job(self.vendor, request=request, recipe=recipe_for(request, self.world.seed))
        return json_reply(202, {"id": job.id})

    def _id(self, call: Call) -> str:
        if not call.query.get("id"):
            raise RefusedError(self.error(400, "The parameter id is missing", "MISSING_PARAMETER"))
        return call.query["id"]

    async def view(self, call: Call) -> Reply:
        """Return one export."""
        job = self.job(self._id(call), self._unknown("export"))
        return json_reply(200, await self._describe(call, job))

    def _unknown(self, what: str) -> Reply:
        return self.error(404, f"No {what} has this id", "NOT_FOUND")

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
            size = call.announced(content.size)
            files.append({"id": file_id, "part": job.part_number(part), "size": size, "url": url + file_id})
        return files

    async def listing(self, call: Call) -> Reply:
        """Return a page of exports, newest first (the order is an inference)."""
        limit = whole_number(call.query.get("limit", ""), 10)
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
        file_id = self._id(call)
        head, tail = file_id[:-4], file_id[-4:]
        job = self.world.job(self.vendor, head.replace("file_", "export_", 1)) if head.startswith("file_") else None
        part = int(tail) if tail.isascii() and tail.isdecimal() else 0
        if job is None or not 1 <= part <= job.parts:
            return self._unknown("file")
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
