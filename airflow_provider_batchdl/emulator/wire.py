"""Puts answers on the wire, whole or harmed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from starlette.types import Scope, Send

from airflow_provider_batchdl.emulator.content import BytesContent
from airflow_provider_batchdl.emulator.exchange import Headers, Reply
from airflow_provider_batchdl.emulator.faults import Fault
from airflow_provider_batchdl.emulator.protocol import SCOPE_KEY, RawWire
from airflow_provider_batchdl.emulator.records import RequestRecord

_STEP_SECONDS = 0.05
_FRAMING = frozenset({"content-length", "transfer-encoding"})
RAW_KINDS = frozenset(
    {"cut", "stall", "drip", "wrong_length", "no_length", "chunked_eof", "headers", "interim", "coding"}
)
"""Faults of the head, or of the body's framing or timing."""


def raw_wire(scope: Scope) -> RawWire:
    """Return the request's connection.

    Raises:
        RuntimeError: where the app runs under another server, which gives no access to it.
    """
    wire = scope.get(SCOPE_KEY)
    if not isinstance(wire, RawWire):
        raise RuntimeError(  # noqa: TRY004 - nobody passed a wrong argument
            "this fault needs the emulator's own server: there is no connection to harm here"
        )
    return wire


def _headers(reply: Reply, *, length: int | None) -> Headers:
    headers = list(reply.headers)
    if reply.content.content_type:
        headers.append(("content-type", reply.content.content_type))
    if length is not None:
        headers.append(("content-length", str(length)))
    return headers


async def deliver(scope: Scope, send: Send, reply: Reply, record: RequestRecord) -> None:
    """Send an answer as HTTP wants it."""
    bodiless = reply.status in (204, 304) or scope["method"] == "HEAD"
    length = None if reply.chunked or reply.status in (204, 304) else reply.length
    record.status = reply.status
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in _headers(reply, length=length)]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if not bodiless:
        wire = scope.get(SCOPE_KEY)
        pace = _Pace(reply.bytes_per_second)
        for piece in _split(reply.pieces(), None, step=pace.step):
            if isinstance(wire, RawWire) and wire.closed:
                wire.close()  # the client has gone; uvicorn would swallow the rest of a huge body in silence
                return
            record.bytes_sent += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await pace.keep(len(piece))
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def deliver_harmed(scope: Scope, reply: Reply, record: RequestRecord, fault: Fault) -> None:
    """Send an answer with a fault of `RAW_KINDS`, then close the connection.

    Raises:
        RuntimeError: where the app runs under another server.
    """
    wire = raw_wire(scope)
    if fault.kind == "stall" and fault.before_headers:
        await asyncio.sleep(fault.seconds)
    if fault.kind == "interim" and not await _interim(wire, fault.seconds):
        return
    record.status = (fault.kind == "headers" and fault.status) or reply.status
    named = {name.lower(): value for name, value in fault.headers.items()}
    framed = fault.kind in ("no_length", "wrong_length") or not named.keys().isdisjoint(_FRAMING)
    chunked = fault.kind == "chunked_eof" or fault.chunked or (reply.chunked and not framed)
    length: int | None = reply.length
    if fault.kind == "wrong_length":
        length = max(0, reply.length + fault.length_delta)
    if chunked or fault.kind == "no_length":
        length = None
    headers = _headers(reply, length=length)
    if chunked:
        headers.append(("transfer-encoding", "chunked"))
    if fault.kind in ("headers", "coding"):
        headers = [(name, value) for name, value in headers if name.lower() not in named]
        headers += [(name, value) for name, value in named.items() if value is not None]
    slow = fault.bytes_per_second if fault.kind == "drip" and fault.before_headers else 0
    if not await wire.head(record.status, headers, bytes_per_second=slow):
        return
    if scope["method"] != "HEAD":
        await _body(wire, reply, record, fault, chunked=chunked)
    if fault.kind == "cut" and fault.abort:
        wire.abort()
    else:
        wire.close()


def packed(reply: Reply, fault: Fault) -> Reply:
    """Return an answer with its body packed, as the fault ``coding`` wants it; the body has to fit into memory.

    A part of a file stays as it is: its ``Content-Range`` would speak of other bytes.
    """
    if reply.status != 200:
        return reply
    wbits = {"gzip": 31, "deflate": 15, "raw-deflate": -15}[fault.coding]
    name = "gzip" if fault.coding == "gzip" else "deflate"
    content = BytesContent(reply.content.packed(wbits), reply.content.content_type)
    return replace(reply, content=content, start=0, stop=None, headers=[*reply.headers, ("content-encoding", name)])


async def _interim(wire: RawWire, seconds: float) -> bool:
    """Say that the answer is to come, for a while; return whether anybody still listens."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not await wire.write(b"HTTP/1.1 100 Continue\r\n\r\n"):
            return False
        await asyncio.sleep(_STEP_SECONDS)
    return True


class _Pace:
    """Keeps a body to its speed, also after a pause: what was not sent in time is not sent in one piece then.

    Args:
        bytes_per_second: the speed; None is no limit.

    Attributes:
        step: the most bytes to send at once.
    """

    def __init__(self, bytes_per_second: int | None) -> None:
        self._speed = bytes_per_second
        self.step = max(1, int(bytes_per_second * _STEP_SECONDS)) if bytes_per_second else None
        self._due = time.monotonic()

    async def keep(self, count: int) -> None:
        """Wait until ``count`` more bytes may have been sent."""
        if self._speed:
            self._due = max(self._due, time.monotonic() - _STEP_SECONDS) + count / self._speed
            await asyncio.sleep(max(0.0, self._due - time.monotonic()))


async def _body(wire: RawWire, reply: Reply, record: RequestRecord, fault: Fault, *, chunked: bool) -> None:
    """Write the body up to where the fault ends it."""
    stop = _stop_of(fault)
    pace = _Pace(fault.bytes_per_second if fault.kind == "drip" else reply.bytes_per_second)
    sent = 0
    for piece in _split(reply.pieces(), _splits(fault), step=pace.step):
        if stop is not None and sent >= stop:
            return
        if fault.kind == "stall" and sent == (fault.after_bytes or 0) and not fault.before_headers:
            await asyncio.sleep(fault.seconds)
        if not await wire.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece):
            return
        sent += len(piece)
        record.bytes_sent += len(piece)
        await pace.keep(len(piece))
    cut_short = stop is not None and sent >= stop
    if chunked and fault.kind != "chunked_eof" and not cut_short:
        await wire.write(b"0\r\n\r\n")


def _stop_of(fault: Fault) -> int | None:
    """Return after how many bytes the body ends early."""
    if fault.kind == "cut":
        return fault.after_bytes or 0
    return fault.after_bytes if fault.kind in ("no_length", "chunked_eof", "headers") else None


def _splits(fault: Fault) -> int | None:
    return fault.after_bytes or 0 if fault.kind in ("cut", "stall") else fault.after_bytes


def _split(pieces: Iterator[bytes], at: int | None, *, step: int | None) -> Iterator[bytes]:
    """Yield the same bytes with a border at offset ``at``, and none longer than ``step``."""
    offset = 0
    for whole in pieces:
        borders = [0, len(whole)]
        if step:
            borders = [*range(0, len(whole), step), len(whole)]
        if at is not None and offset < at < offset + len(whole):
            borders.append(at - offset)
        borders = sorted(set(borders))
        for low, high in pairwise(borders):
            yield whole[low:high] if high - low < len(whole) else whole
        offset += len(whole)
