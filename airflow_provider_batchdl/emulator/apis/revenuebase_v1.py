"""Revenuebase v1, retired by the vendor on 2026-07-07 and kept here for mirrors of it.

Paths and bodies: the vendor's v1 OpenAPI document and third parties; answers as in v2 where no page shows them (an
inference).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from airflow_provider_batchdl.emulator.apis import revenuebase_jobs as jobs
from airflow_provider_batchdl.emulator.apis.revenuebase import Revenuebase
from airflow_provider_batchdl.emulator.apis.revenuebase_parts import UPLOAD_SPEC, body_of, json_body
from airflow_provider_batchdl.emulator.apis.revenuebase_v2 import shared_handlers, verify
from airflow_provider_batchdl.emulator.exchange import Call, Endpoint, Handler, Reply
from airflow_provider_batchdl.emulator.uploaded import Upload

_BASE = "/revenuebase/v1"
_MAX_NAME = 120


def _by_body(api: Revenuebase, act: Callable[[Call, int], Awaitable[Reply] | Reply]) -> Handler:
    """Return a handler for routes with a ``process_id`` in their JSON body."""

    async def handler(call: Call) -> Reply:
        body = await body_of(api, call)
        if isinstance(body, Reply):
            return body
        number = body.get("process_id")
        if "process_id" not in body:
            return api.invalid((("body", "process_id"), "Field required", "missing", body))
        if isinstance(number, str) and number.isascii() and number.isdecimal():
            number = int(number)
        if not isinstance(number, int) or isinstance(number, bool):
            return api.invalid((("body", "process_id"), "Input should be a valid integer", "int_type", number))
        reply = act(call, number)
        return reply if isinstance(reply, Reply) else await reply

    return handler


def _process_uploaded(api: Revenuebase) -> Handler:
    """Return the handler that starts a file uploaded earlier: here, the newest upload of that name."""

    async def handler(call: Call) -> Reply:
        metadata = jobs.metadata_of(api, call)
        if isinstance(metadata, Reply):
            return metadata
        body = await body_of(api, call)
        if isinstance(body, Reply):
            return body
        name = body.get("filename")
        if not isinstance(name, str) or len(name) >= _MAX_NAME:
            return api.invalid((("body", "filename"), "Input should be a short string", "string_type", name))
        earlier = [job for job in api.world.jobs("revenuebase") if job.filename == name and job.upload]
        if not earlier or earlier[-1].upload is None:
            return api.coded("upload_error")
        return await jobs.create(api, Upload(name, "", earlier[-1].upload), metadata=metadata)

    return handler


def endpoints(api: Revenuebase) -> list[Endpoint]:
    """Return the routes of v1."""
    shared = shared_handlers(api)
    by_id = json_body({"process_id": {"type": "integer"}}, ["process_id"])
    by_name = json_body({"filename": {"type": "string", "maxLength": _MAX_NAME - 1}}, ["filename"])
    single = json_body({"email": {"type": "string", "format": "email"}}, ["email"])
    status = _by_body(api, lambda call, number: jobs.status(api, number))
    cancel = _by_body(api, lambda call, number: jobs.cancel(api, number))
    download = _by_body(api, lambda call, number: jobs.download(api, call, number))
    return [
        Endpoint("submit", "POST", f"{_BASE}/batch-upload", shared["submit"], UPLOAD_SPEC),
        Endpoint("submit", "POST", f"{_BASE}/batch-process-email", _process_uploaded(api), by_name),
        Endpoint("status", "POST", f"{_BASE}/batch-process-email-status", status, by_id),
        Endpoint("list", "GET", f"{_BASE}/queued-process", shared["list"]),
        Endpoint("cancel", "POST", f"{_BASE}/cancel-process", cancel, by_id),
        Endpoint("download", "POST", f"{_BASE}/batch-download", download, by_id),
        Endpoint("balance", "GET", f"{_BASE}/credits", shared["balance"]),
        Endpoint("rotate", "GET", f"{_BASE}/new-api-key", shared["rotate"]),
        Endpoint("verify", "POST", f"{_BASE}/process-email", verify(api), single),
    ]
