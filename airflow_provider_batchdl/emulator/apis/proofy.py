"""Proofy: batches of addresses, single checks and credits.

Documented by the vendor: creating a batch, downloading it, the shape of a result item, errors, limits. Everything else
(status, cancellation, credits, files, what an early download says) is known from third parties or inferred, and said
so where it is served.
"""

from __future__ import annotations

import hmac
import json
from typing import Any, BinaryIO

from airflow_provider_batchdl.emulator.downloads import direct_download
from airflow_provider_batchdl.emulator.exchange import Api, BadBodyError, Call, Endpoint, Reply, json_reply
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.emulator.limits import RollingWindow
from airflow_provider_batchdl.emulator.naming import result_names
from airflow_provider_batchdl.emulator.results import Recipe
from airflow_provider_batchdl.emulator.rows import MEDIA_TYPES
from airflow_provider_batchdl.emulator.states import Phase
from airflow_provider_batchdl.emulator.verdicts import looks_like_address, proofy_item, proofy_status

BASE = "/proofy/v1"
MAX_EMAILS = 10_000
BATCH_PER_MINUTE = 25
"""Requests per minute to the batch API. Another page of the vendor says 50 per hour; the stricter one is not served."""
SINGLE_PER_MINUTE = 1000

_ERRORS = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
}


def item_for(address: str, seed: int, revision: int = 0) -> dict[str, Any]:
    """Return the result item of an address."""
    username, _, domain = address.strip().rpartition("@")
    return proofy_item(username, domain, proofy_status(address, seed, revision))


class Proofy(Api):
    """Routes under ``/proofy/v1``."""

    vendor = "proofy"

    def own_endpoints(self) -> list[Endpoint]:
        """Return the routes of lists."""
        emails = {"type": "array", "items": {"type": "string"}, "maxItems": MAX_EMAILS, "minItems": 1}
        schema = {"type": "object", "properties": {"emails": emails}, "required": ["emails"]}
        create = {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
        email = {"name": "email", "in": "query", "required": True, "schema": {"type": "string"}}
        batch = f"{BASE}/verify/batch/{{id}}"
        return [
            Endpoint("submit", "POST", f"{BASE}/verify/batch/create", self.create, create),
            Endpoint("download", "GET", f"{batch}/download", self.download),
            Endpoint("status", "GET", batch, self.status),
            Endpoint("cancel", "DELETE", batch, self.cancel),
            Endpoint("balance", "GET", f"{BASE}/credits", self.balance),
            Endpoint("verify", "GET", f"{BASE}/verify/single", self.single, {"parameters": [email]}),
        ]

    def error(self, status: int, message: str) -> Reply:
        """Return the documented error object, with the documented words where there are any."""
        return json_reply(status, {"message": _ERRORS.get(status, message)})

    def no_credits(self) -> Reply:
        """Return the 400 of an empty account (third party, for single checks; for batches an inference)."""
        return json_reply(400, {"message": "Not enough credits"})

    def guard(self, call: Call, endpoint: Endpoint) -> Reply | None:
        """Check the key in the query and the limits."""
        key = self.world.accounts.credentials[self.vendor].password
        if not hmac.compare_digest(call.query.get("api_key", "").encode(errors="replace"), key.encode()):
            return self.error(401, "")
        if endpoint.operation == "balance":
            return None
        name, limit = ("single", SINGLE_PER_MINUTE) if endpoint.operation == "verify" else ("batch", BATCH_PER_MINUTE)
        verdict = self.world.take(f"proofy-{name}", key, lambda: RollingWindow(limit, 60))
        return self.error(429, "") if self.world.rate_limits and not verdict.allowed else None

    # --- jobs

    async def create(self, call: Call) -> Reply:
        """Accept a list of addresses."""
        try:
            body = await call.json_object()
        except BadBodyError:
            return self.error(400, "")
        emails = body.get("emails")
        if not isinstance(emails, list) or not emails or len(emails) > MAX_EMAILS:
            return self.error(422, "")
        if not all(isinstance(email, str) for email in emails):
            return self.error(422, "")
        return self.start_job(emails, {"emails": emails})

    def start_job(self, emails: list[str], request: dict[str, Any], **fields: Any) -> Reply:
        """Queue addresses and announce the task with the documented ``parsing``."""
        seed = self.world.seed
        cost = sum(proofy_status(email, seed) != "unknown" for email in emails)
        if self.world.settle(self.vendor) < max(1, cost):
            return self.no_credits()

        def write(file: BinaryIO, revision: int, share: float) -> None:
            done = emails[: int(len(emails) * share)]
            items = [item_for(email, seed, revision) for email in done]
            file.write(json.dumps({"status": "ready", "list": items}).encode())

        recipe = Recipe(MEDIA_TYPES["json"], write)
        job = self.world.add_job(self.vendor, request=request, recipe=recipe, cost=cost, **fields)
        job.names = result_names(job)
        return json_reply(200, {"status": "parsing", "id": job.id})

    def find(self, call: Call) -> EmulatedJob | None:
        """Return the job that a path names."""
        return self.world.job(self.vendor, call.params["id"])

    async def status(self, call: Call) -> Reply:
        """Return ``id`` and ``status``. The path is a third party's, the body an inference."""
        job = self.find(call)
        if job is None:
            return self.error(404, "")
        return json_reply(
            200, {"id": job.id, "status": job.vendor_state, **({"message": m} if (m := job.message) else {})}
        )

    async def cancel(self, call: Call) -> Reply:
        """Cancel a task. The path is a third party's; the answer, and that the task stays visible, are inferences."""
        job = self.find(call)
        if job is None:
            return self.error(404, "")
        if not job.phase.is_terminal:
            job.ask_to_cancel(lingering=False)
        return json_reply(200, {"id": job.id, "status": job.vendor_state})

    async def download(self, call: Call) -> Reply:
        """Return the results; before they are ready an empty list under the task's status (an inference)."""
        job = self.find(call)
        if job is None:
            return self.error(404, "")
        if job.phase is not Phase.SUCCEEDED:
            return json_reply(200, {"status": job.vendor_state, "list": []})
        return await direct_download(call, job, chunked=False)

    # --- the rest

    async def balance(self, call: Call) -> Reply:
        """Return the credits left (path and field: third party)."""
        return json_reply(200, {"credits": self.world.settle(self.vendor)})

    async def single(self, call: Call) -> Reply:
        """Check one address."""
        address = call.query.get("email", "")
        if not looks_like_address(address):
            return self.error(422, "")
        if self.world.settle(self.vendor) <= 0:
            return self.no_credits()
        item = item_for(address, self.world.seed)
        with self.world.lock:
            self.world.accounts.credits[self.vendor] -= item["status"] != "unknown"
        return json_reply(200, item)
