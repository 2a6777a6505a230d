"""A vendor's requests go to the connection's origin only, whatever path a vendor class makes."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.vendors.requests import ApiRequest, Upload
from tests.client.helpers import VENDORS, Face, vendor_of


@pytest.fixture
def elsewhere() -> Iterator[tuple[int, list[bytes]]]:
    """Another server on this machine: its port, and what reached it."""
    received: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            received.append(self.rfile.readline())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1], received
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("path", ["@127.0.0.1:{port}/x", ":x@127.0.0.1:{port}/x", "x", "", "?x", "#x", ".example/x"])
def test_a_path_that_would_change_the_host_is_refused(
    emulator: Emulator, face: Face, elsewhere: tuple[int, list[bytes]], name: str, path: str
) -> None:
    port, received = elsewhere
    with pytest.raises(InvalidRequestError, match="must begin with '/'"):
        face.send(vendor_of(emulator, name), ApiRequest("status", "GET", path.format(port=port)))
    assert not received


@pytest.mark.parametrize("name", VENDORS)
def test_a_body_that_would_be_dropped_is_refused(emulator: Emulator, face: Face, contacts: Path, name: str) -> None:
    upload = Upload("file", str(contacts), "x.csv", "text/csv")
    request = ApiRequest("submit", "POST", "/x", json={"a": 1}, upload=upload)
    with pytest.raises(InvalidRequestError, match="has both JSON and a file"):
        face.send(vendor_of(emulator, name), request)
