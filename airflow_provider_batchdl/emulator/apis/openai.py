"""OpenAI's Batch API: batches of requests in an uploaded file.

Sources: the API reference (``platform.openai.com/docs/api-reference``, also in OpenAI's Python SDK) for objects, states
and lists; the guides on batches and on rate limits for headers, partial results and limits. Said so where it is an
inference: the texts and some statuses of errors, the numbers in the headers, the order of the list.
"""

from __future__ import annotations

import asyncio
import hmac
from typing import Any

from airflow_provider_batchdl.emulator.apis.openai_lines import problem_of, recipes_for
from airflow_provider_batchdl.emulator.exchange import Api, BadBodyError, Call, Endpoint, Reply, json_reply
from airflow_provider_batchdl.emulator.jobs import ERRORS, EmulatedJob
from airflow_provider_batchdl.emulator.limits import RollingWindow, Verdict
from airflow_provider_batchdl.emulator.listing import jobs_after, whole_number
from airflow_provider_batchdl.emulator.naming import result_names
from airflow_provider_batchdl.emulator.pages import lines_of
from airflow_provider_batchdl.emulator.states import Phase

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


def file_id(job: EmulatedJob, kind: str) -> str:
    """Return the id of a batch's ``output`` or ``error`` file."""
    return f"file-{kind[0]}{job.id.removeprefix('batch_')[:21]}"


class OpenAIBatch(Api):
    """Routes under ``/openai_batch/v1``."""

    vendor = "openai_batch"

    def own_endpoints(self) -> list[Endpoint]:
        """Return the routes of batches."""
        text = {"type": "string"}
        fields = {"input_file_id": text, "endpoint": {"enum": list(ENDPOINTS)}, "completion_window": {"const": "24h"}}
        schema = {"type": "object", "properties": fields, "required": list(fields)}
        create = {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
        limit = {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": _MOST_LISTED}}
        page = {"parameters": [limit, {"name": "after", "in": "query", "schema": text}]}
        batch = f"{BASE}/batches/{{batch_id}}"
        return [
            Endpoint("submit", "POST", f"{BASE}/batches", self.create, create),
            Endpoint("list", "GET", f"{BASE}/batches", self.listing, page),
            Endpoint("status", "GET", batch, self.status),
            Endpoint("cancel", "POST", f"{batch}/cancel", self.cancel),
        ]

    def error(self, status: int, message: str, code: str | None = None, param: str | None = None) -> Reply:
        """Return the documented error object."""
        kind = _TYPES.get(status, "invalid_request_error")
        body = {"message": message, "type": kind, "param": param, "code": code or _CODES.get(status)}
        return json_reply(status, {"error": body})

    def guard(self, call: Call, endpoint: Endpoint) -> Reply | None:
        """Check the bearer key and the limit."""
        key = self.world.accounts.credentials[self.vendor].password
        if not hmac.compare_digest(call.header("authorization").encode(), f"Bearer {key}".encode()):
            return self.error(401, "Incorrect API key provided.")
        verdict = self.world.take(self.vendor, key, lambda: RollingWindow(PER_MINUTE, 60))
        call.request.state.verdict = verdict
        if verdict.allowed or not self.world.rate_limits:
            return None
        return self.error(429, "Rate limit reached for requests per min (RPM).")

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

    # --- batches

    async def create(self, call: Call) -> Reply:
        """Create a batch of an uploaded file."""
        try:
            body = await call.json_object()
        except BadBodyError as problem:
            return self.error(400, f"We could not parse the JSON body of your request. ({problem})")
        if wrong := _wrong_field(body):
            return self.error(400, f"Invalid value for '{wrong}'.", param=wrong)
        if self.world.accounts.quota_exceeded.get(self.vendor):
            error = {"message": _QUOTA, "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}
            return json_reply(429, {"error": error})
        upload = self.world.uploads.get((self.vendor, body["input_file_id"]))
        if upload is None:
            return self.error(400, f"Invalid input file '{body['input_file_id']}'.", param="input_file_id")
        doomed = await asyncio.to_thread(problem_of, upload.path)
        output, errors = recipes_for(upload.path)
        job = self.world.add_job(
            self.vendor, request=body, recipe=output, errors=errors, upload=upload.path, doomed=doomed
        )
        job.names = result_names(job)
        return json_reply(200, await self.describe(job))

    async def describe(self, job: EmulatedJob) -> dict[str, Any]:
        """Return the batch object."""
        request = job.request or {"endpoint": ENDPOINTS[1], "input_file_id": "file-unknown"}
        phase, ended = job.phase, job.ended_at if job.phase.is_terminal else None
        files: dict[str, str | None] = {f"{kind}_file_id": None for kind in OUTPUTS}
        lines = dict.fromkeys(OUTPUTS, 0)
        for kind, part in OUTPUTS.items() if phase in _WITH_FILES else ():
            content = await asyncio.to_thread(job.content, part)
            lines[kind] = (await asyncio.to_thread(lines_of, content)).count
            files[f"{kind}_file_id"] = file_id(job, kind) if content.size else None
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

    def _find(self, call: Call) -> EmulatedJob | Reply:
        batch_id = call.params["batch_id"]
        return self.world.job(self.vendor, batch_id) or self.error(404, f"No batch found with id '{batch_id}'.")

    async def status(self, call: Call) -> Reply:
        """Return one batch."""
        job = self._find(call)
        return job if isinstance(job, Reply) else json_reply(200, await self.describe(job))

    async def cancel(self, call: Call) -> Reply:
        """Cancel a batch, which takes a while ("up to 10 minutes"); that an ended one is a 409 is an inference."""
        job = self._find(call)
        if isinstance(job, Reply):
            return job
        if job.phase.is_terminal:
            return self.error(409, f"Cannot cancel a batch with status '{job.vendor_state}'.")
        if job.phase is not Phase.CANCELLING:
            job.ask_to_cancel(lingering=True)
        return json_reply(200, {**await self.describe(job), "status": job.literal(Phase.CANCELLING)})

    async def listing(self, call: Call) -> Reply:
        """Return a page of batches, newest first."""
        limit = whole_number(call.query.get("limit", ""), 20)
        if not 1 <= limit <= _MOST_LISTED:
            return self.error(400, f"Invalid 'limit': not between 1 and {_MOST_LISTED}.", param="limit")
        jobs = self.world.jobs(self.vendor)[::-1]
        page = jobs_after(call, self.vendor, jobs, call.query.get("after", ""), limit)
        batches = [await self.describe(job) for job in page.jobs]
        ends = {"first_id": batches[0]["id"], "last_id": batches[-1]["id"]} if batches else {}
        answer = {"object": "list", "data": batches, "first_id": None, "last_id": None, **ends}
        return json_reply(200, {**answer, "has_more": page.has_more})


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
