"""Where a redirect may lead."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3

from airflow_provider_batchdl.client import BatchClient, targets
from airflow_provider_batchdl.exceptions import UnsafeRedirectError
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.transfer.source.connection import Connections
from airflow_provider_batchdl.transfer.source.range_client import RangeClient, Source
from airflow_provider_batchdl.transfer.source.redirects import next_hop
from airflow_provider_batchdl.vendors import vendor_class
from airflow_provider_batchdl.vendors.account import Account
from tests.support.running import running

HERE = "https://api.vendor.example/v1/results/1"


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("https://bucket.s3.example/key?X-Amz-Signature=1", "https://bucket.s3.example/key?X-Amz-Signature=1"),
        ("/elsewhere", "https://api.vendor.example/elsewhere"),
        ("//cdn.example/file", "https://cdn.example/file"),
        ("?page=2", "https://api.vendor.example/v1/results/1?page=2"),
        ("https://my_bucket.s3.example.:8443/key", "https://my_bucket.s3.example.:8443/key"),
        ("https://8.8.8.8/key", "https://8.8.8.8/key"),
        ("https://[2600:1f18::1]/key", "https://[2600:1f18::1]/key"),
        ("https://134744072/key", "https://134744072/key"),
        ("https://s3.10.example/key", "https://s3.10.example/key"),
        ("https://0x10.example/key", "https://0x10.example/key"),
        ("https://b\u00fccher.example/key", "https://xn--bcher-kva.example/key"),
        ("https://b\u00fccher\uff0eexample:8443/a\u00e9?b", "https://xn--bcher-kva.example:8443/a\u00e9?b"),
    ],
)
def test_ordinary_redirects_are_resolved(location: str, url: str) -> None:
    assert next_hop(HERE, location, connection_host="api.vendor.example") == url


TARGETS = ("/a/../b", "/./a", "/a//b//", "//a", "/a%2b%7E~+c", "/%C3%BC\u00fc", "/a b ", "/a%20", "/k?", "/?",
    "/k?a=/../b&c=%2B?d", "/k;v=1,2", "/a|b", "/\u00a0", "/%")  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("at", ["https://store.example", "https://Store.Example:443", "HTTPS://store.example"])
def test_a_target_is_left_as_it_is_written(at: str, target: str) -> None:
    for fragment in ("", "#", "#a?b/../c"):
        found = next_hop(HERE, at + target + fragment, connection_host="api.vendor.example")
        assert found == at + target
        assert next_hop(HERE, target + fragment, connection_host="api.vendor.example") == (
            f"https:{target}" if target.startswith("//") else f"https://api.vendor.example{target}"
        )


@pytest.mark.parametrize(
    ("current", "reference", "url"),
    [
        ("https://a.example/b//c?d", "e", "https://a.example/b//e"),
        ("https://a.example/b//c?d", "e?", "https://a.example/b//e?"),
        ("https://a.example/b/../c", "d%2f?e", "https://a.example/b/../d%2f?e"),
        ("https://a.example/b", "c/d", "https://a.example/c/d"),
        ("https://a.example", "c", "https://a.example/c"),
        ("https://a.example", "?c", "https://a.example/?c"),
        ("https://a.example/b?c#d", "?e", "https://a.example/b?e"),
        ("https://a.example/b?c#d", "", "https://a.example/b?c"),
        ("https://a.example/b?c", "#d", "https://a.example/b?c"),
        ("https://a.example/b/../c?", "#", "https://a.example/b/../c?"),
        ("https://a.example", "#d", "https://a.example"),
        ("https://a.example/b/c/d", "../e?f=/../g", "https://a.example/b/e?f=/../g"),
        ("https://a.example/b/c/d", "./e", "https://a.example/b/c/e"),
        ("https://a.example/b", "a.b..c/..d", "https://a.example/a.b..c/..d"),
    ],
)
def test_a_relative_reference_is_resolved_and_no_more(current: str, reference: str, url: str) -> None:
    assert next_hop(current, reference, connection_host="a.example") == url


@pytest.mark.parametrize(
    "location",
    [
        "http://bucket.s3.example/key",
        "ftp://bucket.example/key",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://user:password@bucket.example/key",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/",
        "https://[fd00:ec2::254]/latest",
        "https://[::ffff:169.254.169.254]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[2002:a9fe:a9fe::]/",
        "https://metadata.google.internal/computeMetadata",
        "https://metadata.google.internal./computeMetadata",
        "https://100.100.100.200/",
        "https://168.63.129.16/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://0.0.0.0/",
        "https://10.0.0.7/",
        "https://192.168.1.1/",
        "https://224.0.0.1/",
        # As resolvers read them: decimal, octal, hex, short.
        "https://2130706433/",
        "https://2852039166/latest",
        "https://0177.0.0.1/",
        "https://0x7f000001/",
        "https://0X7F.1/",
        "https://0xa9fea9fe/",
        "https://0251.0376.0251.0376/",
        "https://127.1/",
        "https://127.0.1/",
        "https://10.1/",
        "https://0/",
        "https://012.0.0.1/",
        "https://010.0.0.1/",  # 8.0.0.1 to the resolver, 10.0.0.1 to others
        # What is a number and no address.
        "https://256.256.256.256/",
        "https://1.2.3.4.5/",
        "https://4294967296/",
        "https://0x/",
        "https://1.2.3.08/",
        "https://example.1/",
        # IPv4 in IPv6.
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::ffff:a00:1]/",
        "https://[::127.0.0.1]/",
        "https://[::ffff:0:127.0.0.1]/",
        "https://[64:ff9b::10.0.0.1]/",
        "https://[64:ff9b:1::1]/",
        "https://[2002:7f00:1::]/",
        "https://[2001:0:4136:e378:8000:63bf:8000:fffe]/",  # Teredo, of 127.255.0.1
        "https://[2001:470:1f0b::5efe:169.254.169.254]/",
        "https://[::]/",
        "https://[fc00::1]/",
        "https://[fe80::1%25eth0]/",
        "https://[::1%25lo]/",
        "https://[2600::1%eth0]/",
        "https://[::ffff:169.254.169.254%25eth0]/",
        "https://[::1/",
        "https://[v1.x]/",
        # Spellings of names and dots.
        "https://127.0.0.1./",
        "https://169.254.169.254../",
        "https://%31%32%37.0.0.1/",
        "https://127%2e0%2e0%2e1/",
        "https://127\u30020\u30020\u30021/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://\u2460\u2461\u2466.0.0.1/",
        "https://169\uff0e254\uff0e169\uff0e254/",
        "https://\uff4c\uff4f\uff43\uff41\uff4chost/",
        "https://LOCALHOST./",
        "https://localhost.localdomain/",
        "https://api.localhost/",
        "https://ip6-localhost/",
        "https://metadata.goog/",
        "https://METADATA.google.internal/",
        "https://instance-data/",
        "https://kubernetes.default.svc/",
        "https://kubernetes.default.svc.cluster.local./",
        # Tricks with user info and what is not read alike.
        "https://bucket.example@127.0.0.1/",
        "https://bucket.example%40127.0.0.1/",
        "https://127.0.0.1\\@bucket.example/",
        "https://127.0.0.1\\.bucket.example/",
        "https://bucket.example\\.127.0.0.1/",
        "https://bucket.exa\tmple/",
        "https://bucket.example:port/",
        "https://bucket.example:99999/",
        "https://bucket.example:0/",
        "https://bucket .example/",
        "https://100.64.0.1/",
        "https://198.18.0.1/",
        "https://240.0.0.1/",
        "https://255.255.255.255/",
        "https://192.0.0.192/",
    ],
)
def test_unsafe_redirects_are_refused(location: str) -> None:
    with pytest.raises(UnsafeRedirectError) as caught:
        next_hop(HERE, location, connection_host="api.vendor.example")
    assert "password" not in str(caught.value)


def test_a_connection_on_loopback_may_link_to_loopback_but_not_to_metadata() -> None:
    here = "http://127.0.0.1:8000/results"
    assert next_hop(here, "http://127.0.0.1:9000/key", connection_host="127.0.0.1") == "http://127.0.0.1:9000/key"
    with pytest.raises(UnsafeRedirectError):
        next_hop(here, "http://169.254.169.254/", connection_host="127.0.0.1")


def test_a_connection_at_a_private_address_may_link_to_one() -> None:
    assert next_hop("http://10.1.2.3/a", "http://10.9.9.9/b", connection_host="10.1.2.3") == "http://10.9.9.9/b"


@pytest.fixture
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A loopback server that notes what it is sent."""
    received: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(5)

    def serve() -> None:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(5)
            received.append(connection.recv(4096))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1], received
    server.close()
    thread.join(6)


def test_a_name_that_resolves_to_this_machine_is_sent_nothing(listener: tuple[int, list[bytes]]) -> None:
    """DNS may point any name anywhere, so the address really reached decides."""
    port, received = listener
    connections = Connections(allow_loopback=False)
    try:
        with pytest.raises(UnsafeRedirectError):
            connections.for_url(f"http://localhost:{port}/").urlopen(
                "GET", f"http://localhost:{port}/", headers={"x-key": "k"}, retries=False
            )
    finally:
        connections.close()
    assert received in ([], [b""])


@pytest.mark.parametrize(
    ("environment", "url", "proxied"),
    [
        ({"https_proxy": "http://proxy.example:3128"}, "https://bucket.example/key", True),
        (
            {"https_proxy": "http://proxy.example:3128", "no_proxy": "bucket.example"},
            "https://bucket.example/key",
            False,
        ),
        ({"http_proxy": "http://proxy.example:3128"}, "https://bucket.example/key", False),
        ({"all_proxy": "proxy.example:3128"}, "https://bucket.example/key", True),
        ({}, "https://bucket.example/key", False),
    ],
)
def test_the_environments_proxy_is_used(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, proxied: bool
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    connections = Connections(allow_loopback=False)
    try:
        assert isinstance(connections.for_url(url), urllib3.ProxyManager) is proxied
    finally:
        connections.close()


class _Proxy(BaseHTTPRequestHandler):
    """Redirects what is asked of the vendor, and answers for any other host as if it had been there."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append(self.path)
        away = urlsplit(self.path).hostname == "api.vendor.example"
        self.send_response(302 if away else 200)
        if away:
            self.send_header("Location", server.location)
        self.send_header("Content-Length", "0" if away else "6")
        self.end_headers()
        if not away:
            self.wfile.write(b"secret")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Proxy)
    server.asked = []
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with running(server):
        yield server


def _download() -> bytes:
    vendor = vendor_class("revenuebase")(Account("http://api.vendor.example", "a-key-of-no-use"))
    with BatchClient(vendor) as client:
        job = Job("41001", JobState.SUCCEEDED, "COMPLETED")
        stream = RangeClient(Source(client, job, ResultFile("41001"))).open()
        assert stream is not None
        with contextlib.closing(stream):
            return b"".join(bytes(chunk) for chunk in stream)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0177.0.0.1", "0x7f000001", "0x7f.1", "127.1", "[::1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "localhost", "localhost.localdomain", "169.254.169.254", "2852039166",
    "0251.0376.0251.0376", "0xa9fea9fe", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "metadata.google.internal",
    "metadata.google.internal.", "10.0.0.1", "167772161", "012.0.0.1", "0xa000001", "192.168.1.1", "[::ffff:10.0.0.1]",
    "100.64.0.1", "0.0.0.0", "0", "[::]", "127%2e0.0.1", "kubernetes.default.svc"])  # fmt: skip # noqa: S104
def test_a_proxy_is_led_nowhere_that_could_not_be_checked(proxy: Any, host: str) -> None:
    proxy.location = f"http://{host}/latest/meta-data"
    with pytest.raises(UnsafeRedirectError):
        _download()
    assert {urlsplit(url).hostname for url in proxy.asked} == {"api.vendor.example"}


def test_nor_to_a_name_that_this_machine_knows_as_its_own(proxy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is anybody's, what it resolves to is in the hosts file."""
    monkeypatch.setattr(targets, "_LOOPBACK_HOSTS", frozenset())
    targets.is_loopback_host.cache_clear()
    proxy.location = "http://localhost/x"
    with pytest.raises(UnsafeRedirectError, match="resolves to"):
        _download()
    targets.is_loopback_host.cache_clear()


def test_through_a_proxy_an_ordinary_link_is_followed(proxy: Any) -> None:
    proxy.location = "http://8.8.8.8/bucket/key"
    assert _download() == b"secret"
    assert proxy.asked[-1] == "http://8.8.8.8/bucket/key"
