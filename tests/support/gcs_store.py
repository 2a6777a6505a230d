"""Buckets, objects and upload sessions of Google Cloud Storage, in memory, and what may go wrong with them.

Of the JSON API only what uploads need. Protocol: https://cloud.google.com/storage/docs/performing-resumable-uploads.
Where that page is silent, it does as Google's own test server does (https://github.com/googleapis/storage-testbench,
`testbench/rest_server.py`, `gcs/upload.py`): a session keeps the precondition it was begun with and obeys it when the
object is to appear; a finished session answers every PUT with the object; bytes it already has are ignored.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

GRAIN = 256 << 10


@dataclass
class Fault:
    """What befalls chosen requests.

    Attributes:
        call: which: `start`, `chunk`, `last`, `cancel` or `read` (of objects and listings).
        status: the answer's status; 0 cuts the connection; 308 says what the session has.
        times: how often; the calls after that are let through.
        skip: how many calls go well before.
        done: the store has done what was asked and only the answer is lost.
        keeps: how many bytes of a chunk the session keeps all the same, rounded down to 256 KiB.
        stalls: seconds before the answer.
        until: what it waits for before the answer, for a minute at most.
        lies: with 308, the session says that it has what it has not.
        struck: how often it has.
    """

    call: str
    status: int = 503
    times: int = 1
    skip: int = 0
    done: bool = False
    keeps: int = 0
    stalls: float = 0
    until: threading.Event | None = None
    lies: bool = False
    struck: int = 0


@dataclass
class _Session:
    bucket: str
    name: str
    condition: str | None
    content: bytearray = field(default_factory=bytearray)
    resource: dict[str, Any] | None = None


class RefusalError(Exception):
    """An answer of the store that is no success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class GcsStore:
    """Buckets, objects and upload sessions in memory."""

    def __init__(self) -> None:
        self.url = ""
        self.buckets: dict[str, dict[str, tuple[dict[str, Any], bytes | bytearray]]] = {}
        self.sessions: dict[str, _Session] = {}
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        """The names of the requests about objects, in order."""
        self.uploads: list[tuple[str | None, str | None]] = []
        """`Content-Range` and `X-Goog-Hash` of the requests that upload, in order."""
        self.authorizations: set[str | None] = set()
        """The `Authorization` headers of all requests."""
        self.user_projects: set[str | None] = set()
        """Who pays, by the requests that begin an upload."""
        self.flips = False
        """One bit of every upload is not as it was sent."""
        self.checks = True
        """Checksums are compared."""
        self._lock = threading.RLock()

    def strikes(self, call: str) -> Fault | None:
        """The fault that this call suffers."""
        with self._lock:
            self.calls.append(call)
            for fault in self.faults:
                if fault.call == call and fault.struck < fault.times:
                    if fault.skip:
                        fault.skip -= 1
                        return None
                    fault.struck += 1
                    return fault
        return None

    def forget(self) -> None:
        """Forget what one test has seen or left."""
        self.flips, self.checks = False, True
        for each in (self.faults, self.calls, self.uploads, self.sessions, self.authorizations, self.user_projects):
            each.clear()

    def open_sessions(self) -> list[str]:
        """The names of the objects that unfinished uploads would become."""
        return [session.name for session in list(self.sessions.values()) if session.resource is None]

    def insert(
        self, bucket: str, name: str, content: bytes | bytearray, condition: str | None, checksum: str | None
    ) -> dict[str, Any]:
        """Make an object visible."""
        with self._lock:
            objects = self._bucket(bucket)
            if condition == "0" and name in objects:
                raise RefusalError(412, "At least one of the pre-conditions you specified did not hold.")
            crc32c = _crc32c(content)
            if self.checks and checksum not in (None, crc32c):
                raise RefusalError(400, f"Provided CRC32C {checksum} doesn't match calculated CRC32C {crc32c}.")
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            generation = str(time.time_ns())
            resource = {
                "kind": "storage#object", "bucket": bucket, "name": name, "size": str(len(content)), "crc32c": crc32c,
                "md5Hash": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
                "etag": f"{generation}=", "generation": generation, "timeCreated": now, "updated": now,
            }  # fmt: skip
            objects[name] = (resource, content)
            return resource

    def start(self, bucket: str, name: str, condition: str | None) -> str:
        """Begin a resumable upload; returns the session's address."""
        self._bucket(bucket)
        session = f"gcssession{secrets.token_hex(16)}"
        self.sessions[session] = _Session(bucket, name, condition)
        return f"{self.url}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={session}"

    def receive(self, upload_id: str, content_range: str, body: bytes, checksum: str | None) -> _Session:
        """Take what a PUT to a session brings."""
        session = self.sessions.get(upload_id)
        if session is None:
            raise RefusalError(404, "No such upload session.")
        match = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", content_range)
        if match is None:
            raise RefusalError(400, f"Content-Range {content_range!r} is invalid.")
        first, last, total = match.groups()
        if session.resource is not None:
            return session
        if first is not None:
            self._append(session, int(first), int(last), body, is_last=total != "*")
        if total not in ("*", None) and len(session.content) == int(total):
            session.resource = self.insert(session.bucket, session.name, session.content, session.condition, checksum)
        return session

    @staticmethod
    def _append(session: _Session, first: int, last: int, body: bytes, *, is_last: bool) -> None:
        if last - first + 1 != len(body) or not (is_last or len(body) % GRAIN == 0):
            raise RefusalError(400, f"Invalid chunk of {len(body)} bytes.")
        if first > len(session.content):
            raise RefusalError(400, f"The session has {len(session.content)} bytes, the chunk begins at {first}.")
        session.content += memoryview(body)[len(session.content) - first :]

    def _bucket(self, name: str) -> dict[str, tuple[dict[str, Any], bytes | bytearray]]:
        if name not in self.buckets:
            raise RefusalError(404, "The specified bucket does not exist.")
        return self.buckets[name]

    def find(self, bucket: str, name: str) -> tuple[dict[str, Any], bytes | bytearray]:
        """An object's resource and content."""
        objects = self._bucket(bucket)
        if name not in objects:
            raise RefusalError(404, f"No such object: {bucket}/{name}")
        return objects[name]

    def listing(self, bucket: str, prefix: str) -> dict[str, Any]:
        """The resources of the objects under a prefix."""
        found = [resource for name, (resource, _) in sorted(self._bucket(bucket).items()) if name.startswith(prefix)]
        return {"kind": "storage#objects", "items": found}


def _crc32c(content: bytes | bytearray) -> str:
    import google_crc32c

    return base64.b64encode(google_crc32c.value(bytes(content)).to_bytes(4, "big")).decode()
