"""Where a redirect may lead."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import urllib3

from airflow_provider_batchdl.exceptions import UnsafeRedirectError
from airflow_provider_batchdl.transfer.connection import Connections
from airflow_provider_batchdl.transfer.redirects import next_hop

HERE = "https://api.vendor.example/v1/results/1"


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("https://bucket.s3.example/key?X-Amz-Signature=1", "https://bucket.s3.example/key?X-Amz-Signature=1"),
        ("/elsewhere", "https://api.vendor.example/elsewhere"),
        ("//cdn.example/file", "https://cdn.example/file"),
        ("?page=2", "https://api.vendor.example/v1/results/1?page=2"),
    ],
)
def test_ordinary_redirects_are_resolved(location: str, url: str) -> None:
    assert next_hop(HERE, location, connection_host="api.vendor.example") == url


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
