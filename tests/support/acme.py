"""Acme's API, as docs/adding-a-vendor.md describes it, over a socket; and what a test may do to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pendulum

KEY = "acme-key-that-nobody-may-see"
ROWS = [{"word": "one"}, {"word": "two"}]
PAGE_SIZE = 2
# Polls of a batch, the answer to its submit not among them, until it is done.
POLLS = 2


class AcmeServer(ThreadingHTTPServer):
    """Its batches, each done after a few polls.

    Attributes:
        batches: by id, oldest first.
        asked: method and path of each request.
        loses_submits: accept a submit, and close the connection instead of answering.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.batches: dict[int, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.loses_submits = False
        self._lock = threading.Lock()

    def add(self, label: str) -> dict[str, Any]:
        with self._lock:
            number = 17 + len(self.batches)
            created = pendulum.now("UTC").to_iso8601_string()
            self.batches[number] = {"id": number, "state": "waiting", "label": label, "created": created, "polls": 0}
            return self.batches[number]

    def restart(self) -> None:
        """Let all batches run again."""
        for batch in self.batches.values():
            batch.update(state="waiting", polls=0)

    def poll(self, batch: dict[str, Any]) -> None:
        batch["polls"] += 1
        if batch["state"] in ("waiting", "counting"):
            batch["state"] = "done" if batch["polls"] > POLLS else "counting"


class _Request(BaseHTTPRequestHandler):
    server: AcmeServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do(self) -> None:
        path, _, query = self.path.partition("?")
        self.server.asked.append(f"{self.command} {path}")
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers["Authorization"] != f"Bearer {KEY}":
            return self.reply(401, {"message": "Who are you?"})
        if path == "/v1/me":
            return self.reply(200, {"name": "Example Inc.", "credits": 12})
        if path == "/v1/batches":
            return self.submit(json.loads(content)) if self.command == "POST" else self.list(query)
        number, _, tail = path.removeprefix("/v1/batches/").partition("/")
        batch = self.server.batches.get(int(number)) if number.isdigit() else None
        if batch is None:
            return self.reply(404, {"message": "No such batch."})
        if self.command == "DELETE":
            return self.stop(batch)
        if tail:
            return self.reply(200, ROWS)
        self.server.poll(batch)
        return self.reply(200, self.shown(batch))

    do_GET = do_POST = do_DELETE = do  # noqa: N815 the standard library's names

    def submit(self, request: dict[str, Any]) -> None:
        batch = self.server.add(request["label"])
        if self.server.loses_submits:
            self.close_connection = True
            return None
        return self.reply(201, {"id": batch["id"], "state": batch["state"]})

    def list(self, query: str) -> None:
        newest = [self.shown(each) for each in reversed(self.server.batches.values())]
        start = int(query.removeprefix("after=") or 0)
        following = start + PAGE_SIZE
        page = {"batches": newest[start:following], "next": str(following) if following < len(newest) else None}
        return self.reply(200, page)

    def stop(self, batch: dict[str, Any]) -> None:
        if batch["state"] not in ("waiting", "counting"):
            return self.reply(409, {"message": "It has ended."})
        batch["state"] = "stopped"
        return self.reply(204, None)

    def shown(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in batch.items() if name != "polls"} | {"reason": None}

    def reply(self, status: int, body: Any) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if data:
            self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def acme_server() -> Iterator[AcmeServer]:
    """A running server."""
    server = AcmeServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
