"""What a person is told of the way to a URL."""

from __future__ import annotations

import certifi
import pytest

from airflow_provider_batchdl.client.environment import Route, route_to
from airflow_provider_batchdl.exceptions import WorkerEnvironmentError

API = "https://api.vendor.example/v1"


def test_straight_with_certifi() -> None:
    assert route_to(API) == Route(ca_bundle=certifi.where())
    assert route_to("http://127.0.0.1:8080") == Route()


def test_a_proxy_with_its_credentials_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://me:password-1@proxy.example:3128")
    monkeypatch.setenv("CURL_CA_BUNDLE", certifi.where())
    found = route_to(API)
    assert found == Route(
        proxy="http://***@proxy.example:3128",
        proxy_variable="https_proxy",
        ca_bundle=certifi.where(),
        ca_variable="CURL_CA_BUNDLE",
    )
    assert "password-1" not in repr(found)


def test_the_exception_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,10.0.0.0/8")
    assert route_to("http://10.1.2.3/") == Route(no_proxy="10.0.0.0/8")


def test_a_proxy_spoken_to_by_tls_needs_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "https://proxy.example")
    assert route_to("http://api.vendor.example").ca_bundle == certifi.where()


def test_what_is_of_no_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/gone.pem")
    with pytest.raises(WorkerEnvironmentError, match="SSL_CERT_FILE"):
        route_to(API)
