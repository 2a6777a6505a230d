"""A vendor whose answer to a status request has signed links to its results, on a store that checks them.

The API and the store are two origins on loopback. A link is good until its signature expires: after so many bytes, or
when the test says so. The store serves ranges, and answers 400 to credentials, as S3 does.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.vendors.account import Account
from airflow_provider_batchdl.vendors.auth import HeaderKeyAuth
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, RateLimit, Submission, Vendor
from airflow_provider_batchdl.vendors.results import Results
from tests.support.running import running

KEY = "linked-key-that-nobody-may-see"
JOB = "7"
NEXT_PAGE = "Linked-Next-Page"


@dataclass
class Served:
    """A file at the store.

    Args:
        content: its bytes.
        kind: of the result file.
        part: its number in the vendor's list.
        headers: more of them, with each response.
        cut: bytes after which a response ends early, each time; None for never.
        expires_after: bytes after which all links expire, and the connection ends.
        listed: whether the status answer names it.
    """

    content: bytes
    kind: str = "result"
    part: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: list[int] = field(default_factory=list)
    expires_after: list[int] = field(default_factory=list)
    listed: bool = True


class LinkedServer(ThreadingHTTPServer):
    """One server of the two."""

    daemon_threads = True
    service: LinkedService


class LinkedService:
    """API and store."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.state = "done"
        self.states: list[str] = []
        """The states of the next answers, before `state`."""
        self.signatures: list[str] = []
        self.good: set[str] = set()
        self.asked: list[str] = []
        self.stored: list[tuple[str, str | None]] = []
        self.lock = threading.Lock()
        self.link_to: str | None = None
        self.at_home = False
        self.speed: int | None = None
        """Bytes a second of each connection."""
        self.api = LinkedServer(("127.0.0.1", 0), Handler)
        self.store = LinkedServer(("127.0.0.1", 0), Handler)
        self.api.service = self.store.service = self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api.server_port}"

    def link(self, name: str) -> str:
        """A new signed link; those before it stay good."""
        with self.lock:
            signature = hashlib.sha256(f"{name}{len(self.signatures)}".encode()).hexdigest()
            self.signatures.append(signature)
            self.good.add(signature)
        at = self.api if self.at_home else self.store
        return self.link_to or f"http://127.0.0.1:{at.server_port}/store/{name}?X-Amz-Signature={signature}"

    def expire(self) -> None:
        with self.lock:
            self.good.clear()

    def status(self, job_id: str = JOB) -> dict[str, Any]:
        files = [
            {"id": name, "kind": file.kind, "part": file.part, "url": self.link(name)}
            for name, file in list(self.files.items())
            if file.listed
        ]
        return {"id": job_id, "status": self.next_state(), "files": files, "records": 12_000}

    def next_state(self) -> str:
        return self.states.pop(0) if self.states else self.state


class Handler(BaseHTTPRequestHandler):
    server: LinkedServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        service = self.server.service
        parts = urlsplit(self.path)
        if parts.path.startswith("/store/"):
            return self.serve(service, parts.path.removeprefix("/store/"), parse_qs(parts.query))
        if self.headers["x-linked-key"] != KEY:
            return self.reply(401, b'{"message": "who are you?"}')
        service.asked.append(self.path)
        if parts.path.startswith("/pages/"):
            return self.serve(service, parts.path.removeprefix("/pages/"), None)
        return self.reply(200, json.dumps(service.status(parts.path.rpartition("/")[2])).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.service.asked.append("submit")
        self.reply(200, json.dumps(self.server.service.status()).encode())

    def serve(self, service: LinkedService, name: str, query: Mapping[str, list[str]] | None) -> None:
        wanted = self.headers["Range"]
        service.stored.append((name, wanted))
        if query is not None:
            if self.server is service.store and (self.headers["x-linked-key"] or self.headers["Authorization"]):
                return self.reply(400, b"<Error><Code>InvalidArgument</Code></Error>")
            if query.get("X-Amz-Signature", [""])[0] not in service.good:
                return self.reply(403, b"<Error><Code>AccessDenied</Code><Message>Expired</Message></Error>")
        file = service.files[name]
        etag = f'"{hashlib.sha256(file.content).hexdigest()}"'
        start, end, status = 0, len(file.content), 200
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
        if found and self.headers["If-Range"] in (None, etag):
            start, status = int(found[1]), 206
            end = int(found[2]) + 1 if found[2] else end
            if start >= len(file.content):
                return self.reply(416, b"", {"Content-Range": f"bytes */{len(file.content)}", "ETag": etag})
        body = file.content[start:end]
        headers = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "text/csv", **file.headers}
        if status == 206:
            headers.pop(NEXT_PAGE, None)  # a response for a part need not have it
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(file.content)}"
        limit = None
        with service.lock:
            if file.expires_after:
                limit = file.expires_after.pop(0)
                service.good.clear()
            elif file.cut:
                limit = file.cut.pop(0)
        return self.reply(status, body, headers, limit)

    def reply(self, status: int, body: bytes, headers: Mapping[str, str] = {}, limit: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        body, speed = body[:limit], self.server.service.speed
        if speed is None:
            self.wfile.write(body)
        else:
            for at in range(0, len(body), speed // 20):
                self.wfile.write(body[at : at + speed // 20])
                time.sleep(0.05)
        if limit is not None:
            self.close_connection = True


class Linked(Vendor):
    """Its results are behind the links of the status answer."""

    name = "linked"
    label = "Linked"
    default_host = "https://api.linked.example"
    docs_url = "https://docs.linked.example"
    states: ClassVar = {
        "waiting": JobState.PENDING,
        "busy": JobState.RUNNING,
        "done": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "expired": JobState.FAILED,
        "stopped": JobState.CANCELLED,
    }
    poll_interval = 1.0
    rate_limits = (RateLimit(10_000, 1),)

    def auth(self) -> httpx.Auth:
        return HeaderKeyAuth("x-linked-key", self.account.secret)

    def submit(self, submission: Submission) -> Flow[Job]:
        response = yield ApiRequest("submit", "POST", "/jobs", json=dict(submission.request), repeatable=False)
        return self.read(response.json())

    def get_job(self, job_id: str) -> Flow[Job]:
        response = yield ApiRequest("status", "GET", f"/jobs/{job_id}", job_id=job_id)
        return self.read(response.json())

    def read(self, data: dict[str, Any]) -> Job:
        files = tuple(ResultFile(each["id"], part=each["part"], kind=each["kind"]) for each in data["files"])
        return Job(data["id"], self.state_of(data["status"]), data["status"], files=files, records=data["records"])

    def has_partial_results(self, job: Job) -> bool:
        return job.vendor_state == "expired"

    def job_url(self, job: Job) -> str | None:
        return f"https://app.linked.example/jobs/{job.id}"

    def locate(self, job: Job, file: ResultFile) -> Flow[ApiRequest]:
        response = yield ApiRequest("status", "GET", f"/jobs/{job.id}", job_id=job.id)
        [url] = [each["url"] for each in response.json()["files"] if each["id"] == file.id]
        return ApiRequest("download", "GET", url=url, job_id=job.id)

    def result_files(self, job: Job) -> tuple[ResultFile, ...]:
        return job.files

    def check(self) -> Flow[str]:
        yield ApiRequest("check", "GET", "/me")
        return "Linked accepts the key."


class Paged(Linked):
    """Its result comes in pages, each named by a header of the response before."""

    locate = Results.locate

    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        return ApiRequest("download", "GET", f"/pages/{file.id}", job_id=job.id)

    def next_file(self, job: Job, file: ResultFile, headers: Mapping[str, str]) -> ResultFile | None:
        following = headers.get(NEXT_PAGE, "null")
        return None if following == "null" else ResultFile(following)

    def expected_format(self, job: Job, file: ResultFile) -> str | None:
        return "csv"


def serve_pages(service: LinkedService, *pages: bytes, **headers: str) -> None:
    """Have the result consist of ``pages``."""
    names = [f"p{number}" for number in range(1, len(pages) + 1)]
    for name, following, content in zip(names, [*names[1:], "null"], pages, strict=True):
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        service.files[name] = Served(content, listed=name == "p1", headers={NEXT_PAGE: following, **more})


def client_of(service: LinkedService, kind: type[Vendor] = Linked) -> BatchClient:
    """A client of the account at the service."""
    return BatchClient(kind(Account(service.url, KEY, extra={"rate_limit": "10000/1"})))


@contextmanager
def linked_service() -> Iterator[LinkedService]:
    """The two servers, listening."""
    service = LinkedService()
    with running(service.api), running(service.store):
        yield service
