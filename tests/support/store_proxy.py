"""What proxies in front of an object store have in common: a request carried out by the store, and an answer given."""

from __future__ import annotations

import contextlib
import http.client
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from types import MappingProxyType
from typing import Any, ClassVar

WAIT = 60.0
_PER_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "expect"})
XML = [("Content-Type", "application/xml")]


@dataclass(frozen=True)
class Answer:
    """What a client is told."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    length: str | None = None
    """The Content-Length that the store gave: that of a HEAD is of a body that does not come."""


class StoreProxyHandler(BaseHTTPRequestHandler, ABC):
    """Takes requests for the store at ``target`` (host and port); what becomes of one, `answer` says."""

    target: ClassVar[str]
    protocol_version = "HTTP/1.1"

    @abstractmethod
    def answer(self) -> None:
        """Take the request, and `reply`."""

    def body(self) -> bytearray:
        """The request's."""
        return bytearray(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def carried_out(self, body: bytes | bytearray) -> Answer:
        """What the store says to this request, with this body."""
        connection = http.client.HTTPConnection(self.target, timeout=WAIT)
        try:
            # The Host header goes through as it came: it is part of what the client signed.
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "expect"):
                    connection.putheader(name, value)
            connection.endheaders(bytes(body))
            said = connection.getresponse()
            return Answer(said.status, said.getheaders(), said.read(), said.getheader("Content-Length"))
        finally:
            connection.close()

    def reply(self, answer: Answer, own: Mapping[str, str] = MappingProxyType({})) -> None:
        """Tell the client, with headers of the proxy's own."""
        self.send_response_only(answer.status)
        passed = [(name, value) for name, value in answer.headers if name.lower() not in _PER_HOP]
        for name, value in (*passed, *own.items()):
            self.send_header(name, value)
        length = answer.length if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def handle(self) -> None:
        """Clients are expected to break off."""
        with contextlib.suppress(OSError):
            super().handle()

    def do_GET(self) -> None:
        """Every method is answered alike."""
        self.answer()

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 the base class's names
