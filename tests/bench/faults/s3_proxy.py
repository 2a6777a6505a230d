"""A loopback proxy in front of an S3 server that answers chosen calls with an error of the store."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from urllib.parse import parse_qs, urlsplit

from tests.bench.faults.hosts import Handler, serving

_PER_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "expect"})


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

    def strikes(self, call: str) -> bool:
        """Whether this call suffers it."""
        with self._lock:
            if call != self.call or self.struck >= self.times:
                return False
            self.struck += 1
            return True


def call_name(method: str, path: str) -> str:
    """Which S3 call a request is, as far as faults tell them apart."""
    query = parse_qs(urlsplit(path).query, keep_blank_values=True)
    if method == "PUT" and "partNumber" in query:
        return "part"
    return "complete" if method == "POST" and "uploadId" in query else "other"


@contextlib.contextmanager
def s3_proxy(endpoint_url: str, fault: StoreFault | None) -> Iterator[str]:
    """Stand in front of a store; yields the URL to use in its place."""
    target = urlsplit(endpoint_url).netloc

    class Proxy(Handler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if fault and fault.strikes(call_name(self.command, self.path)):
                code = "SlowDown" if fault.status == 503 else "InternalError"
                text = f"<Error><Code>{code}</Code><Message>Injected fault</Message></Error>".encode()
                self._reply(fault.status, [("Content-Type", "application/xml")], text)
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
                self._reply(answer.status, answer.getheaders(), answer.read(), answer.getheader("Content-Length"))
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
