"""A host in letters beyond ASCII: one name for requests, credentials and comparisons."""

from __future__ import annotations

import pytest

from airflow_provider_batchdl.vendors.base import Vendor
from airflow_provider_batchdl.vendors.connections import Fields, vendor_of
from tests.client.helpers import Face
from tests.support.raw_server import serving

CREDITS = b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"credits": 7}'


def vendor_called(host: str) -> Vendor:
    return vendor_of(Fields("mine", "proofy", host=host, password="madeup_key_00000001"))


@pytest.mark.parametrize("host", ["http://bücher.example", "http://BÜCHER.example", "http://xn--bcher-kva.example"])
def test_it_is_reached_with_the_credentials(face: Face, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    received: list[bytes] = []
    with serving(CREDITS, received=received) as url:
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("HTTP_PROXY", url)
        assert face.run(vendor_called(host), lambda vendor: vendor.get_balance()) == 7
    [head] = received
    line, *headers = head.decode().split("\r\n")
    assert line.startswith("GET http://xn--bcher-kva.example/credits?api_key=madeup_key_00000001 ")
    assert "Host: xn--bcher-kva.example" in headers
