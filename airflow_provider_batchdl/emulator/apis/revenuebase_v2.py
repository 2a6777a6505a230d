"""Revenuebase v2, the live version: routes as in the vendor's OpenAPI document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from airflow_provider_batchdl.emulator.apis import revenuebase_jobs as jobs
from airflow_provider_batchdl.emulator.apis import revenuebase_people as people
from airflow_provider_batchdl.emulator.apis.revenuebase import Revenuebase
from airflow_provider_batchdl.emulator.apis.revenuebase_parts import (
    FLAG_PARAMETER,
    UPLOAD_SPEC,
    body_of,
    charge,
    json_body,
)
from airflow_provider_batchdl.emulator.exchange import Call, Endpoint, Handler, Reply, json_reply
from airflow_provider_batchdl.emulator.verdicts import looks_like_address, revenuebase_metadata, revenuebase_status

_BASE = "/revenuebase/v2"


def by_id(api: Revenuebase, act: Callable[[Call, int], Awaitable[Reply] | Reply]) -> Handler:
    """Return a handler for routes with a ``process_id`` in their path."""

    async def handler(call: Call) -> Reply:
        text = call.params["process_id"]
        try:
            # int() knows more spellings than the path converter of the real API, which refuses them.
            process_id = int(text) if text.lstrip("-").isdecimal() and text.isascii() else None
        except ValueError:
            process_id = None
        if process_id is None:
            problem = "Input should be a valid integer, unable to parse string as an integer"
            return api.invalid((("path", "process_id"), problem, "int_parsing", text))
        reply = act(call, process_id)
        return reply if isinstance(reply, Reply) else await reply

    return handler


def verify(api: Revenuebase) -> Handler:
    """Return the handler that verifies a single address, for one credit unless the verdict is Unknown."""

    async def handler(call: Call) -> Reply:
        metadata = jobs.metadata_of(api, call)
        if isinstance(metadata, Reply):
            return metadata
        body = await body_of(api, call)
        if isinstance(body, Reply):
            return body
        if "email" not in body:
            return api.invalid((("body", "email"), "Field required", "missing", body))
        address = body["email"]
        if not isinstance(address, str) or not looks_like_address(address):
            message = "value is not a valid email address"
            return api.invalid((("body", "email"), message, "value_error", address))
        if api.world.settle("revenuebase") <= 0:
            return api.no_credits()
        status = revenuebase_status(address, api.world.seed)
        charge(api, int(status != "Unknown"))
        extra = revenuebase_metadata(address, status, api.world.seed) if metadata else {}
        return json_reply(200, {"email": address, "status": status, **extra})

    return handler


def shared_handlers(api: Revenuebase) -> dict[str, Handler]:
    """Return what answers alike in v1 and v2, by operation."""

    async def submit(call: Call) -> Reply:
        return await jobs.submit(api, call)

    async def listing(call: Call) -> Reply:
        return jobs.listing(api)

    async def balance(call: Call) -> Reply:
        return json_reply(200, {"credits": api.world.settle("revenuebase")})

    async def rotate(call: Call) -> Reply:
        return json_reply(200, {"api_key": api.world.accounts.rotate("revenuebase")})

    return {"submit": submit, "list": listing, "balance": balance, "rotate": rotate}


def endpoints(api: Revenuebase) -> list[Endpoint]:
    """Return the routes of v2."""
    shared = shared_handlers(api)
    email = {"email": {"type": "string", "format": "email"}}
    verify_spec = {"parameters": FLAG_PARAMETER, **json_body(email, ["email"])}
    job, act = f"{_BASE}/jobs/{{process_id}}", by_id
    return [
        Endpoint("submit", "POST", f"{_BASE}/email/verify/batch", shared["submit"], UPLOAD_SPEC),
        Endpoint("verify", "POST", f"{_BASE}/email/verify", verify(api), verify_spec),
        Endpoint("list", "GET", f"{_BASE}/jobs", shared["list"]),
        Endpoint("status", "GET", job, act(api, lambda call, number: jobs.status(api, number))),
        Endpoint("cancel", "POST", f"{job}/cancel", act(api, lambda call, number: jobs.cancel(api, number))),
        Endpoint("download", "GET", f"{job}/download", act(api, lambda call, number: jobs.download(api, call, number))),
        Endpoint("balance", "GET", f"{_BASE}/account/balance", shared["balance"]),
        Endpoint("rotate", "POST", f"{_BASE}/account/api-keys/rotate", shared["rotate"]),
        *people.endpoints(api, _BASE),
    ]
