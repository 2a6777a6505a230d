"""The ASGI app: finds the route, writes the log, applies faults and asks the API."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from airflow_provider_batchdl.emulator.exchange import (
    Api,
    BadBodyError,
    Call,
    Endpoint,
    RefusedError,
    Reply,
    redirect_reply,
    text_reply,
)
from airflow_provider_batchdl.emulator.faults import Fault
from airflow_provider_batchdl.emulator.records import RequestRecord
from airflow_provider_batchdl.emulator.wire import RAW_KINDS, deliver, deliver_harmed, packed, raw_wire
from airflow_provider_batchdl.emulator.world import World

logger = logging.getLogger(__name__)

_LOGIN_PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>Sign in</form></body></html>"


class Dispatcher:
    """The app behind the API socket or the store socket.

    Args:
        world: the emulator's state.
        apis: the APIs to serve; their routes are tried in order.
    """

    def __init__(self, world: World, apis: Iterable[Api]) -> None:
        self._world = world
        self._apis = list(apis)
        self._routes: list[tuple[re.Pattern[str], Endpoint, Api]] = [
            (compile_path(endpoint.path)[0], endpoint, api) for api in self._apis for endpoint in api.endpoints()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        api, endpoint, params = self._find(scope["method"], scope["path"])
        call = Call(Request(scope, receive), self._world, params)
        record = self._record(call, api.vendor, endpoint.operation if endpoint else "unknown")
        if api.vendor != "emulator":
            self._world.log.add(record)
            record.vendor = _vendor_of(api, call)
        try:
            if endpoint:
                record.operation = await api.operation_of(call, endpoint)
            if api.vendor != "emulator":
                ranged = "range" in call.request.headers
                call.fault = self._world.faults.take(record.vendor, record.operation, scope["path"], ranged=ranged)
            await self._serve(call, api, endpoint, record, send)
        except ClientDisconnect:
            record.status = record.status or 0
        finally:
            record.ended = self._world.clock.time()

    async def _serve(self, call: Call, api: Api, endpoint: Endpoint | None, record: RequestRecord, send: Send) -> None:
        scope, fault = call.request.scope, call.fault
        reply = _replacement(fault, api) if fault else None
        is_reset = fault is not None and fault.kind == "reset"
        if fault and (reply or is_reset) and not fault.processed:
            await _drain(call)  # one that was not sent whole would be no question of who has it
        else:
            answer = await self._answer(call, api, endpoint)
            reply = reply or answer
        if reply is None or is_reset:
            raw_wire(scope).abort()
            return
        api.dress(call, reply)
        if fault and fault.kind == "coding":
            reply = await asyncio.to_thread(packed, reply, fault)
        if fault and fault.kind in RAW_KINDS:
            await deliver_harmed(scope, reply, record, fault)
        else:
            await deliver(scope, send, reply, record)

    async def _answer(self, call: Call, api: Api, endpoint: Endpoint | None) -> Reply:
        if endpoint is None:
            allowed = self._methods(call.request.scope["path"])
            return api.error(405, "Method Not Allowed") if allowed else api.error(404, "Not Found")
        try:
            if not endpoint.open:
                api.guard(call, endpoint)
            return await endpoint.handler(call)
        except RefusedError as refusal:
            await _drain(call)
            return refusal.reply
        except BadBodyError as problem:
            return api.bad_body(str(problem))
        except ClientDisconnect:
            raise
        except Exception:
            logger.exception("the emulator failed on %s %s", endpoint.method, endpoint.path)
            return api.error(500, "Internal Server Error")

    def _find(self, method: str, path: str) -> tuple[Api, Endpoint | None, dict[str, str]]:
        for pattern, endpoint, api in self._routes:
            match = pattern.match(path)
            if match and endpoint.method == method:
                return api, endpoint, match.groupdict()
        first = path.split("/")[1] if "/" in path else ""
        known = [api for api in self._apis if api.vendor == first]
        return (known or self._apis)[0], None, {}

    def _methods(self, path: str) -> list[str]:
        return [endpoint.method for pattern, endpoint, _ in self._routes if pattern.match(path)]

    def _record(self, call: Call, vendor: str, operation: str) -> RequestRecord:
        request = call.request
        return RequestRecord(
            time=self._world.clock.time(),
            vendor=vendor,
            operation=operation,
            method=request.method,
            path=request.scope["path"],
            query=call.query,
            headers={name.lower(): value for name, value in request.headers.items()},
        )


def _vendor_of(api: Api, call: Call) -> str:
    """Return whose request this is; the store serves several vendors."""
    owner: Any = getattr(api, "owner", None)
    return str(owner(call)) if owner else api.vendor


def _replacement(fault: Fault, api: Api) -> Reply | None:
    """Return the answer that a fault gives in place of the real one."""
    if fault.kind == "html":
        return text_reply(200, _LOGIN_PAGE, "text/html; charset=utf-8")
    if fault.kind == "redirect":
        return redirect_reply(fault.status or 302, fault.location or "/")
    if fault.kind != "status":
        return None
    status = fault.status or 503
    if fault.body is not None:
        reply = text_reply(status, fault.body, fault.content_type or "text/plain; charset=utf-8")
    elif fault.shape == "vendor":
        reply = api.error(status, "Injected fault")
    else:
        reply = _routers_reply(status, fault.shape)
    reply.headers.extend((name, value) for name, value in fault.headers.items() if value is not None)
    if fault.retry_after is not None:
        wait = fault.retry_after
        text = wait if isinstance(wait, str) else str(int(wait)) if float(wait).is_integer() else str(wait)
        reply.headers.append(("retry-after", text))
    return reply


def _routers_reply(status: int, shape: str) -> Reply:
    """Return what a router, firewall or proxy in front of the vendor answers."""
    try:
        title = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        title = str(status)
    if shape == "html":
        page = f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center></body></html>"
        return text_reply(status, page, "text/html")
    return text_reply(status, title if shape == "text" else "", "text/plain" if shape == "text" else "")


async def _drain(call: Call) -> None:
    """Read the rest of the request, so that a client in mid-upload gets to see the answer."""
    try:
        async for _ in call.request.stream():
            pass
    except RuntimeError:
        return
