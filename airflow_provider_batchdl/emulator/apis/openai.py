"""OpenAI's Batch API: batches of requests in an uploaded file.

Sources: the API reference (``platform.openai.com/docs/api-reference``, also in OpenAI's Python SDK) for objects, states
and lists; the guides on batches and on rate limits for headers, partial results and limits. Said so where it is an
inference: the texts and some statuses of errors, the numbers in the headers, the order of the list.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from airflow_provider_batchdl.emulator.apis.openai_lines import problem_of, recipes_for
from airflow_provider_batchdl.emulator.content import FileContent
from airflow_provider_batchdl.emulator.downloads import direct_download
from airflow_provider_batchdl.emulator.exchange import Api, Call, Endpoint, RefusedError, Reply, json_reply
from airflow_provider_batchdl.emulator.jobs import ERRORS, EmulatedJob
from airflow_provider_batchdl.emulator.limits import RollingWindow, Verdict
from airflow_provider_batchdl.emulator.listing import jobs_after, whole_number
from airflow_provider_batchdl.emulator.openapi import TEXT, body, file_body, query
from airflow_provider_batchdl.emulator.states import Phase
from airflow_provider_batchdl.emulator.uploads import read_upload

BASE = "/openai_batch/v1"
PER_MINUTE = 600
"""Requests a minute; the real number is the account's."""
ENDPOINTS = ("/v1/responses", "/v1/chat/completions", "/v1/embeddings", "/v1/completions", "/v1/moderations")
OUTPUTS = {"output": 1, "error": ERRORS}
"""The two files of a batch, and which part of the job each is."""

_WITH_FILES = (Phase.SUCCEEDED, Phase.CANCELLED, Phase.EXPIRED)
_WINDOW_SECONDS = 24 * 3600
_MOST_LISTED = 100
_TYPES = {429: "requests", 500: "server_error", 503: "server_error"}
_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
_QUOTA = "You exceeded your current quota, please check your plan and billing details."


class OpenAIBatch(Api):
    """Routes under ``/openai_batch/v1``."""

    vendor = "openai_batch"

    def endpoints(self) -> list[Endpoint]:
        """Return the routes."""
        fields = {"input_file_id": TEXT, "endpoint": {"enum": list(ENDPOINTS)}, "completion_window": {"const": "24h"}}
        page = query(limit={"type": "integer", "minimum": 1, "maximum": _MOST_LISTED}, after=TEXT)
        batch = f"{BASE}/batches/{{batch_id}}"
        return [
            Endpoint("upload", "POST", f"{BASE}/files", self.upload, file_body("file", purpose={"const": "batch"})),
            Endpoint("download", "GET", f"{BASE}/files/{{file_id}}/content", self.content),
            Endpoint("submit", "POST", f"{BASE}/batches", self.create, body(fields)),
            Endpoint("list", "GET", f"{BASE}/batches", self.listing, page),
            Endpoint("status", "GET", batch, self.status),
            Endpoint("cancel", "POST", f"{batch}/cancel", self.cancel),
        ]

    def error(self, status: int, message: str, code: str | None = None, param: str | None = None) -> Reply:
        """Return the documented error object."""
        kind = _TYPES.get(status, "invalid_request_error")
        body = {"message": message, "type": kind, "param": param, "code": code or _CODES.get(status)}
        return json_reply(status, {"error": body})

    def guard(self, call: Call, endpoint: Endpoint) -> None:
        """Check the bearer key and the limit."""
        if call.header("authorization") != f"Bearer {self.key}":
            raise RefusedError(self.error(401, "Incorrect API key provided."))
        verdict = self.world.take(self.vendor, self.key, lambda: RollingWindow(PER_MINUTE, 60))
        call.request.state.verdict = verdict
        if not verdict.allowed:
            raise RefusedError(self.error(429, "Rate limit reached for requests per min (RPM)."))

    def dress(self, call: Call, reply: Reply) -> None:
        """Add the documented rate headers; a time is written as in ``6m0s`` or ``1.25s``."""
        verdict = getattr(call.request.state, "verdict", None) or Verdict(True, PER_MINUTE, PER_MINUTE, 60)
        rate = {
            "x-ratelimit-limit-requests": str(verdict.limit),
            "x-ratelimit-remaining-requests": str(max(0, verdict.remaining)),
            "x-ratelimit-reset-requests": _duration(verdict.reset_after),
        }
        ordered = {name.lower() for name, _ in reply.headers}  # a fault's own stand in their place
        reply.headers += [(name, value) for name, value in rate.items() if name not in ordered]

    # --- files

    async def upload(self, call: Call) -> Reply:
        """Accept a file of requests; the fields beside it are form fields."""
        received, fields = await read_upload(call, "file")
        if received is None:
            return self.error(400, "'file' is a required property", param="file")
        if fields.get("purpose") != "batch":
            return self.error(400, f"'{fields.get('purpose')}' is not one of ['batch']", param="purpose")
        world = self.world
        with world.lock:
            digest = hashlib.sha256(f"{world.seed}:file:{len(world.uploads)}".encode()).hexdigest()
            name = f"file-{digest[:22]}"
            world.uploads[self.vendor, name] = received
        size = received.path.stat().st_size
        described = {"id": name, "object": "file", "bytes": size, "created_at": int(world.clock.time())}
        return json_reply(200, {**described, "filename": received.filename, "purpose": "batch", "status": "processed"})

    async def content(self, call: Call) -> Reply:
        """Serve a file whole; that there are no ranges and no validator is an inference."""
        name = call.params["file_id"]
        if received := self.world.uploads.get((self.vendor, name)):
            return Reply(200, FileContent(received.path, "application/octet-stream"))
        for job in self.world.jobs(self.vendor):
            for kind, part in OUTPUTS.items() if job.phase.is_terminal else ():
                if name == _file_id(job, kind):
                    return await direct_download(call, job, part, chunked=False)
        return self.error(404, f"No such File object: {name}", param="id")

    # --- batches

    async def create(self, call: Call) -> Reply:
        """Create a batch of an uploaded file."""
        request = await call.json_object()
        if wrong := _wrong_field(request):
            return self.error(400, f"Invalid value for '{wrong}'.", param=wrong)
        if self.world.accounts.quota_exceeded.get(self.vendor):
            error = {"message": _QUOTA, "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}
            return json_reply(429, {"error": error})
        received = self.world.uploads.get((self.vendor, request["input_file_id"]))
        if received is None:
            return self.error(400, f"Invalid input file '{request['input_file_id']}'.", param="input_file_id")
        doomed = await asyncio.to_thread(problem_of, received.path)
        output, errors = recipes_for(received.path)
        job = self.world.add_job(
            self.vendor, request=request, recipe=output, errors=errors, upload=received.path, doomed=doomed
        )
        return json_reply(200, await self._describe(job))

    async def _describe(self, job: EmulatedJob) -> dict[str, Any]:
        """Return the batch object."""
        request = job.request or {"endpoint": ENDPOINTS[1], "input_file_id": "file-unknown"}
        phase, ended = job.phase, job.ended_at if job.phase.is_terminal else None
        files: dict[str, str | None] = {f"{kind}_file_id": None for kind in OUTPUTS}
        lines = dict.fromkeys(OUTPUTS, 0)
        for kind, part in OUTPUTS.items() if phase in _WITH_FILES else ():
            content = await asyncio.to_thread(job.content, part)
            lines[kind] = (await asyncio.to_thread(getattr, content, "lines")).count
            files[f"{kind}_file_id"] = _file_id(job, kind) if content.size else None
        counts = {"total": sum(lines.values()), "completed": lines["output"], "failed": lines["error"]}
        message = job.message or job.doomed
        errors = {"object": "list", "data": [{"code": "invalid_json_line", "message": message, "line": 1}]}
        return {
            "id": job.id,
            "object": "batch",
            "endpoint": request.get("endpoint"),
            "errors": errors if phase is Phase.FAILED else None,
            "input_file_id": request.get("input_file_id"),
            "completion_window": "24h",
            "status": job.vendor_state,
            **files,
            "created_at": int(job.submitted_at),
            "in_progress_at": None if phase is Phase.QUEUED else int(job.started_at),
            "expires_at": int(job.submitted_at) + _WINDOW_SECONDS,
            **{f"{job.literal(each)}_at": _moment(ended, each is phase) for each in (*_WITH_FILES, Phase.FAILED)},
            "request_counts": counts,
            "metadata": request.get("metadata"),
        }

    def _find(self, call: Call) -> EmulatedJob:
        batch_id = call.params["batch_id"]
        return self.job(batch_id, self.error(404, f"No batch found with id '{batch_id}'."))

    async def status(self, call: Call) -> Reply:
        """Return one batch."""
        return json_reply(200, await self._describe(self._find(call)))

    async def cancel(self, call: Call) -> Reply:
        """Cancel a batch, which takes a while ("up to 10 minutes"); that an ended one is a 409 is an inference."""
        job = self._find(call)
        if job.phase.is_terminal:
            return self.error(409, f"Cannot cancel a batch with status '{job.vendor_state}'.")
        if job.phase is not Phase.CANCELLING:
            job.ask_to_cancel(lingering=True)
        return json_reply(200, {**await self._describe(job), "status": job.literal(Phase.CANCELLING)})

    async def listing(self, call: Call) -> Reply:
        """Return a page of batches, newest first."""
        limit = whole_number(call.query.get("limit", ""), 20)
        if not 1 <= limit <= _MOST_LISTED:
            return self.error(400, f"Invalid 'limit': not between 1 and {_MOST_LISTED}.", param="limit")
        jobs = self.world.jobs(self.vendor)[::-1]
        page = jobs_after(call, self.vendor, jobs, call.query.get("after", ""), limit)
        batches = [await self._describe(job) for job in page.jobs]
        ends = {"first_id": batches[0]["id"], "last_id": batches[-1]["id"]} if batches else {}
        answer = {"object": "list", "data": batches, "first_id": None, "last_id": None, **ends}
        return json_reply(200, {**answer, "has_more": page.has_more})


def _file_id(job: EmulatedJob, kind: str) -> str:
    """Return the id of a batch's ``output`` or ``error`` file."""
    return f"file-{kind[0]}{job.id.removeprefix('batch_')[:21]}"


def _wrong_field(body: dict[str, Any]) -> str | None:
    """Return the field of a create request that cannot be; the allowed values are the reference's."""
    if not isinstance(body.get("input_file_id"), str):
        return "input_file_id"
    if body.get("endpoint") not in ENDPOINTS:
        return "endpoint"
    if body.get("completion_window") != "24h":
        return "completion_window"
    metadata = body.get("metadata") or {}
    is_flat = isinstance(metadata, dict) and len(metadata) <= 16
    fits = is_flat and all(isinstance(value, str) and len(value) <= 512 for value in metadata.values())
    return None if fits and all(len(name) <= 64 for name in metadata) else "metadata"


def _moment(seconds: float | None, shown: bool) -> int | None:
    return int(seconds) if shown and seconds is not None else None


def _duration(seconds: float) -> str:
    minutes, rest = divmod(max(0.0, seconds), 60)
    return f"{int(minutes)}m{rest:.0f}s" if minutes else f"{rest:.3f}".rstrip("0").rstrip(".") + "s"
