"""Revenuebase: its two versions, which share what they do and differ in their paths.

Sources: the vendor's OpenAPI documents (v2, and v1 before its retirement on 2026-07-07, kept for mirrors of it) and its
rate-limit page; v1's answers are those of v2 where no page shows them (an inference).
"""

from __future__ import annotations

import asyncio
import json
import math
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from airflow_provider_batchdl.emulator.addresses import price_of, revenuebase_recipe
from airflow_provider_batchdl.emulator.downloads import direct_download
from airflow_provider_batchdl.emulator.exchange import Api, Call, Endpoint, RefusedError, Reply, json_reply, text_reply
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.emulator.limits import FixedWindow, RollingWindow, Verdict
from airflow_provider_batchdl.emulator.openapi import TEXT, body, file_body, query
from airflow_provider_batchdl.emulator.results import Upload
from airflow_provider_batchdl.emulator.states import Phase
from airflow_provider_batchdl.emulator.uploads import read_upload

V1, V2 = "/revenuebase/v1", "/revenuebase/v2"
PER_MINUTE = 60
PER_DAY = 10_000
VERIFY_PER_SECOND = 5

METADATA_FLAG = query(metadata={"type": "boolean", "default": False})
_MAX_NAME = 120
_FLAGS = {"true": True, "1": True, "on": True, "yes": True, "t": True, "y": True}
_FLAGS |= {"false": False, "0": False, "off": False, "no": False, "f": False, "n": False}
"""Booleans in a query, as FastAPI reads them."""
_STATE_MESSAGES = {
    Phase.QUEUED: "Process is queued.",
    Phase.RUNNING: "Process is running.",
    Phase.SUCCEEDED: "Process completed.",
    Phase.FAILED: "Process ended with an error.",
    Phase.CANCELLING: "Process is being cancelled.",
    Phase.CANCELLED: "Process was cancelled.",
}
_MESSAGES = {
    "invalid_extension": "File must be .csv or .json.",
    "upload_error": "File upload failed. Contact support.",
    "already_cancelled": "Job is already CANCELLED or CANCELLING.",
    "not_cancellable": "Job has status COMPLETED or ERROR.",
    "not_completed": "Job must be COMPLETED or CANCELLED before downloading.",
    "process_error": "Job ended with an error. No output file available.",
    "invalid_process_id": "Invalid process_id or job does not belong to your account.",
}


class Revenuebase(Api):
    """Routes under ``/revenuebase/v2`` and ``/revenuebase/v1``."""

    vendor = "revenuebase"

    def endpoints(self) -> list[Endpoint]:
        """Return the routes of both versions."""
        submit = {**METADATA_FLAG, **file_body("requested_file")}
        number = body({"process_id": {"type": "integer"}})
        by_name = body({"filename": {**TEXT, "maxLength": _MAX_NAME - 1}})
        job = f"{V2}/jobs/{{process_id}}"
        return [
            Endpoint("submit", "POST", f"{V2}/email/verify/batch", self.submit, submit),
            Endpoint("list", "GET", f"{V2}/jobs", self.listing),
            Endpoint("status", "GET", job, self.status),
            Endpoint("cancel", "POST", f"{job}/cancel", self.cancel),
            Endpoint("download", "GET", f"{job}/download", self.download),
            Endpoint("balance", "GET", f"{V2}/account/balance", self.balance),
            Endpoint("rotate", "POST", f"{V2}/account/api-keys/rotate", self.rotate),
            Endpoint("submit", "POST", f"{V1}/batch-upload", self.submit, submit),
            Endpoint("submit", "POST", f"{V1}/batch-process-email", self.submit_uploaded, by_name),
            Endpoint("status", "POST", f"{V1}/batch-process-email-status", self.status, number),
            Endpoint("list", "GET", f"{V1}/queued-process", self.listing),
            Endpoint("cancel", "POST", f"{V1}/cancel-process", self.cancel, number),
            Endpoint("download", "POST", f"{V1}/batch-download", self.download, number),
            Endpoint("balance", "GET", f"{V1}/credits", self.balance),
            Endpoint("rotate", "GET", f"{V1}/new-api-key", self.rotate),
        ]

    # --- errors

    def error(self, status: int, message: str) -> Reply:
        """Return FastAPI's error shape, which the live 401 answers have (third-party probe)."""
        return json_reply(status, {"detail": message})

    def bad_body(self, problem: str) -> Reply:
        """Return FastAPI's 422 about a body that cannot be read."""
        return self.invalid((("body",), problem, "model_attributes_type", None)).reply

    def coded(self, code: str) -> Reply:
        """Return a 400 with one of the documented codes, in the shape that the emulator is set to.

        The codes are the vendor's; the body around them is documented nowhere.
        """
        message = _MESSAGES[code]
        if self.world.revenuebase_errors == "problem":
            problem = {"type": f"/errors/{code}", "title": "Bad Request", "status": 400, "detail": message}
            return text_reply(400, json.dumps(problem), "application/problem+json")
        shapes: dict[str, Any] = {
            "message": {"message": code},
            "dict": {"detail": {"code": code, "message": message}},
            "sentence": {"detail": message},
            "detail": {"detail": message if code == "invalid_process_id" else code},
        }
        return json_reply(400, shapes[self.world.revenuebase_errors])

    def invalid(self, *problems: tuple[tuple[str, ...], str, str, Any]) -> RefusedError:
        """Refuse with FastAPI's 422 for ``(location, message, type, input)`` problems (vendor's OpenAPI)."""
        detail = [{"loc": list(loc), "msg": msg, "type": kind, "input": value} for loc, msg, kind, value in problems]
        return RefusedError(json_reply(422, {"detail": detail}))

    # --- guards

    def guard(self, call: Call, endpoint: Endpoint) -> None:
        """Check the version, the key in ``x-key`` and the limits."""
        if not self.world.revenuebase_v1 and endpoint.path.startswith(V1):
            raise RefusedError(self.error(410, "Gone"))
        key, is_verify = self.key, endpoint.operation == "verify"
        if call.header("x-key") != key:
            # The two spellings were seen on the live service by a third party.
            raise RefusedError(self.error(401, "Not Authenticated" if is_verify else "Not authenticated"))
        verdicts = [
            self.world.take("revenuebase-minute", key, lambda: RollingWindow(PER_MINUTE, 60)),
            self.world.take("revenuebase-day", key, lambda: FixedWindow(PER_DAY, 86_400)),
        ]
        if is_verify:
            verdicts.append(self.world.take("revenuebase-verify", key, lambda: RollingWindow(VERIFY_PER_SECOND, 1)))
        refused = next((verdict for verdict in verdicts if not verdict.allowed), None)
        call.request.state.verdict = refused or verdicts[0]
        if refused:
            raise RefusedError(self.error(429, "Rate limit exceeded"))

    def dress(self, call: Call, reply: Reply) -> None:
        """Add ``X-RateLimit-*`` to every answer; ``Reset`` is Unix time (vendor's documentation)."""
        verdict = getattr(call.request.state, "verdict", None) or Verdict(True, PER_MINUTE, PER_MINUTE, 60)
        reply.headers += [
            ("x-ratelimit-limit", str(verdict.limit)),
            ("x-ratelimit-remaining", str(max(0, verdict.remaining))),
            ("x-ratelimit-reset", str(math.ceil(self.world.clock.time() + verdict.reset_after))),
        ]

    # --- credits

    def require_credits(self) -> None:
        """Refuse with 402: documented for single calls; that a batch upload is refused so as well is an inference."""
        if self.world.settle(self.vendor) <= 0:
            detail = "Insufficient credits. Recharge your account before retrying."
            raise RefusedError(json_reply(402, {"detail": detail}))

    def charge(self, credits: int) -> None:
        """Take credits from the account, down to nothing."""
        with self.world.lock:
            self.world.accounts.credits[self.vendor] = max(0, self.world.settle(self.vendor) - credits)

    async def balance(self, call: Call) -> Reply:
        """Return the credits left."""
        return json_reply(200, {"credits": self.world.settle(self.vendor)})

    async def rotate(self, call: Call) -> Reply:
        """Replace the key at once."""
        return json_reply(200, {"api_key": self.world.accounts.rotate(self.vendor)})

    # --- jobs

    def metadata(self, call: Call) -> bool:
        """Return the parameter ``metadata``."""
        text = call.query.get("metadata", "false")
        if text.lower() not in _FLAGS:
            problem = "Input should be a valid boolean, unable to interpret input"
            raise self.invalid((("query", "metadata"), problem, "bool_parsing", text))
        return _FLAGS[text.lower()]

    async def submit(self, call: Call) -> Reply:
        """Accept a file and queue it."""
        metadata = self.metadata(call)
        upload, _ = await read_upload(call, "requested_file")
        if upload is None:
            raise self.invalid((("body", "requested_file"), "Field required", "missing", None))
        if not upload.filename.lower().endswith((".csv", ".json")):
            return self.coded("invalid_extension")
        self.require_credits()
        return await self._create(upload, metadata)

    async def submit_uploaded(self, call: Call) -> Reply:
        """Start a file uploaded earlier: here, the newest upload of that name."""
        metadata = self.metadata(call)
        name = (await call.json_object()).get("filename")
        if not isinstance(name, str) or len(name) >= _MAX_NAME:
            raise self.invalid((("body", "filename"), "Input should be a short string", "string_type", name))
        earlier = [job.upload for job in self.world.jobs(self.vendor) if job.filename == name and job.upload]
        return await self._create(Upload(name, earlier[-1]), metadata) if earlier else self.coded("upload_error")

    async def _create(self, upload: Upload, metadata: bool) -> Reply:
        cost, problem = await asyncio.to_thread(price_of, upload, self.world.seed)
        job = self.world.add_job(
            self.vendor,
            filename=upload.filename,
            request={"metadata": metadata},
            recipe=revenuebase_recipe(upload, metadata=metadata, seed=self.world.seed),
            upload=upload.path,
            cost=cost,
            doomed=problem,
        )
        # The documented answer says "PROCESSING QUEUED", a word that the job's states don't have.
        return json_reply(200, {"process_id": int(job.id), "filename": upload.filename, "status": "PROCESSING QUEUED"})

    async def _find(self, call: Call) -> EmulatedJob:
        """Return the job of a path, or of a body in v1; an unknown id is a 400, not a 404 (vendor's OpenAPI)."""
        where = "path" if call.params else "body"
        given = call.params or await call.json_object()
        if "process_id" not in given:
            raise self.invalid(((where, "process_id"), "Field required", "missing", given))
        number = given["process_id"]
        # int() knows more spellings than the real API, which refuses them.
        if isinstance(number, str) and number.isascii() and number.removeprefix("-").isdecimal():
            number = int(number) if len(number) < 1000 else -1
        if not isinstance(number, int) or isinstance(number, bool):
            problem = "Input should be a valid integer, unable to parse string as an integer"
            raise self.invalid(((where, "process_id"), problem, "int_parsing", number))
        return self.job(str(number), self.coded("invalid_process_id"))

    def _describe(self, job: EmulatedJob) -> dict[str, Any]:
        return {
            "process_id": int(job.id),
            "filename": job.part_name(1),
            "current_status": job.vendor_state,
            "message": job.message or _STATE_MESSAGES[job.phase],
        }

    async def listing(self, call: Call) -> Reply:
        """Return the queued and processing jobs, and no others (vendor's OpenAPI)."""
        processes = []
        for job in self.world.jobs(self.vendor):
            if job.phase in (Phase.QUEUED, Phase.RUNNING):
                view = self._describe(job)
                view["status"] = view.pop("current_status")
                view["last_updated"] = datetime.fromtimestamp(job.changed_at, UTC).isoformat()
                processes.append(view)
        return json_reply(200, {"processes": processes})

    async def status(self, call: Call) -> Reply:
        """Return a job's state."""
        return json_reply(200, self._describe(await self._find(call)))

    async def cancel(self, call: Call) -> Reply:
        """Ask a job to stop; the answer says CANCELLING (vendor's documentation)."""
        job = await self._find(call)
        if job.phase in (Phase.CANCELLING, Phase.CANCELLED):
            return self.coded("already_cancelled")
        if job.phase in (Phase.SUCCEEDED, Phase.FAILED):
            return self.coded("not_cancellable")
        job.ask_to_cancel(lingering=True)
        message = _STATE_MESSAGES[Phase.CANCELLING]
        return json_reply(200, {**self._describe(job), "current_status": "CANCELLING", "message": message})

    async def download(self, call: Call) -> Reply:
        """Stream the result of a completed or cancelled job.

        It has no length and no ranges (an inference): the documentation says "streams" and nothing about either.
        """
        job = await self._find(call)
        if job.phase is Phase.FAILED:
            return self.coded("process_error")
        if job.phase not in (Phase.SUCCEEDED, Phase.CANCELLED) or job.vendor_state not in ("COMPLETED", "CANCELLED"):
            return self.coded("not_completed")
        reply = await direct_download(call, job)
        reply.headers.append(("content-disposition", _disposition(job.part_name(1))))
        return reply


def _disposition(name: str) -> str:
    """Return a Content-Disposition value; names beyond plain ASCII take RFC 6266's second form."""
    plain = name.encode("ascii", "replace").decode()
    quoted = "".join("_" if character in '"\\' or ord(character) < 32 else character for character in plain)
    if quoted == name:
        return f'attachment; filename="{name}"'
    return f"attachment; filename=\"{quoted}\"; filename*=utf-8''{quote(name.encode(errors='replace'), safe='')}"
