"""A uvicorn protocol that lets a fault reach below HTTP."""

from __future__ import annotations

import asyncio
import http
import socket
import struct
from collections.abc import Iterable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SCOPE_KEY = "batchdl.wire"
_BUFFER = 1024 * 1024


class RawWire:
    """The connection of one request, for answers that HTTP doesn't allow.

    Writes wait while the peer doesn't read, so a huge body is never held in memory.
    """

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self._protocol = protocol
        self._cycle: Any = None

    def _take_over(self) -> Any:
        """Tell uvicorn that this answer is none of its business any more."""
        if self._cycle is None:
            self._cycle = self._protocol.cycle
            self._cycle.response_started = True
            self._cycle.keep_alive = False
        return self._cycle

    @property
    def closed(self) -> bool:
        """True if the connection is gone."""
        return bool(self._protocol.transport.is_closing() or self._protocol.cycle.disconnected)

    async def write(self, data: bytes) -> bool:
        """Write bytes as they are; return whether the connection still stands."""
        self._take_over()
        if self.closed:
            return False
        self._protocol.transport.write(data)
        await self._protocol.flow.drain()
        return not self.closed

    async def head(self, status: int, headers: Iterable[tuple[str, str]], *, bytes_per_second: int = 0) -> bool:
        """Write a status line and headers, with ``Connection: close``.

        Args:
            status: the status code.
            headers: names and values; one of several lines becomes as many headers.
            bytes_per_second: how slowly; 0 for at once.
        """
        try:
            phrase = http.HTTPStatus(status).phrase
        except ValueError:
            phrase = ""
        fields = [f"{name}: {line}" for name, value in headers for line in value.split("\n")]
        data = ("\r\n".join([f"HTTP/1.1 {status} {phrase}", *fields, "connection: close"]) + "\r\n\r\n").encode(
            "latin-1"
        )
        if not bytes_per_second:
            return await self.write(data)
        for byte in data:
            if not await self.write(bytes([byte])):
                return False
            await asyncio.sleep(1 / bytes_per_second)
        return True

    def close(self) -> None:
        """End the connection in order: what was written still goes out."""
        self._take_over()
        if not self._protocol.transport.is_closing():
            self._protocol.transport.close()
        self._finish()

    def abort(self) -> None:
        """Drop the connection with a TCP reset; what was not sent yet is lost."""
        self._take_over()
        sock = self._protocol.transport.get_extra_info("socket")
        if sock is not None:
            # A lingering time of zero makes the kernel send RST instead of FIN.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._protocol.transport.abort()
        self._finish()

    def _finish(self) -> None:
        self._cycle.response_complete = True
        self._cycle.disconnected = True


class FaultableProtocol(HttpToolsProtocol):
    """uvicorn's httptools protocol, with a `RawWire` in every request's scope."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the transport a buffer that suits bulk data."""
        stream = cast(asyncio.Transport, transport)
        super().connection_made(stream)
        self.access_log = False  # it would print keys and signatures, once an application has set up its logging
        stream.set_write_buffer_limits(high=_BUFFER)

    def on_message_begin(self) -> None:
        """Put the raw connection in the scope."""
        super().on_message_begin()
        cast(dict[str, Any], self.scope)[SCOPE_KEY] = RawWire(self)
