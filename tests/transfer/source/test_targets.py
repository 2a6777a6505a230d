"""A link's target goes over the wire as it was written, since a signature may cover it.

From a redirect, when a download is resumed, for parts of a file, and in its absolute form to a proxy.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.transfer.source.range_client import RangeClient, Source
from airflow_provider_batchdl.transfer.source.stream import ResultStream
from airflow_provider_batchdl.vendors import vendor_class
from airflow_provider_batchdl.vendors.account import Account
from tests.support.forward_proxy import ForwardProxy, http_proxy
from tests.support.running import running

BODY = bytes(range(256)) * 8
ETAG = '"v1"'
KEY = b"of the store"

TARGETS = [
    b"/bucket/plain.csv?s=",
    b"/bucket/a/../b/./c.csv?s=",
    b"/bucket//double//slash.csv?s=",
    b"//bucket/k?s=",
    b"/bucket/%2b%7E~+%2F%c3%bc.csv?x=%2b&y=/../z&s=",
    "/bucket/r\u00e9sum\u00e9-\u20ac.csv?q=\u00fc&s=".encode(),
    b"/bucket/latin-\xe9.csv?s=",
    b"/bucket/trailing%20?s=",
    "/bucket/\u3000?s=".encode(),
    b"/bucket/k??&&=&s=",
    b"/bucket/a|b^c`d{e}?s=",
    b"/bucket/%zz%?s=",
    b"/bucket/k?",
]


class _Handler(BaseHTTPRequestHandler):
    """The vendor, which redirects, and the store, which serves ranges of what is signed."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        target = self.requestline.encode("latin-1").split(b" ")[1]
        if target.startswith(b"/v2/"):
            self._reply(302, b"", Location=self.server.location.decode("latin-1"))
            return
        self.server.targets.append(target)
        signed, mark, signature = target.rpartition(b"s=")
        if mark and signature != sign(signed):
            self._reply(403, b"")
            return
        start, _, end = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        piece = BODY[int(start) : int(end) + 1 if end else None]
        if "Range" in self.headers:
            span = f"bytes {start}-{int(start) + len(piece) - 1}/{len(BODY)}"
            self._reply(206, piece, ETag=ETAG, Content_Range=span)
        else:
            self._reply(200, piece, ETag=ETAG, Accept_Ranges="bytes")

    def _reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def sign(target: bytes) -> bytes:
    return hmac.new(KEY, target, hashlib.sha256).hexdigest().encode()


@pytest.fixture
def store() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.targets = []
    with running(server):
        yield server


def read(stream: ResultStream | None) -> bytes:
    assert stream is not None
    with contextlib.closing(stream):
        return b"".join(bytes(chunk) for chunk in stream)


def read_in_every_way(base_url: str) -> None:
    """Whole, from a byte on, and a part."""
    vendor = vendor_class("revenuebase")(Account(base_url, "a-key-of-no-use"))
    with BatchClient(vendor) as client:
        job = Job("41001", JobState.SUCCEEDED, "COMPLETED")
        range_client = RangeClient(Source(client, job, ResultFile("41001")))
        stream = range_client.open()
        assert stream is not None
        identity = stream.identity
        assert read(stream) == BODY
        assert read(range_client.open(100, identity)) == BODY[100:]
        assert read(range_client.open_part(100, 200, identity)) == BODY[100:200]


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("target", TARGETS)
def test_it_is_sent_as_it_was_written(
    store: Any, target: bytes, relative: bool, proxied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = target + sign(target.removesuffix(b"s=")) if target.endswith(b"s=") else target
    here = b"%s:%d" % (b"localhost" if relative else b"127.0.0.1", store.server_port)  # another origin's is kept
    at = b"//%s" % here if relative and target.startswith(b"//") else b"" if relative else b"http://%s" % here
    store.location = at + target + b"#fragment"
    with http_proxy(ForwardProxy(names={"localhost": ("127.0.0.1", store.server_port)})) as proxy:
        if proxied:
            monkeypatch.setenv("http_proxy", proxy.url())
            monkeypatch.setenv("no_proxy", "")
        read_in_every_way(f"http://localhost:{store.server_port}")
    assert store.targets == [target] * 3
    if proxied:
        absolute = [url.encode("latin-1") for url in proxy.asked if "/v2/" not in url]
        assert absolute == [b"http://" + here + target] * 3


def test_a_blank_that_would_end_it_is_escaped(store: Any) -> None:
    store.location = b"/bucket/a b/ c?d= e \t"
    read_in_every_way(f"http://127.0.0.1:{store.server_port}")
    assert store.targets == [b"/bucket/a%20b/%20c?d=%20e"] * 3
