"""A loopback proxy in front of an S3 server that answers chosen calls in its place, or lets a test meddle with them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from bench.faults.hosts import serving
from tests.support.store_proxy import XML, Answer, StoreProxyHandler


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

    class Proxy(StoreProxyHandler):
        target = urlsplit(endpoint_url).netloc

        def answer(self) -> None:
            body, call = self.body(), call_name(self.command, self.path)
            if meddler and (refused := meddler.before(call)):
                status, text = refused
                self.reply(Answer(status, XML, text))
                return
            said = self.carried_out(body)
            if meddler:
                meddler.after(call)
            self.reply(said)

    with serving(Proxy, "127.0.0.1") as origin:
        yield origin
