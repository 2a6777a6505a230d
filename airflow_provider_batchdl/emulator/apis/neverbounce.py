"""NeverBounce's bulk verification: jobs of addresses, or of a file at a URL.

Sources: the API reference v4.2 (``developers.neverbounce.com``: ``/jobs/create``, ``/jobs/status``, ``/jobs/search``,
``/jobs/download``, ``/account/info``, error handling, usage guidelines). There is no cancellation. Errors are 200s with
another ``status``. Inferences are said to be: the texts of errors, and what an early download says.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
import math
import zlib
from datetime import UTC, datetime
from typing import Any, BinaryIO

from airflow_provider_batchdl.emulator.downloads import direct_download
from airflow_provider_batchdl.emulator.exchange import Api, Call, Endpoint, Handler, RefusedError, Reply, json_reply
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.emulator.limits import RollingWindow
from airflow_provider_batchdl.emulator.listing import invented_job, whole_number
from airflow_provider_batchdl.emulator.openapi import TEXT, body, query
from airflow_provider_batchdl.emulator.results import Recipe, as_text
from airflow_provider_batchdl.emulator.rows import MEDIA_TYPES
from airflow_provider_batchdl.emulator.states import Phase
from airflow_provider_batchdl.emulator.uploads import form_of

BASE = "/neverbounce/v4.2"
PER_MINUTE = 600
"""Requests a minute (an inference: the documentation has no number, the account's settings do)."""

_STATUS = {401: "auth_failure", 429: "throttle_triggered", 503: "temp_unavail"}
_RESULTS = ("valid", "invalid", "catchall", "disposable", "unknown")
_OFF = (None, "", "0", "false", False, 0)


class NeverBounce(Api):
    """Routes under ``/neverbounce/v4.2``; each takes GET and POST, with parameters in the query, a form or JSON."""

    vendor = "neverbounce"

    def endpoints(self) -> list[Endpoint]:
        """Return the routes."""
        number = {"type": "integer"}
        emails = {"type": "array", "items": {"type": "array", "items": TEXT, "minItems": 1}, "minItems": 1}
        create = body({"input_location": {"const": "supplied"}, "input": emails, "auto_start": {"const": True}})
        by_id = {"parameters": [{"name": "job_id", "in": "query", "required": True, "schema": number}]}
        pages = query(page=number, items_per_page=number)
        routes: list[tuple[str, str, Handler, dict[str, Any]]] = [
            ("submit", "jobs/create", self.create, create),
            ("start", "jobs/start", self.start_job, by_id),
            ("status", "jobs/status", self.status, by_id),
            ("list", "jobs/search", self.search, pages),
            ("download", "jobs/download", self.download, by_id),
            ("balance", "account/info", self.info, {}),
        ]
        return [
            Endpoint(operation, method, f"{BASE}/{path}", handler, spec if method == _usual(operation) else {})
            for operation, path, handler, spec in routes
            for method in ("GET", "POST")
        ]

    def error(self, status: int, message: str) -> Reply:
        """Return an error: a 200 with another ``status`` for what the reference lists, else an HTTP status."""
        if status in (404, 405, 413, 500):
            return json_reply(status, {})
        return json_reply(
            200, {"status": _STATUS.get(status, "general_failure"), "message": message, "execution_time": 5}
        )

    def guard(self, call: Call, endpoint: Endpoint) -> None:
        """Check the key in the query, and the limit. A key in a body is for the handler to check."""
        if call.query.get("key", self.key) != self.key:
            raise RefusedError(self.error(401, "Invalid API key"))
        if "key" not in call.query and call.request.method == "GET":
            raise RefusedError(self.error(400, "Missing required parameter 'key'"))
        if not self.world.take(self.vendor, "account", lambda: RollingWindow(PER_MINUTE, 60)).allowed:
            raise RefusedError(self.error(429, "Too many requests in a short time"))

    async def _parameters(self, call: Call) -> dict[str, Any]:
        """Return the request's parameters, those of the query and of a body that is JSON or a form, after the key."""
        if call.is_json:
            given = await call.json_object()
        else:
            async with form_of(call) as form:
                given = {name: value for name, value in form.items() if isinstance(value, str)}
        parameters = {**call.query, **given}
        if parameters.pop("key", None) != self.key:
            raise RefusedError(self.error(401, "Invalid API key"))
        return parameters

    # --- jobs

    async def create(self, call: Call) -> Reply:
        """Create a job; it waits to be started unless ``auto_start`` says otherwise."""
        parameters = await self._parameters(call)
        location, given = parameters.get("input_location"), parameters.get("input")
        if location not in ("supplied", "remote_url"):
            return self.error(400, "input_location must be one of remote_url, supplied")
        addresses = _addresses_of(location, given)
        if not addresses:
            return self.error(400, "Missing required parameter 'input'")
        job = self.world.add_job(
            self.vendor,
            request=parameters,
            filename=str(parameters.get("filename") or "Created from API.csv"),
            recipe=_recipe_for(addresses, self.world.seed),
            cost=len(addresses),
        )
        if parameters.get("auto_start") in _OFF:
            job.hold("waiting")
        return json_reply(200, {"status": "success", "job_id": int(job.id), "execution_time": 712})

    async def _find(self, call: Call) -> EmulatedJob:
        return self.job(str((await self._parameters(call)).get("job_id")), self.error(400, "Invalid job ID"))

    async def start_job(self, call: Call) -> Reply:
        """Start a job that waits."""
        job = await self._find(call)
        job.release()
        return json_reply(200, {"status": "success", "queue_id": f"NB-PQ-{job.id}", "execution_time": 712})

    async def _describe(self, job: EmulatedJob) -> dict[str, Any]:
        phase, records = job.phase, job.cost
        if phase is Phase.SUCCEEDED:
            records = max(0, (await asyncio.to_thread(lambda: job.content().lines)).count - 1)
        processed = records if phase is Phase.SUCCEEDED else 0
        ended = job.ended_at if phase.is_terminal else None
        counts = dict.fromkeys(("catchall", "disposable", "unknown", "duplicates", "bad_syntax"), 0)
        return {
            "id": int(job.id),
            "filename": job.filename,
            "created_at": job.dated or _moment(job.submitted_at),
            "started_at": _moment(job.started_at) if job.started_at <= self.world.clock.time() else None,
            "finished_at": _moment(ended) if ended else None,
            "failure_reason": job.message or None,
            "total": {"records": records, "billable": records, "processed": processed, **counts},
            "bounce_estimate": 0,
            "percent_complete": 100 if phase is Phase.SUCCEEDED else 0,
        }

    async def status(self, call: Call) -> Reply:
        """Return a job; its state is ``job_status``, as ``status`` says how the request went."""
        job = await self._find(call)
        view = {**await self._describe(job), "job_status": job.vendor_state}
        return json_reply(200, {"status": "success", **view, "execution_time": 322})

    async def search(self, call: Call) -> Reply:
        """Return a page of jobs, newest first (the order is an inference); here their state is ``status``."""
        parameters = await self._parameters(call)
        page = whole_number(str(parameters.get("page", "")), 1)
        size = whole_number(str(parameters.get("items_per_page", "")), 10)
        if page < 1 or not 1 <= size <= 1000:
            return self.error(400, "page and items_per_page must be positive")
        wanted = {"id": parameters.get("job_id"), "filename": parameters.get("filename")}
        wanted["vendor_state"] = parameters.get("job_status")
        found = [
            job
            for job in self.world.jobs(self.vendor)[::-1]
            if all(value in (None, "") or getattr(job, name) == str(value) for name, value in wanted.items())
        ]
        shown, total = found[(page - 1) * size : page * size], max(1, math.ceil(len(found) / size))
        if call.faulty("endless_list"):
            shown, total = [*shown, invented_job(call, self.vendor)], page + 1
        results = [{**await self._describe(job), "status": job.vendor_state} for job in shown]
        counts = {"total_results": len(found), "total_pages": total, "query": {"page": page, "items_per_page": size}}
        return json_reply(200, {"status": "success", **counts, "results": results, "execution_time": 388})

    async def download(self, call: Call) -> Reply:
        """Return the result as ``application/octet-stream``; before it is complete, a failure (an inference)."""
        job = await self._find(call)
        if job.phase is not Phase.SUCCEEDED:
            return self.error(400, "Job results are not currently available for download")
        return await direct_download(call, job)

    async def info(self, call: Call) -> Reply:
        """Return credits and counts."""
        await self._parameters(call)
        credits = {"paid_credits_remaining": self.world.settle(self.vendor), "free_credits_remaining": 0}
        credits |= {"paid_credits_used": 0, "free_credits_used": 0}
        phases = [job.phase for job in self.world.jobs(self.vendor)]
        counts = {"completed": phases.count(Phase.SUCCEEDED), "queued": phases.count(Phase.QUEUED)}
        counts |= {"under_review": 0, "processing": phases.count(Phase.RUNNING)}
        return json_reply(
            200, {"status": "success", "credits_info": credits, "job_counts": counts, "execution_time": 896}
        )


def _usual(operation: str) -> str:
    return "POST" if operation in ("submit", "start") else "GET"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _addresses_of(location: str, given: Any) -> list[str]:
    """Return the addresses of a job: rows with the address first, objects with ``email``, or plain addresses.

    The emulator fetches nothing: a file at a URL becomes a few addresses made of the URL.
    """
    if location == "remote_url":
        host = f"{zlib.crc32(str(given).encode(errors='replace')):x}.example"
        return [f"user{number}@{host}" for number in range(10 if isinstance(given, str) and given else 0)]
    if isinstance(given, str):  # in a form, a list is JSON (the reference's "format: json")
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return []
    return [_address_of(row) for row in given] if isinstance(given, list) else []


def _address_of(row: Any) -> str:
    if isinstance(row, dict):
        row = row.get("email", "")
    elif isinstance(row, list):
        row = row[0] if row else ""
    return str(row)


def _recipe_for(addresses: list[str], seed: int) -> Recipe:
    """Return the recipe of a job's CSV: the input's column and ``email_status``."""

    def write(file: BinaryIO, revision: int, share: float) -> None:
        with as_text(file, "replace") as text:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(["email", "email_status"])
            for address in addresses[: int(len(addresses) * share)]:
                digest = hashlib.sha256(f"{seed}:{revision}:{address}".encode(errors="replace")).digest()
                writer.writerow([address, _RESULTS[digest[0] % len(_RESULTS)]])

    return Recipe(MEDIA_TYPES["csv"], write)
