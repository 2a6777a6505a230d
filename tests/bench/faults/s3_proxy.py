"""A loopback proxy in front of an S3 server that answers chosen calls in its place, or lets a test meddle with them."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from tests.bench.faults.hosts import Handler, serving

_PER_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "expect"})


class Meddler(Protocol):
    """What a proxy asks about each call."""

    def before(self, call: str) -> tuple[int, bytes] | None:
        """The status and body to answer with in the store's place; None lets the call through."""

    def after(self, call: str) -> None:
        """The store has carried the call out, and its answer has not been given yet."""


@dataclass
class StoreFault:
    """Answers of 5xx in place of the store's own.

    Attributes:
        call: which: ``part`` (UploadPart) or ``complete`` (CompleteMultipartUpload).
        status: the status to give.
        times: how often; the calls after that are let through.
        struck: how often it has.
    """

    call: str
    status: int
    times: int
    struck: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def before(self, call: str) -> tuple[int, bytes] | None:
        """The error, where this call suffers it."""
        with self._lock:
            if call != self.call or self.struck >= self.times:
                return None
            self.struck += 1
        code = "SlowDown" if self.status == 503 else "InternalError"
        return self.status, f"<Error><Code>{code}</Code><Message>Injected fault</Message></Error>".encode()

    def after(self, call: str) -> None:
        """Nothing."""


def call_name(method: str, path: str) -> str:
    """Which call a request is, as far as faults tell them apart: of S3, or its counterpart in Azure's protocol."""
    query = parse_qs(urlsplit(path).query, keep_blank_values=True)
    azure = query.get("comp")
    if method == "PUT" and ("partNumber" in query or azure == ["block"]):
        return "part"
    completes = (method == "POST" and "uploadId" in query) or (method == "PUT" and azure == ["blocklist"])
    return "complete" if completes else "other"


@contextlib.contextmanager
def s3_proxy(endpoint_url: str, meddler: Meddler | None) -> Iterator[str]:
    """Stand in front of a store; yields the URL to use in its place."""
    target = urlsplit(endpoint_url).netloc

    class Proxy(Handler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            call = call_name(self.command, self.path)
            if meddler and (refused := meddler.before(call)):
                self._reply(refused[0], [("Content-Type", "application/xml")], refused[1])
                return
            connection = http.client.HTTPConnection(target, timeout=60)
            try:
                # The Host header goes through as it came: it is part of what the client signed.
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in ("connection", "expect"):
                        connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                body = answer.read()
                if meddler:
                    meddler.after(call)
                self._reply(answer.status, answer.getheaders(), body, answer.getheader("Content-Length"))
            finally:
                connection.close()

        def _reply(self, status: int, headers: list[tuple[str, str]], body: bytes, length: str | None = None) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in _PER_HOP:
                    self.send_header(name, value)
            # The answer to a HEAD has the length of a body that does not come.
            self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 the base class's names

    with serving(Proxy, "127.0.0.1") as origin:
        yield origin
