"""A loopback server that records what it is sent, and answers as it is told."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.running import running


@dataclass
class Recorded:
    """One request, names of headers in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """One answer; one that is `cut` is an end of the connection instead."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


class Recorder:
    """What was received, and where to ask for it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[Recorded] = []

    @property
    def targets(self) -> list[str]:
        return [f"{each.method} {each.target}" for each in self.received]


@contextlib.contextmanager
def recording(answer: Callable[[Recorded], Reply] = lambda _: Reply({})) -> Iterator[Recorder]:
    """Record requests; each is answered with JSON, bytes or text, or with the end of the connection."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            with contextlib.suppress(ConnectionError):
                super().handle_one_request()

        def _answer(self) -> None:
            names = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(names.get("content-length", 0)))
            request = Recorded(self.command, self.path, names, body)
            recorder.received.append(request)
            reply = answer(request)
            if reply.cut:
                self.close_connection = True
                return
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(content)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self._answer
            raise AttributeError(name)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    recorder = Recorder(f"http://127.0.0.1:{server.server_port}")
    with running(server):
        yield recorder
