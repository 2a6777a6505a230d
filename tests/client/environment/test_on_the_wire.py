"""Control calls of both clients and downloads, through proxies that run, and past them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from airflow_provider_batchdl._redaction.redactor import redact
from airflow_provider_batchdl.client import BatchClient, policy
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import BatchDlError, VendorUnavailableError, WorkerEnvironmentError
from airflow_provider_batchdl.transfer.job_download import fetch
from airflow_provider_batchdl.vendors.base import Vendor
from tests.client.helpers import REQUESTS, VENDORS, Face, vendor_of
from tests.support.forward_proxy import ForwardProxy, http_proxy, socks_proxy, tls_front
from tests.support.s3_proxy import certificate_in

HOST = "api.vendor.example"
PASSWORD = "p@ss/w:rd%#1é"
USERINFO = "dom%5Cme:p%40ss%2Fw%3Ard%25%231%C3%A9"


def behind(emulator: Emulator, name: str, *, scheme: str = "http", host: str = HOST, port: int = 0) -> Vendor:
    """The vendor at an address that only a proxy knows."""
    path = urlsplit(emulator.urls[name]).path
    where = f"{host}:{port}" if port else host
    return vendor_of(emulator, name, base_url=urlunsplit((scheme, where, path, "", "")))


def address(emulator: Emulator) -> tuple[str, int]:
    parts = urlsplit(emulator.urls["proofy"])
    return parts.hostname or "", parts.port or 0


@pytest.fixture
def proxy(emulator: Emulator) -> ForwardProxy:
    return ForwardProxy(username="dom\\me", password=PASSWORD, names={HOST: address(emulator)})


def downloaded(vendor: Vendor, job_id: str) -> bytes:
    with BatchClient(vendor) as client:
        return repr(fetch(client, job_id, max_bytes=1 << 20)).encode()


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("variable", ["http_proxy", "ALL_PROXY"])
def test_calls_and_downloads_go_through_one_proxy(
    emulator: Emulator, proxy: ForwardProxy, face: Face, name: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = emulator.add_job(name)
    host, port = address(emulator)  # the emulator's links lead there, whatever it is called
    vendor = behind(emulator, name, host=host, port=port)
    with http_proxy(proxy):
        monkeypatch.setenv(variable, proxy.url(userinfo=USERINFO))
        assert face.run(vendor, lambda each: each.get_job(there.id)).id == there.id
        if name != "revenuebase":  # it takes files only
            face.submit(vendor, REQUESTS[name])
        calls = len(proxy.asked)
        assert downloaded(vendor, there.id)
    assert len(proxy.asked) > calls > 0
    assert proxy.refused == 0
    assert {urlsplit(url).hostname for url in proxy.asked} == {host}
    if name == "apartmentiq":
        assert any("oauth/token" in url for url in proxy.asked)


def test_an_upload_goes_through_it_too(
    emulator: Emulator, proxy: ForwardProxy, face: Face, contacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_proxy(proxy):
        monkeypatch.setenv("HTTP_PROXY", proxy.url(userinfo=USERINFO))
        face.submit(behind(emulator, "revenuebase"), None, contacts)
    (job,) = emulator.jobs("revenuebase")
    assert job.input == contacts.read_bytes()
    assert proxy.refused == 0


@pytest.mark.parametrize("over_tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_tunnel_and_a_bundle_of_ones_own(
    emulator: Emulator, proxy: ForwardProxy, face: Face, variable: str, over_tls: bool, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    there = emulator.add_job("revenuebase")
    certificate = certificate_in(tmp_path)
    with (
        tls_front(address(emulator), certificate) as port,
        http_proxy(proxy, certificate=certificate if over_tls else None),
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url("https" if over_tls else "http", USERINFO))
        monkeypatch.setenv(variable, str(certificate))
        vendor = behind(emulator, "revenuebase", scheme="https", host="127.0.0.1", port=port)
        assert face.run(vendor, lambda each: each.get_job(there.id)).id == there.id
        assert downloaded(vendor, there.id)
        monkeypatch.delenv(variable)
        with pytest.raises(VendorUnavailableError, match=r"(?i)certificate.*set REQUESTS_CA_BUNDLE"):
            face.run(vendor, lambda each: each.get_job(there.id))
        with pytest.raises(VendorUnavailableError):
            downloaded(vendor, there.id)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url("http", "me:wrong") if not over_tls else proxy.url("https"))
        monkeypatch.setenv(variable, str(certificate))
        with pytest.raises(VendorUnavailableError, match=r"407.*The proxy on the way to .* set HTTPS_PROXY"):
            face.run(vendor, lambda each: each.get_job(there.id))
    assert set(proxy.asked) == {f"127.0.0.1:{port}"}


@pytest.mark.parametrize("trusts", [True, False], ids=["a proxy", "a certificate"])
def test_a_store_that_cannot_be_reached_is_told_what_is_missing(
    emulator: Emulator, tmp_path: Path, trusts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certificate_in(tmp_path)
    there = emulator.add_job("proofy")
    monkeypatch.setattr(policy, "BACKOFF_CAP", 0.0)
    with tls_front(address(emulator), certificate) as port, http_proxy(ForwardProxy("me", PASSWORD)) as proxy:
        emulator.add_fault(Fault("redirect", operation="download", location=f"https://127.0.0.1:{port}/x", times=9))
        if trusts:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
            monkeypatch.setenv("HTTPS_PROXY", proxy.url())
        remedy = "ProxyError.*set HTTPS_PROXY" if trusts else "SSLError.*set REQUESTS_CA_BUNDLE"
        with pytest.raises(VendorUnavailableError, match=rf"127\.0\.0\.1 cannot be reached for the download: {remedy}"):
            downloaded(vendor_of(emulator, "proofy"), there.id)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_socks(
    emulator: Emulator, face: Face, scheme: str, tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = emulator.add_job("revenuebase")
    certificate = certificate_in(tmp_path)
    proxy = ForwardProxy("me", PASSWORD, {HOST: address(emulator)})
    with socks_proxy(proxy), tls_front(address(emulator), certificate) as port:
        monkeypatch.setenv("ALL_PROXY", proxy.url(scheme, f"me:{USERINFO.partition(':')[2]}"))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        at: dict[str, Any] = {"scheme": "https", "host": "127.0.0.1", "port": port} if tls else {}
        vendor = behind(emulator, "revenuebase", **at)
        assert face.run(vendor, lambda each: each.get_job(there.id)).id == there.id
        assert downloaded(vendor, there.id)
    assert set(proxy.asked) == {f"127.0.0.1:{port}" if tls else f"{HOST}:80"}
    assert proxy.refused == 0


@pytest.mark.parametrize("kind", ["call", "download"])
def test_a_refusing_proxy_is_an_error_without_its_password(
    emulator: Emulator, proxy: ForwardProxy, face: Face, kind: str, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level("DEBUG")
    vendor = behind(emulator, "proofy")
    with http_proxy(proxy), contextlib.suppress(BatchDlError):
        monkeypatch.setenv("HTTP_PROXY", proxy.url(userinfo="me:wr%6Fng-password-1"))
        if kind == "call":
            face.run(vendor, lambda each: each.get_job("7"))
        else:
            downloaded(vendor, "7")
    assert proxy.refused > 0
    for text in (caplog.text, redact("it was wrong-password-1 or wr%6Fng-password-1")):
        assert "ng-password-1" not in text


@pytest.mark.parametrize("no_proxy", ["::1/128,127.0.0.0/8", "127.0.0.1", "[::1], 127.0.0.1/32", "*"])
def test_networks_in_no_proxy_go_straight(
    emulator: Emulator, face: Face, no_proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Container runtimes put ``::1/128`` there, which is an ``InvalidURL`` to httpx."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    there = emulator.add_job("batchcom")
    vendor = vendor_of(emulator, "batchcom")
    assert face.run(vendor, lambda each: each.get_job(there.id)).id == there.id
    assert downloaded(vendor, there.id)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTP_PROXY", "http://host:port"),
        ("ALL_PROXY", "ftp://host"),
        ("https_proxy", "http://[::1"),
        ("REQUESTS_CA_BUNDLE", "/no/such.pem"),
        ("SSL_CERT_DIR", "/no/such"),
    ],
)
def test_what_is_of_no_use_shows_before_anything_is_sent(
    emulator: Emulator, face: Face, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(WorkerEnvironmentError, match=variable):
        face.submit(vendor_of(emulator, "proofy"), REQUESTS["proofy"])
    assert not emulator.requests
