"""The other hosts of the play, on 127.0.0.2: where a redirect leads, and a link that is a new one each time."""

from __future__ import annotations

import contextlib
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from airflow_provider_batchdl.emulator.content import Content
from airflow_provider_batchdl.emulator.ranges import Span, requested_span

OTHER_HOST = "127.0.0.2"
"""Loopback as well, but another host to every client that compares names."""


class QuietServer(ThreadingHTTPServer):
    """Says nothing of clients that go away."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients are expected to break off."""


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler], host: str = OTHER_HOST) -> Iterator[str]:
    """Serve on a free port; yields the origin."""
    server = QuietServer((host, 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class Handler(BaseHTTPRequestHandler):
    """A handler that writes no log."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@dataclass
class Heard:
    """A request for the file: its headers, with names in lower case, and the Unix times of its answer."""

    headers: dict[str, str]
    began: float = field(default_factory=time.time)
    ended: float = 0.0


@contextlib.contextmanager
def file_host(content: Content, heard: list[Heard], speed: int | None) -> Iterator[str]:
    """A host that serves one file, and ranges of it, and remembers the requests; yields the file's URL.

    Args:
        content: the file.
        heard: where requests are noted.
        speed: the most bytes a second that a connection brings; None for no limit.
    """

    class FileHandler(Handler):
        def do_GET(self) -> None:
            request = Heard({name.lower(): value for name, value in self.headers.items()})
            heard.append(request)
            span = requested_span(request.headers.get("range", ""), content.size)
            start, stop = (span.start, span.stop) if isinstance(span, Span) else (0, content.size)
            self.send_response(206 if isinstance(span, Span) else 200)
            if isinstance(span, Span):
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{content.size}")
            for name, value in (("ETag", '"the-file"'), ("Accept-Ranges", "bytes")):
                self.send_header(name, value)
            self.send_header("Content-Type", content.content_type)
            self.send_header("Content-Length", str(stop - start))
            self.end_headers()
            for piece in content.chunks(start, stop):
                self.wfile.write(piece)
                time.sleep(len(piece) / speed if speed else 0)
            request.ended = time.time()

    with serving(FileHandler) as origin:
        yield f"{origin}/file.jsonl"


@contextlib.contextmanager
def link_host(new_link: Callable[[], str]) -> Iterator[str]:
    """A host that answers each request with a redirect to a link made for it; yields the URL to ask."""

    class LinkHandler(Handler):
        def do_GET(self) -> None:
            self.send_response(307)
            self.send_header("Location", new_link())
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(LinkHandler) as origin:
        yield f"{origin}/export.jsonl"


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        """Follow nothing."""


def location_of(url: str, headers: dict[str, str]) -> str:
    """Where a request with these headers is redirected to.

    Raises:
        RuntimeError: it is not.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())
    try:
        opener.open(urllib.request.Request(url, headers=headers), timeout=10).close()  # noqa: S310 loopback
    except urllib.error.HTTPError as answer:
        with answer:
            return str(answer.headers["Location"])
    raise RuntimeError("the emulator did not answer with a link")
