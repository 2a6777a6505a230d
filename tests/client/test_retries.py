"""What is tried again, how often, after which wait; and what is not."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.client import policy
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidConnectionError,
    InvalidRequestError,
    RateLimitedError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.vendors.base import ApiRequest
from tests.client.helpers import BOTH_FACES, VENDORS, Face, Waits, operations, vendor_at, vendor_of

POLL = ApiRequest("status", "GET", "/jobs/1", job_id="1")


# Of when the tests are collected, which may be hours before one of them runs.
TOMORROW = datetime.now(UTC) + timedelta(days=1)


def balance(emulator: Emulator, face: Face, name: str = "revenuebase") -> int | None:
    left: int | None = face.run(vendor_of(emulator, name), lambda each: each.get_balance())
    return left


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408, 425])
def test_what_passes_is_tried_again(emulator: Emulator, face: Face, waits: Waits, status: int) -> None:
    emulator.add_fault(Fault("status", status=status, times=2))
    assert balance(emulator, face) == 1_000_000
    assert operations(emulator) == ["balance"] * 3
    assert [attempt for attempt, _ in waits.backoffs] == [1, 2]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 410, 413, 415, 418, 422])
def test_what_does_not_pass_is_not(emulator: Emulator, face: Face, waits: Waits, status: int) -> None:
    emulator.add_fault(Fault("status", status=status))
    with pytest.raises(BatchDlError):
        balance(emulator, face)
    assert operations(emulator) == ["balance"]
    assert waits.backoffs == []


def test_attempts_are_bounded(emulator: Emulator, face: Face, waits: Waits) -> None:
    emulator.add_fault(Fault("status", status=503, times=99))
    with pytest.raises(VendorUnavailableError):
        balance(emulator, face)
    assert operations(emulator) == ["balance"] * policy.ATTEMPTS
    assert policy.ATTEMPTS - 1 <= len(waits.backoffs) <= policy.ATTEMPTS


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds(emulator: Emulator, face: Face, waits: Waits, status: int) -> None:
    emulator.add_fault(Fault("status", status=status, retry_after=2))
    face.run(vendor_of(emulator, "proofy"), lambda each: each.get_balance())
    assert waits.asked == [2.0]
    # One who is turned away tells the others of the account.
    assert waits.holds == ([2.0] if status == 429 else [])


def test_retry_after_as_a_date(emulator: Emulator, face: Face, waits: Waits) -> None:
    when = datetime.now(UTC) + timedelta(seconds=60)
    emulator.add_fault(Fault("status", status=503, retry_after=format_datetime(when, usegmt=True)))
    balance(emulator, face)
    (asked,) = waits.asked
    assert asked is not None
    assert 30 < asked <= 60


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"X-RateLimit-Reset-After": "1.5"}, 1.5, 1.5),
        ({"X-RateLimit-Reset": str(int(time.time()) + 2)}, 0, 2),
        ({"Retry-After": "1", "X-RateLimit-Reset-After": "2"}, 1, 1),
        ({"Retry-After": "soon", "X-RateLimit-Reset-After": "2"}, 2, 2),
    ],
)
def test_reset_headers_of_a_429(
    emulator: Emulator, face: Face, waits: Waits, headers: dict[str, str], low: float, high: float
) -> None:
    emulator.add_fault(Fault("status", vendor="apartmentiq", operation="check", status=429, headers=headers))
    face.run(vendor_of(emulator, "apartmentiq"), lambda each: each.check())
    (asked,) = waits.asked
    assert asked is not None
    assert low <= asked <= high


def test_a_reset_header_does_not_delay_the_retry_of_a_5xx(emulator: Emulator, face: Face, waits: Waits) -> None:
    """Revenuebase sends X-RateLimit-Reset with every answer: it is about the limit, not about the failure."""
    emulator.add_fault(Fault("status", vendor="revenuebase", status=500))
    balance(emulator, face)
    assert waits.asked == [None]


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (429, {"Retry-After": "121"}, RateLimitedError),
        (429, {"X-RateLimit-Reset-After": "3600"}, RateLimitedError),
        (429, {"X-RateLimit-Reset": str(int(TOMORROW.timestamp()))}, RateLimitedError),
        (503, {"Retry-After": "86400"}, VendorUnavailableError),
        (503, {"Retry-After": format_datetime(TOMORROW, usegmt=True)}, VendorUnavailableError),
    ],
)  # fmt: skip
def test_a_long_wait_is_handed_back(
    emulator: Emulator, face: Face, waits: Waits, status: int, headers: dict[str, str], kind: type[BatchDlError]
) -> None:
    emulator.add_fault(Fault("status", vendor="proofy", status=status, headers=headers, times=9))
    with pytest.raises(kind) as caught:
        balance(emulator, face, "proofy")
    assert (caught.value.retry_after or 0) > 120
    assert caught.value.retryable
    assert operations(emulator) == ["balance"]
    assert waits.backoffs == []


@pytest.mark.parametrize("processed", [False, True])
@BOTH_FACES
def test_a_poll_whose_connection_breaks_is_repeated(emulator: Emulator, face: Face, processed: bool) -> None:
    emulator.add_fault(Fault("reset", processed=processed, times=2))
    assert balance(emulator, face) == 1_000_000
    assert operations(emulator) == ["balance"] * 3


@pytest.mark.parametrize(
    "fault",
    [
        Fault("cut", operation="balance", after_bytes=3, abort=True),
        Fault("cut", operation="balance", after_bytes=3),
        Fault("chunked_eof", operation="balance", after_bytes=3),
    ],
    ids=lambda fault: fault.kind,
)
@BOTH_FACES
def test_an_answer_that_breaks_off_is_asked_for_again(emulator: Emulator, face: Face, fault: Fault) -> None:
    emulator.add_fault(fault)
    assert balance(emulator, face) == 1_000_000
    assert operations(emulator) == ["balance"] * 2


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and nobody else takes meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.mark.parametrize("name", VENDORS)
@BOTH_FACES
def test_connection_refused(closed_port: int, face: Face, waits: Waits, name: str) -> None:
    vendor = vendor_at(f"http://127.0.0.1:{closed_port}", name, login="me")
    with pytest.raises(VendorUnavailableError, match=f"127.0.0.1:{closed_port} can be reached") as caught:
        face.run(vendor, lambda each: each.check())
    assert caught.value.maybe_processed is False
    assert caught.value.retryable
    assert policy.ATTEMPTS - 1 <= len(waits.backoffs) <= policy.ATTEMPTS


# --- answers that only a raw server gives


class RawServer:
    """Answers each connection with the same bytes, then closes it."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.connections += 1
                try:
                    connection.recv(1 << 16)
                    connection.sendall(self._answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1 << 16):
                        pass
                except OSError:
                    continue

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture
def raw(request: pytest.FixtureRequest) -> Iterator[RawServer]:
    server = RawServer(request.param)
    yield server
    server.close()


@pytest.mark.parametrize(
    "raw", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 999\r\n\r\n"[:9], b"\x16\x03\x01\x02"], indirect=True, ids=repr
)
@BOTH_FACES
def test_what_is_no_http_is_unavailable(raw: RawServer, face: Face) -> None:
    with pytest.raises(VendorUnavailableError, match="No answer from Proofy"):
        face.send(vendor_at(raw.url, "proofy"), POLL)
    assert raw.connections == policy.ATTEMPTS


BROKEN_GZIP = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08x"


@pytest.mark.parametrize("raw", [BROKEN_GZIP], indirect=True, ids=["gzip"])
@BOTH_FACES
def test_an_encoding_that_lies_is_unavailable(raw: RawServer, face: Face) -> None:
    with pytest.raises(VendorUnavailableError):
        face.send(vendor_at(raw.url, "proofy"), POLL)


ENDLESS = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 300_000


@pytest.mark.parametrize("raw", [ENDLESS], indirect=True, ids=["big"])
@BOTH_FACES
def test_an_answer_that_is_too_large_is_not_read_to_its_end(
    raw: RawServer, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "LARGEST_ANSWER", 100_000)
    with pytest.raises(UnexpectedResponseError, match="larger than 100,000 bytes"):
        face.send(vendor_at(raw.url, "proofy"), POLL)
    assert raw.connections == 1


GZIPPED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
    + httpx.Response(200).content
    + __import__("gzip").compress(b'{"credits": 5}')
)


@pytest.mark.parametrize("raw", [GZIPPED], indirect=True, ids=["gzip"])
@BOTH_FACES
def test_a_compressed_answer_is_read(raw: RawServer, face: Face) -> None:
    assert face.run(vendor_at(raw.url, "proofy"), lambda each: each.get_balance()) == 5


# --- requests that cannot be made


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"x", "\ud800"])
def test_a_request_that_is_no_json_is_refused(emulator: Emulator, face: Face, value: object) -> None:
    with pytest.raises(InvalidRequestError, match="plain JSON"):
        face.submit(vendor_of(emulator, "batchcom"), {"export_type": "ATTRIBUTES", "attributes": ["$id"], "a": value})
    assert emulator.requests == []


@pytest.mark.parametrize("secret", ["line\nbreak_key_0001", "carriage\rreturn_key_0001", "nul\0key_0001_key"])
@pytest.mark.parametrize("name", ["revenuebase", "batchcom", "apartmentiq"])
def test_a_key_that_no_header_can_hold(emulator: Emulator, face: Face, waits: Waits, name: str, secret: str) -> None:
    """The HTTP library's own error would show it."""
    with pytest.raises(InvalidRequestError, match="line breaks") as caught:
        face.run(vendor_of(emulator, name, secret=secret, login=None), lambda each: each.check())
    assert "0001" not in str(caught.value)
    assert emulator.requests == []
    assert waits.backoffs == []


# --- the numbers


def test_backoff_is_full_jitter_and_never_less_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real one
    for attempt in (1, 2, 5, 50, 5000):
        ceiling = min(policy.BACKOFF_CAP, 2.0 ** min(attempt, 10))
        drawn = [policy.backoff(attempt) for _ in range(200)]
        assert all(0 <= each <= ceiling for each in drawn)
        assert max(drawn) > ceiling / 2 > min(drawn)
        assert policy.backoff(attempt, 100.0) == 100.0
    assert random.random() < 1


@given(st.floats(0, 1e9), st.booleans(), st.booleans())
def test_what_may_be_repeated(wait: float, repeatable: bool, processed: bool) -> None:
    request = ApiRequest("submit", "POST", "/", repeatable=repeatable)
    limited = RateLimitedError("x", retry_after=wait)
    lost = VendorUnavailableError("x", retry_after=wait, maybe_processed=processed)
    assert policy.may_repeat(request, limited) is (wait <= 120)
    assert policy.may_repeat(request, lost) is (wait <= 120 and (repeatable or not processed))
    assert not policy.may_repeat(request, InvalidRequestError("x"))
    assert not policy.may_repeat(request, UnexpectedResponseError("x"))
    assert not policy.may_repeat(request, ValueError("x"))


def test_https_to_what_speaks_only_http_is_not_tried_again(emulator: Emulator, face: Face, waits: Waits) -> None:
    """A host without a scheme means https; five tries of that took 24 seconds, and said "wrong version number"."""
    vendor = vendor_of(emulator, "proofy", base_url=emulator.urls["proofy"].replace("http://", "https://"))
    with pytest.raises(InvalidConnectionError, match="something answers that speaks no https") as caught:
        face.run(vendor, lambda each: each.get_balance())
    assert waits.backoffs == []
    assert caught.value.message.startswith("The host of the connection leads to https://127.0.0.1:")
    assert "http://" in (caught.value.remedy or "")
    assert not caught.value.retryable
