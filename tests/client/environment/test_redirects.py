"""Results behind a redirect, through a forward proxy: neither it nor the other host learns too much."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import BatchDlError, UnsafeRedirectError
from airflow_provider_batchdl.transfer.job_download import fetch
from airflow_provider_batchdl.vendors.base import Vendor
from tests.client.environment.test_on_the_wire import HOST, PASSWORD, USERINFO, address
from tests.client.helpers import REQUESTS, VENDORS, Face, vendor_of
from tests.support.forward_proxy import ForwardProxy, http_proxy, tls_front
from tests.support.leaks import find_secrets
from tests.support.running import running
from tests.support.s3_proxy import certificate_in

FILES = "files.vendor.example"
SIGNED = "/out.jsonl?Expires=1&Signature=c2lnbmVk"
CSV, LINES = b"a,b\n" + b"1,2\n" * 999, b'{"a": 1}\n' * 999
# Each status with a vendor, and each vendor with a status.
EACH_STATUS = pytest.mark.parametrize(
    ("status", "name"), list(zip([301, 302, 303, 307, 308], [*VENDORS, "proofy"], strict=True))
)


class _Files(BaseHTTPRequestHandler):
    """Another's host, which has the result, and notes what it was sent."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.seen.append(f"{self.requestline}\n{self.headers}")
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson" if server.content is LINES else "text/csv")
        self.send_header("Content-Length", str(len(server.content)))
        self.end_headers()
        self.wfile.write(server.content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def files() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    server.seen = []
    with running(server):
        yield server


@pytest.fixture
def proxy(emulator: Emulator, files: Any) -> ForwardProxy:
    names = {HOST: address(emulator), FILES: files.server_address}
    return ForwardProxy(username="dom\\me", password=PASSWORD, names=names)


def at(emulator: Emulator, name: str, origin: str) -> Vendor:
    extra = {"token_url": "/oauth/token"} if name == "apartmentiq" else {}
    return vendor_of(emulator, name, base_url=origin + urlsplit(emulator.urls[name]).path, extra=extra)


def downloaded(vendor: Vendor, job_id: str) -> object:
    with BatchClient(vendor) as client:
        return fetch(client, job_id, max_bytes=1 << 20)


def without_own(head: bytes) -> str:
    """What a proxy saw of a request, without its own credentials."""
    lines = head.decode().splitlines()
    return "\n".join(line for line in lines if not line.lower().startswith("proxy-authorization:"))


def assert_bare(files: Any) -> None:
    """One request for the file, with nothing of the account, the proxy or the vendor's other headers in it."""
    [seen] = files.seen
    assert seen.startswith(f"GET {SIGNED} HTTP/1.1")
    assert not find_secrets(seen)
    names = {line.partition(":")[0].lower() for line in seen.splitlines()[1:] if line}
    assert names <= {"host", "accept", "accept-encoding", "user-agent", "connection", "range"}


@EACH_STATUS
def test_in_clear_only_the_vendors_host_gets_credentials(
    emulator: Emulator, proxy: ForwardProxy, files: Any, name: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.content, rows = (CSV, [{"a": "1", "b": "2"}]) if name == "apartmentiq" else (LINES, [{"a": 1}])
    job = emulator.add_job(name, ResultSpec(bytes=len(files.content)))  # which Batch.com announces
    emulator.add_fault(
        Fault("redirect", operation="download", location=f"http://{FILES}{SIGNED}", status=status, times=9)
    )
    with http_proxy(proxy):
        monkeypatch.setenv("HTTP_PROXY", proxy.url(userinfo=USERINFO))
        assert downloaded(at(emulator, name, f"http://{HOST}"), job.id) == rows * 999
    assert_bare(files)
    for head in map(bytes.decode, proxy.seen):
        target = head.split(" ", 2)[1]
        if urlsplit(target).hostname != HOST:
            assert target == f"http://{FILES}{SIGNED}"
            assert not find_secrets(without_own(head.encode()))


@pytest.mark.parametrize("name", VENDORS)
def test_in_a_tunnel_nobody_but_the_vendor_does(
    emulator: Emulator, proxy: ForwardProxy, files: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.content, rows = (CSV, [{"a": "1", "b": "2"}]) if name == "apartmentiq" else (LINES, [{"a": 1}])
    job = emulator.add_job(name, ResultSpec(bytes=len(files.content)))
    certificate = certificate_in(tmp_path)
    with ExitStack() as stack:
        port = stack.enter_context(tls_front(address(emulator), certificate))
        other = stack.enter_context(tls_front(files.server_address, certificate))
        stack.enter_context(http_proxy(proxy))
        monkeypatch.setenv("HTTPS_PROXY", proxy.url(userinfo=USERINFO))
        monkeypatch.setenv("HTTP_PROXY", proxy.url(userinfo=USERINFO))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        emulator.add_fault(
            Fault("redirect", operation="download", location=f"https://127.0.0.1:{other}{SIGNED}", times=9)
        )
        vendor = at(emulator, name, f"https://127.0.0.1:{port}")
        assert downloaded(vendor, job.id) == rows * 999
        assert_bare(files)
        emulator.clear_faults()
        emulator.add_fault(Fault("redirect", operation="download", location=f"http://{FILES}{SIGNED}", times=9))
        with pytest.raises(UnsafeRedirectError):
            downloaded(vendor, job.id)
    assert len(files.seen) == 1
    assert set(proxy.asked) == {f"127.0.0.1:{port}", f"127.0.0.1:{other}"}
    for head in proxy.seen:
        assert head.startswith(b"CONNECT ")
        assert not find_secrets(without_own(head))


@EACH_STATUS
def test_a_call_that_is_redirected_goes_nowhere(
    emulator: Emulator, proxy: ForwardProxy, files: Any, face: Face, name: str, status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Nor does the request for a token, or a submit with its body."""
    emulator.add_fault(Fault("redirect", location=f"http://{FILES}{SIGNED}", status=status, times=99))
    job = emulator.add_job(name)
    with http_proxy(proxy):
        monkeypatch.setenv("HTTP_PROXY", proxy.url(userinfo=USERINFO))
        vendor = at(emulator, name, f"http://{HOST}")
        with pytest.raises(BatchDlError):
            face.run(vendor, lambda each: each.get_job(job.id))
        if name != "revenuebase":
            with pytest.raises(BatchDlError):
                face.submit(vendor, REQUESTS[name])
    assert files.seen == []
    assert {urlsplit(target).hostname for target in proxy.asked} == {HOST}
