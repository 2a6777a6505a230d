"""Proofy: batches of addresses, single checks and credits.

Documented by the vendor: creating a batch, downloading it, the shape of a result item, errors, limits. Everything else
(status, cancellation, credits, files, what an early download says) is known from third parties or inferred, and said
so where it is served.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import Any, BinaryIO

from airflow_provider_batchdl.emulator.addresses import UnreadableInputError, addresses_in
from airflow_provider_batchdl.emulator.downloads import direct_download
from airflow_provider_batchdl.emulator.exchange import Api, Call, Endpoint, RefusedError, Reply, json_reply
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.emulator.limits import RollingWindow
from airflow_provider_batchdl.emulator.openapi import TEXT, body, file_body, query
from airflow_provider_batchdl.emulator.results import Recipe
from airflow_provider_batchdl.emulator.rows import MEDIA_TYPES
from airflow_provider_batchdl.emulator.states import Phase
from airflow_provider_batchdl.emulator.uploads import read_upload
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


class Proofy(Api):
    """Routes under ``/proofy/v1``."""

    vendor = "proofy"

    def endpoints(self) -> list[Endpoint]:
        """Return the routes: of a batch's address list, and of a file (those are a third party's)."""
        emails = body({"emails": {"type": "array", "items": TEXT, "maxItems": MAX_EMAILS, "minItems": 1}})
        by_url = body({"file_name": TEXT, "file_url": TEXT})
        return [
            Endpoint("submit", "POST", f"{BASE}/verify/batch/create", self.create, emails),
            Endpoint("submit", "POST", f"{BASE}/verify/file/upload", self.upload, file_body("file")),
            Endpoint("submit", "POST", f"{BASE}/verify/file/create", self.create_by_url, by_url),
            Endpoint("balance", "GET", f"{BASE}/credits", self.balance),
            Endpoint("verify", "GET", f"{BASE}/verify/single", self.single, query("email")),
            *(
                route
                for kind in ("batch", "file")
                for route in (
                    Endpoint("download", "GET", f"{BASE}/verify/{kind}/{{id}}/download", self.download),
                    Endpoint("status", "GET", f"{BASE}/verify/{kind}/{{id}}", self.status),
                    Endpoint("cancel", "DELETE", f"{BASE}/verify/{kind}/{{id}}", self.cancel),
                )
            ),
        ]

    def error(self, status: int, message: str) -> Reply:
        """Return the documented error object, with the documented words where there are any."""
        return json_reply(status, {"message": _ERRORS.get(status, message)})

    def _pay(self, credits: int) -> None:
        """Refuse where there are not so many credits: a 400 (third party, for single checks; for batches inferred)."""
        if self.world.settle(self.vendor) < credits:
            raise RefusedError(json_reply(400, {"message": "Not enough credits"}))

    def guard(self, call: Call, endpoint: Endpoint) -> None:
        """Check the key in the query and the limits."""
        if call.query.get("api_key") != self.key:
            raise RefusedError(self.error(401, ""))
        if endpoint.operation == "balance":
            return
        name, limit = ("single", SINGLE_PER_MINUTE) if endpoint.operation == "verify" else ("batch", BATCH_PER_MINUTE)
        if not self.world.take(f"proofy-{name}", self.key, lambda: RollingWindow(limit, 60)).allowed:
            raise RefusedError(self.error(429, ""))

    # --- jobs

    async def create(self, call: Call) -> Reply:
        """Accept a list of addresses."""
        emails = (await call.json_object()).get("emails")
        if not isinstance(emails, list) or not 0 < len(emails) <= MAX_EMAILS:
            return self.error(422, "")
        if not all(isinstance(email, str) for email in emails):
            return self.error(422, "")
        return self._start(emails, {"emails": emails})

    async def upload(self, call: Call) -> Reply:
        """Accept a CSV or TXT file in the multipart part ``file``; the answer is an inference from the batch's."""
        received, _ = await read_upload(call, "file")
        if received is None or not received.filename.lower().endswith((".csv", ".txt")):
            return self.error(422, "")
        try:
            emails = await asyncio.to_thread(lambda: list(addresses_in(received.path, received.filename)))
        except UnreadableInputError:
            emails = []
        if not emails:
            return self.error(422, "")
        return self._start(emails, {}, filename=received.filename, upload=received.path)

    async def create_by_url(self, call: Call) -> Reply:
        """Accept a file by URL. The emulator fetches nothing: it makes up a few addresses from the URL."""
        request = await call.json_object()
        name, url = request.get("file_name"), request.get("file_url")
        if not isinstance(name, str) or not isinstance(url, str) or not url.startswith(("http://", "https://")):
            return self.error(422, "")
        host = f"{zlib.crc32(url.encode(errors='replace')):x}.example"
        emails = [f"user{number}@{host}" for number in range(10)]
        return self._start(emails, {"file_name": name, "file_url": url}, filename=name)

    def _start(self, emails: list[str], request: dict[str, Any], **fields: Any) -> Reply:
        """Queue addresses and announce the task with the documented ``parsing``."""
        seed = self.world.seed
        cost = sum(proofy_status(email, seed) != "unknown" for email in emails)
        self._pay(max(1, cost))

        def write(file: BinaryIO, revision: int, share: float) -> None:
            done = emails[: int(len(emails) * share)]
            items = [_item_for(email, seed, revision) for email in done]
            file.write(json.dumps({"status": "ready", "list": items}).encode())

        recipe = Recipe(MEDIA_TYPES["json"], write)
        job = self.world.add_job(self.vendor, request=request, recipe=recipe, cost=cost, **fields)
        return json_reply(200, {"status": "parsing", "id": job.id})

    def _find(self, call: Call) -> EmulatedJob:
        return self.job(call.params["id"], self.error(404, ""))

    async def status(self, call: Call) -> Reply:
        """Return ``id`` and ``status``. The path is a third party's, the body an inference."""
        job = self._find(call)
        message = {"message": job.message} if job.message else {}
        return json_reply(200, {"id": job.id, "status": job.vendor_state, **message})

    async def cancel(self, call: Call) -> Reply:
        """Cancel a task. The path is a third party's; the answer, and that the task stays visible, are inferences."""
        job = self._find(call)
        if not job.phase.is_terminal:
            job.ask_to_cancel(lingering=False)
        return json_reply(200, {"id": job.id, "status": job.vendor_state})

    async def download(self, call: Call) -> Reply:
        """Return the results; before they are ready an empty list under the task's status (an inference)."""
        job = self._find(call)
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
        self._pay(1)
        item = _item_for(address, self.world.seed)
        with self.world.lock:
            self.world.accounts.credits[self.vendor] -= item["status"] != "unknown"
        return json_reply(200, item)


def _item_for(address: str, seed: int, revision: int = 0) -> dict[str, Any]:
    """Return the result item of an address."""
    username, _, domain = address.strip().rpartition("@")
    return proofy_item(username, domain, proofy_status(address, seed, revision))
