"""What no emulator of Google Cloud Storage that can be installed does: resumable uploads as documented, over HTTP."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.gcs_store import GRAIN, Fault, GcsStore, RefusalError
from tests.support.running import running


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients are expected to break off."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    store: GcsStore

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def answer(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        if "upload_id" in query and query["upload_id"] not in self.store.sessions:
            # Gone, or of a test before: what its client sends again is nothing that happens in this test.
            self._json(404, {"error": {"code": 404, "message": "No such upload session."}})
            return
        self.store.authorizations.add(self.headers.get("Authorization"))
        try:
            if url.path.startswith("/upload/"):
                self._upload(url.path.split("/")[5], query, body)
            else:
                self._other(url.path.partition("storage/v1/b")[2].strip("/").split("/"), query, body)
        except RefusalError as refusal:
            self._json(refusal.status, {"error": {"code": refusal.status, "message": str(refusal)}})

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 the base class's names

    def _other(self, parts: list[str], query: dict[str, str], body: bytes) -> None:
        bucket = parts[0]
        if self.command == "POST":
            name = json.loads(body)["name"]
            self.store.buckets[name] = {}
            self._json(200, {"name": name})
        elif fault := self.store.strikes("read"):
            self._fail(fault)
        elif self.command == "DELETE":
            resource, _ = self.store.find(bucket, unquote(parts[2]))
            if query.get("ifGenerationMatch") not in (None, resource["generation"]):
                raise RefusalError(412, "At least one of the pre-conditions you specified did not hold.")
            del self.store.buckets[bucket][unquote(parts[2])]
            self._reply(204)
        elif len(parts) == 1:
            self._json(200 if bucket in self.store.buckets else 404, {"name": bucket})
        elif len(parts) == 2:
            self._json(200, self.store.listing(bucket, query.get("prefix", "")))
        else:
            resource, content = self.store.find(bucket, unquote(parts[2]))
            if query.get("alt") != "media":
                self._json(200, resource)
            else:
                self._reply(200, content)

    def _upload(self, bucket: str, query: dict[str, str], body: bytes) -> None:
        content_range = self.headers.get("Content-Range", "")
        call = _call_name(self.command, content_range)
        self.store.uploads.append((content_range or None, self.headers.get("X-Goog-Hash")))
        fault = self.store.strikes(call)
        if fault and fault.stalls:
            time.sleep(fault.stalls)
        if fault and fault.until:
            fault.until.wait(60)
        if self.store.flips and call == "last":
            body = bytes([body[0] ^ 1]) + body[1:]
        if fault and fault.keeps:
            first = int(content_range.removeprefix("bytes ").partition("-")[0])
            kept = body[: fault.keeps // GRAIN * GRAIN]
            self.store.receive(query["upload_id"], f"bytes {first}-{first + len(kept) - 1}/*", kept, None)
        if fault and not fault.done:
            self._fail(fault)
            return
        status, headers, resource = self._obey(call, bucket, query, body)
        if fault:
            self._fail(fault)
        else:
            self._json(status, resource, headers)

    def _obey(
        self, call: str, bucket: str, query: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], dict[str, Any] | None]:
        condition = query.get("ifGenerationMatch")
        if call == "start":
            self.store.user_projects.add(query.get("userProject"))
            name = query.get("name") or json.loads(body)["name"]
            return 200, {"Location": self.store.start(bucket, name, condition)}, None
        if call == "cancel":
            session = self.store.sessions.get(query["upload_id"])
            if session is None or session.resource is not None:
                raise RefusalError(404, "No such upload session.")
            del self.store.sessions[query["upload_id"]]
            return 499, {}, None
        checksum = self.headers.get("X-Goog-Hash", "").removeprefix("crc32c=") or None
        session = self.store.receive(query["upload_id"], self.headers["Content-Range"], body, checksum)
        if session.resource is not None:
            return 200, {}, session.resource
        return 308, {"Range": f"bytes=0-{len(session.content) - 1}"} if session.content else {}, None

    def _fail(self, fault: Fault) -> None:
        if fault.status == 308:
            session = parse_qs(urlsplit(self.path).query)["upload_id"][0]
            sent = self.headers["Content-Range"].partition("/")[0].rpartition("-")[2]
            last = sent if fault.lies else len(self.store.sessions[session].content) - 1
            self._reply(308, b"", {"Range": f"bytes=0-{last}"})
        elif fault.status:
            self._json(fault.status, {"error": {"code": fault.status, "message": "Injected fault"}})
        else:
            self.close_connection = True

    def _json(self, status: int, value: dict[str, Any] | None, headers: dict[str, str] | None = None) -> None:
        body = b"" if value is None else json.dumps(value).encode()
        self._reply(status, body, {"Content-Type": "application/json", **(headers or {})})

    def _reply(self, status: int, body: bytes | bytearray = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status, "-")
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _call_name(method: str, content_range: str) -> str:
    if method == "POST":
        return "start"
    if method == "DELETE":
        return "cancel"
    return "chunk" if content_range.endswith("/*") else "last"


@contextlib.contextmanager
def running_gcs_server() -> Iterator[GcsStore]:
    """Serve on a free loopback port."""
    store = GcsStore()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": store}))
    store.url = f"http://127.0.0.1:{server.server_port}"
    with running(server):
        yield store
