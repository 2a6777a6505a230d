"""Connections for bulk bytes: reads gather what comes, a drip is seen to drip, and one client's files share them."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.transfer.source import framing as framing_module
from airflow_provider_batchdl.transfer.source import stream
from airflow_provider_batchdl.transfer.source.connection import Connections, connections_of
from airflow_provider_batchdl.transfer.source.framing import BODY_READ, GatheredBytes
from airflow_provider_batchdl.transfer.source.head import read_head
from airflow_provider_batchdl.transfer.source.stream import InterruptedTransferError, ResultStream
from airflow_provider_batchdl.vendors import vendor_class
from airflow_provider_batchdl.vendors.account import Account
from tests.support.running import running

Pair = tuple[socket.socket, GatheredBytes]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.settimeout(30)
    with theirs, ours, GatheredBytes(ours) as gathering:
        yield theirs, gathering


class TestGathering:
    def test_one_read_takes_many_small_arrivals(self, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(framing_module, "GATHER_SECONDS", 30.0)
        theirs, gathering = pair

        def send() -> None:
            for _ in range(8):
                theirs.sendall(b"x" * 16_384)

        sender = threading.Thread(target=send)
        sender.start()
        assert gathering.readinto(bytearray(8 * 16_384)) == 8 * 16_384
        sender.join()

    def test_a_small_read_never_waits_for_more_than_there_is(self, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(framing_module, "GATHER_SECONDS", 30.0)
        theirs, gathering = pair
        theirs.sendall(b"HTTP/1.1 200 OK\r\n")
        began = time.monotonic()
        assert gathering.readinto(bytearray(8192)) == 17
        assert time.monotonic() - began < 15

    def test_a_read_ends_with_the_stream(self, pair: Pair) -> None:
        theirs, gathering = pair
        theirs.sendall(b"last")
        theirs.shutdown(socket.SHUT_WR)
        assert gathering.readinto(bytearray(BODY_READ)) == 4
        assert gathering.readinto(bytearray(BODY_READ)) == 0

    def test_a_read_ends_in_time_however_slowly_it_drips(self, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(framing_module, "GATHER_SECONDS", 0.05)
        theirs, gathering = pair
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.01):
                theirs.sendall(b"x")

        sender = threading.Thread(target=drip)
        sender.start()
        try:
            assert 0 < gathering.readinto(bytearray(BODY_READ)) < 1000
        finally:
            stop.set()
            sender.join()

    def test_nothing_is_kept_back_where_no_more_comes(self, pair: Pair) -> None:
        """A worker that is killed while the server stands still has put down all that came."""
        theirs, gathering = pair
        gathering._sock.settimeout(600)  # the test would end by its own time-out
        theirs.sendall(bytes(BODY_READ))
        assert gathering.readinto(bytearray(2 * BODY_READ)) == BODY_READ
        assert gathering._sock.gettimeout() == 600

    def test_what_came_before_an_error_is_not_lost(self, pair: Pair) -> None:
        theirs, gathering = pair
        gathering._sock.sendall(b"never read, so that closing is a reset")
        theirs.sendall(b"kept")
        theirs.close()
        buffer = bytearray(BODY_READ)
        assert gathering.readinto(buffer) == 4
        assert buffer[:4] == b"kept"
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                gathering.readinto(buffer)


class Dripping(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, CountingServer)
        self.server.paths.append(self.requestline.split()[1])
        if self.path != "/drip":
            self._begin(3)
            self.wfile.write(b"abc")
            return
        self._begin(1 << 20)
        try:
            while True:
                self.wfile.write(b"x")
                time.sleep(0.02)
        except OSError:
            return

    def _begin(self, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class CountingServer(ThreadingHTTPServer):
    daemon_threads = True
    accepted = 0

    def __init__(self, *args: Any) -> None:
        self.paths: list[str] = []
        super().__init__(*args)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        self.accepted += 1
        request: tuple[socket.socket, tuple[str, int]] = super().get_request()
        return request


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with running(CountingServer(("127.0.0.1", 0), Dripping)) as server:
        yield server


def opened(connections: Connections, server: CountingServer, path: str) -> ResultStream:
    url = f"http://127.0.0.1:{server.server_port}{path}"
    response = connections.for_url(url).urlopen("GET", url, preload_content=False, retries=False)
    return ResultStream(response, url, read_head(response))


def test_a_drip_below_the_minimum_rate_is_given_up(server: CountingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing_module, "GATHER_SECONDS", 0.05)
    monkeypatch.setattr(stream, "RATE_WINDOW", 0.2)
    connections = Connections(allow_loopback=True)
    drip = opened(connections, server, "/drip")
    try:
        with pytest.raises(InterruptedTransferError, match="Only"):
            list(drip)
    finally:
        drip.close()
        connections.close()


def test_one_connection_serves_file_after_file(server: CountingServer) -> None:
    connections = Connections(allow_loopback=True)
    for _ in range(5):
        whole = opened(connections, server, "/whole")
        assert b"".join(whole) == b"abc"
        whole.close()
    connections.close()
    assert server.accepted == 1


def paths_sent(connections: Connections, server: CountingServer, *paths: str) -> list[str]:
    server.paths.clear()
    for path in paths:
        response = connections.send("GET", f"http://127.0.0.1:{server.server_port}{path}", {})
        assert response.read() == b"abc"
    return server.paths


def test_a_known_host_is_sent_to_by_the_connection_it_has(server: CountingServer) -> None:
    connections = Connections(allow_loopback=True)
    assert paths_sent(connections, server, "/a", "/b?c=/d", "/e%20f") == ["/a", "/b?c=/d", "/e%20f"]
    assert server.accepted == 1
    connections.close()
    assert paths_sent(connections, server, "/a") == ["/a"]
    assert server.accepted == 2
    connections.close()


def test_a_target_is_sent_as_it_is_written(server: CountingServer) -> None:
    """A signature covers what was written; urllib3 would write dot segments and escapes in another way."""
    connections = Connections(allow_loopback=True)
    odd = [
        "/a/../b",
        "/./c",
        "/a%2fb%7Ec",
        "/a~b?c=%2b&d=%2B",
        "/a|b\\c",
        "//d",
        "/a//b",
        "/a?",
        "/a?b=?&c=/../d",
        "/[x]",
    ]
    assert paths_sent(connections, server, "/first", *odd)[1:] == odd
    connections.close()


def test_what_is_beyond_ascii_is_sent_in_its_own_bytes(server: CountingServer) -> None:
    connections = Connections(allow_loopback=True)
    sent = paths_sent(connections, server, "/\u00fc\u20ac", "/\udcff")
    assert [target.encode("latin-1") for target in sent] == ["/\u00fc\u20ac".encode(), b"/\xff"]
    connections.close()


def test_only_what_would_end_the_target_is_escaped_or_left_out(server: CountingServer) -> None:
    connections = Connections(allow_loopback=True)
    odd = ["/a b ", "/a#fragment", "", "?q", "#x"]
    assert paths_sent(connections, server, *odd) == ["/a%20b%20", "/a", "/", "/?q", "/"]
    for control in "\r\n", "\t", "\0", "\x7f":
        with pytest.raises(ValueError, match="not an http or https URL"):
            connections.send("GET", f"http://127.0.0.1:{server.server_port}/a{control}b", {})
    connections.close()


def test_two_hosts_in_turn_each_keep_their_connection(server: CountingServer) -> None:
    connections = Connections(allow_loopback=True)
    for host in ("127.0.0.1", "localhost", "127.0.0.1", "localhost"):
        url = f"http://{host}:{server.server_port}/whole"
        response = connections.send("GET", url, {"x-host": host})
        assert response.read() == b"abc"
    assert server.accepted == 2
    connections.close()


def test_a_client_keeps_its_connections_to_itself_and_closes_them(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Connections] = []

    def close(self: Connections) -> None:
        closed.append(self)

    monkeypatch.setattr(Connections, "close", close)

    def client() -> BatchClient:
        made = emulator.credentials["proofy"]
        return BatchClient(vendor_class("proofy")(Account(emulator.urls["proofy"], made.password)))

    with client() as one, client() as other:
        first = connections_of(one, allow_loopback=True)
        assert connections_of(one, allow_loopback=True) is first
        second = connections_of(other, allow_loopback=True)
        assert second is not first
        assert closed == []
    assert closed == [second, first]
    left = client()
    unclosed = connections_of(left, allow_loopback=True)
    del left
    gc.collect()
    assert closed == [second, first, unclosed]
