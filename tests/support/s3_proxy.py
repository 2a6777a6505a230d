"""A loopback proxy in front of an S3 server that harms chosen parts of uploads, and notes every request."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

_PER_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "expect"})
WAIT = 30.0


@dataclass
class PartFault:
    """What happens to a part.

    Attributes:
        number: which part; None for any.
        act: "answer" with `status` and `code` in the store's place, "cut" the connection once the body has come, let
            the answer be "lost", "damage" a byte on its way, or "stall" until the proxy ends.
        times: how often.
        status: the status to answer with.
        code: the error code to answer with.
        direct: only of parts that come signed in the address.
    """

    number: int | None
    act: Literal["answer", "cut", "lost", "damage", "stall"]
    times: int = 1
    status: int = 503
    code: str = "SlowDown"
    direct: bool = False


@dataclass
class Seen:
    """One request that came."""

    method: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    bytes: int

    @property
    def part(self) -> int | None:
        """The number, if it is a part."""
        return int(self.query["partNumber"][0]) if self.method == "PUT" and "partNumber" in self.query else None

    @property
    def direct(self) -> bool:
        """Whether it is signed in the address."""
        return "X-Amz-Signature" in self.query


@dataclass
class S3Proxy:
    """Where it listens, what it is to do, what it saw."""

    endpoint_url: str
    faults: list[PartFault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    stalled: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def parts(self) -> list[Seen]:
        """The parts that came, tries included."""
        return [each for each in self.seen if each.part is not None]

    def note(self, seen: Seen) -> PartFault | None:
        """Take down a request; the fault it is to suffer."""
        with self._lock:
            self.seen.append(seen)
            for fault in self.faults:
                fits = seen.part is not None and fault.number in (None, seen.part) and (seen.direct or not fault.direct)
                if fits and fault.times:
                    fault.times -= 1
                    return fault
        return None


@contextlib.contextmanager
def s3_proxy(endpoint_url: str) -> Iterator[S3Proxy]:
    """Stand in front of the store at `endpoint_url`, until the block ends."""
    target = urlsplit(endpoint_url).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = bytearray(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
            headers = {name.lower(): value for name, value in self.headers.items()}
            fault = proxy.note(Seen(self.command, query, headers, len(body)))
            if fault and fault.act == "stall":
                proxy.stalled.set()
                proxy.ended.wait(WAIT)
            if fault and fault.act in ("cut", "stall"):
                self.close_connection = True
                return
            if fault and fault.act == "answer":
                text = f"<Error><Code>{fault.code}</Code><Message>Injected</Message></Error>".encode()
                self.reply(fault.status, [("Content-Type", "application/xml")], text, None)
                return
            if fault and fault.act == "damage":
                body[len(body) // 2] ^= 1
            self.forward(bytes(body), lost=bool(fault and fault.act == "lost"))

        def forward(self, body: bytes, *, lost: bool) -> None:
            connection = http.client.HTTPConnection(target, timeout=WAIT)
            try:
                # The Host header goes through as it came: it is part of what the client signed.
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in ("connection", "expect"):
                        connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                said = answer.read()
                if lost:
                    self.close_connection = True
                    return
                self.reply(answer.status, answer.getheaders(), said, answer.getheader("Content-Length"))
            finally:
                connection.close()

        def reply(self, status: int, headers: list[tuple[str, str]], body: bytes, length: str | None) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in _PER_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 the base class's names

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        proxy = S3Proxy(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.ended.set()
            server.shutdown()
            thread.join(WAIT)
