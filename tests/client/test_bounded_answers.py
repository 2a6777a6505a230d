"""No answer takes more than its time, its bytes or its pages, whatever it does."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import socket
import time
import tracemalloc
import uuid
import zlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl.client import AsyncBatchClient, BatchClient, limits, policy
from airflow_provider_batchdl.emulator import Fault
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    SubmitUncertainError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.vendors import flows
from airflow_provider_batchdl.vendors.base import Flow, Vendor
from airflow_provider_batchdl.vendors.listing import MOST_PAGES
from tests.client.helpers import REQUESTS, Face, both_faces, submission, vendor_at, vendor_of  # noqa: F401 the fixture
from tests.support.raw_server import serving

SECONDS = 0.4
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Clock:
    """Time that passes only where somebody says so."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


def drip(head: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """Send ``head``, then ``piece`` twenty times a second for as long as somebody listens."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(400):
            connection.sendall(piece)
            time.sleep(0.05)

    return answer


DRIPS = {
    "body": drip(HEAD + b"Content-Length: 1000\r\n\r\n", b" "),
    "chunks": drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "chunk size": drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
    "trailers": drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n5\r\n0\r\n", b"a: b\r\n"),
    "status line": drip(b"HTTP/1.1 200 ", b"O"),
    "header": drip(HEAD + b"X-Slow: ", b"x"),
    "headers": drip(HEAD, b"X: y\r\n"),
    "continue": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "early hints": drip(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
}


def run(
    face: Face,
    vendor: Vendor,
    flow: Callable[[Vendor], Flow[Any]],
    seconds: float = SECONDS,
    single_try: float | None = None,
) -> Any:
    """Run a flow with so many seconds for each answer."""

    async def arun() -> Any:
        async with AsyncBatchClient(vendor, answer_seconds=seconds, single_try=single_try) as client:
            return await client.run(flow(vendor))

    if face.kind == "async":
        return asyncio.run(arun())
    with BatchClient(vendor, answer_seconds=seconds, single_try=single_try) as client:
        return client.run(flow(vendor))


@pytest.mark.parametrize("kind", DRIPS)
def test_an_answer_that_drips_is_given_up(face: Face, kind: str) -> None:
    began = time.monotonic()
    with serving(DRIPS[kind]) as url, pytest.raises(UnexpectedResponseError, match=r"did not end within 0\.4 s"):
        run(face, vendor_at(url.rstrip("/"), "proofy"), lambda each: each.get_job("7"))
    assert time.monotonic() - began < SECONDS + 15


@pytest.mark.parametrize("kind", ["body", "header", "continue"])
def test_a_tokens_answer_that_drips_is_given_up_and_nothing_was_submitted(face: Face, kind: str) -> None:
    what = submission(REQUESTS["apartmentiq"])
    received: list[bytes] = []
    with serving(DRIPS[kind], received=received) as url:
        vendor = vendor_at(url.rstrip("/"), "apartmentiq", login="client")
        with pytest.raises(VendorUnavailableError, match="not sent") as caught:
            run(face, vendor, lambda each: each.submit_once(what))
    assert caught.value.maybe_processed is False
    assert len(received) == 1  # what took so long is not asked for again at once


def test_a_submit_whose_answer_drips_is_uncertain(face: Face) -> None:
    what = submission(REQUESTS["proofy"])
    with serving(DRIPS["header"]) as url:
        vendor = vendor_at(url.rstrip("/"), "proofy")
        with pytest.raises(SubmitUncertainError, match="may or may not"):
            run(face, vendor, lambda each: each.submit_once(what))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """The time that answers take, by which nothing is late because the machine is busy."""
    clock = Clock()
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock  # type: ignore[return-value]


def test_each_answer_on_a_connection_has_its_own_time(face: Face, clock: Clock) -> None:
    """And an upload is not counted, however long it takes."""

    def answer(connection: socket.socket) -> None:
        for _ in range(3):
            clock.now += 40
            connection.sendall(HEAD + b'Content-Length: 13\r\n\r\n{"credits":5}')
            connection.recv(65536)

    def balances(vendor: Vendor) -> Flow[list[int | None]]:
        one = yield from vendor.get_balance()
        two = yield from vendor.get_balance()
        return [one, two, (yield from vendor.get_balance())]

    with serving(answer) as url:
        assert run(face, vendor_at(url.rstrip("/"), "proofy"), balances, 60) == [5, 5, 5]


def test_a_slow_upload_is_not_limited(face: Face, clock: Clock, tmp_path: Any) -> None:
    path = tmp_path / "large.csv"
    path.write_bytes(b"a@b.example\n" * 2_000_000)

    def answer(connection: socket.socket) -> None:
        received, count = b"", 0
        while not received.endswith(b"--\r\n"):
            piece = connection.recv(1 << 16)
            received, count = received[-4:] + piece, count + len(piece)
            if count < 4 << 20:  # there is more than the sockets hold: the client writes still
                clock.now += 1
        body = b'{"process_id": 9, "status": "QUEUED"}'
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    what = submission(file=path)
    with serving(answer) as url:
        job = run(face, vendor_at(url.rstrip("/"), "revenuebase"), lambda each: each.submit(what), 60)
    assert job.id == "9"
    assert clock.now > Clock.now + 60


def test_a_single_try_is_as_short_as_it_says(face: Face) -> None:
    began = time.monotonic()
    with serving(DRIPS["continue"]) as url, pytest.raises(BatchDlError):
        run(face, vendor_at(url.rstrip("/"), "proofy"), lambda each: each.get_job("7"), 60.0, single_try=SECONDS)
    assert time.monotonic() - began < SECONDS + 15


def test_interim_answers_at_full_speed_end_by_their_bytes(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_BYTES", 300_000)

    def flood(connection: socket.socket) -> None:
        for _ in range(10_000):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    with serving(flood) as url, pytest.raises(UnexpectedResponseError, match="300,000 bytes on the wire"):
        run(face, vendor_at(url.rstrip("/"), "proofy"), lambda each: each.get_job("7"), 60)


# --- compressed answers


def coded(body: bytes, coding: bytes) -> bytes:
    return HEAD + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (coding, len(body), body)


ONCE = gzip.compress(bytes(100 * 2**20), 1)
BOMBS = {
    "once": (ONCE, b"gzip"),
    "twice": (gzip.compress(ONCE), b"gzip, gzip"),
    "twice by two lines": (gzip.compress(ONCE), b"gzip\r\nContent-Encoding: x-gzip"),
    "many members": (gzip.compress(bytes(2**20)) * 100, b"GZIP"),
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("operation", ["status", "list", "token", "error"])
def test_a_bomb_is_not_unpacked(face: Face, bomb: str, operation: str) -> None:
    answer = coded(*BOMBS[bomb])
    if operation == "error":
        answer = answer.replace(b"200 OK", b"404 Not Found")
    login = "client" if operation == "token" else None
    with serving(answer) as url:
        vendor = vendor_at(url.rstrip("/"), "apartmentiq", login=login)
        tracemalloc.start()
        try:
            with pytest.raises(BatchDlError, match=r"larger than|more than once") as caught:
                run(face, vendor, lambda each: each.list_page() if operation == "list" else each.get_job(ID), 60)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 2.5 * policy.LARGEST_LIST
    assert isinstance(caught.value, VendorUnavailableError if operation == "token" else UnexpectedResponseError)


ID = "8d8ac610-566d-4ef0-9c22-186b2a5ed793"


@pytest.mark.parametrize("coding", [b"gzip", b"x-gzip", b"identity, gzip", b"deflate"])
def test_one_coding_is_undone(face: Face, coding: bytes) -> None:
    body = b'{"credits": 5}'
    packed = zlib.compress(body) if coding == b"deflate" else gzip.compress(body[:5]) + gzip.compress(body[5:])
    with serving(coded(packed, coding)) as url:
        assert run(face, vendor_at(url.rstrip("/"), "proofy"), lambda each: each.get_balance(), 60) == 5


@pytest.mark.parametrize(
    ("packed", "coding"),
    [
        (b'{"credits": 5}', b"gzip"),
        (b'{"credits": 5}', b"deflate"),
        (b'{"credits": 5' + b" " * 2000 + b"}", b"gzip"),
        (zlib.compress(b'{"credits": 5}')[2:-4], b"deflate"),
        (gzip.compress(b'{"credits": 5}') + b"\n", b"gzip"),
        (gzip.compress(b'{"credits": 5}') + bytes(512), b"gzip"),
        (zlib.compress(b'{"credits": 5}') + b"\r\n", b"deflate"),
    ],
    ids=["no gzip", "no deflate", "no gzip, long", "raw deflate", "gzip, line break", "gzip, padded", "deflate, more"],
)
def test_an_answer_that_is_not_quite_of_its_coding_is_read(face: Face, packed: bytes, coding: bytes) -> None:
    """Else the id in the answer to a submit is lost."""
    with serving(coded(packed, coding)) as url:
        assert run(face, vendor_at(url.rstrip("/"), "proofy"), lambda each: each.get_balance(), 60) == 5


@pytest.mark.parametrize("coding", [b"identity", b"utf-8", b"none", b"binary", b"aws-chunked", b""])
def test_a_word_that_is_no_compression_is_none(face: Face, coding: bytes) -> None:
    with serving(coded(b'{"credits": 5}', coding)) as url:
        assert run(face, vendor_at(url.rstrip("/"), "proofy"), lambda each: each.get_balance(), 60) == 5


def test_compression_is_not_asked_for(emulator: Any, face: Face) -> None:
    run(face, vendor_of(emulator, "apartmentiq"), lambda each: each.check(), 60)
    assert [each.operation for each in emulator.requests] == ["token", "check"]
    assert {each.headers["accept-encoding"] for each in emulator.requests} == {"identity"}


# --- lists without end


def endless(name: str) -> Callable[[httpx.Request], httpx.Response]:
    numbers = itertools.count(1)

    def page(request: httpx.Request) -> httpx.Response:
        number = next(numbers)
        job = {"job_id": str(uuid.UUID(int=number)), "id": f"export_{number}", "status": "submitted"}
        document = {
            "jobs": [{**job, "report_type": "property"}],
            "pagination": {"total_pages": number + 1},
            "exports": [job],
            "has_more": True,
            "next_from": f"cursor-{number}",
        }
        return httpx.Response(200, content=json.dumps(document))

    return page


def answered(vendor: Vendor, flow: Flow[Any], answer: Callable[[httpx.Request], httpx.Response]) -> tuple[Any, int]:
    """Drive a guarded flow without a client; its value, and how many requests it made."""
    driven, count = flows.guarded(vendor, flow), 0
    request = next(driven)
    while True:
        count += 1
        try:
            request = driven.send(answer(httpx.Request(request.method, "http://h.example/")))
        except StopIteration as done:
            return done.value, count
        except BatchDlError as error:
            return error, count


@pytest.mark.parametrize("name", ["batchcom", "apartmentiq"])
@pytest.mark.parametrize("flow", ["list_jobs", "submit_once"])
def test_a_list_without_end_ends(name: str, flow: str) -> None:
    vendor = vendor_at("https://h.example", name)
    if flow == "submit_once" and name == "apartmentiq":
        pytest.skip("it reads one page")
    made = vendor.list_jobs() if flow == "list_jobs" else vendor.find_submitted(submission(REQUESTS[name]))
    error, count = answered(vendor, made, endless(name))
    assert isinstance(error, UnexpectedResponseError)
    assert "never ends" in str(error)
    assert count <= MOST_PAGES


def test_a_list_of_huge_pages_ends_by_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "MOST_BYTES", 1000)
    vendor = vendor_at("https://h.example", "batchcom")
    error, count = answered(vendor, vendor.list_jobs(), endless("batchcom"))
    assert isinstance(error, UnexpectedResponseError)
    assert 1 < count < 10


@pytest.mark.parametrize("name", ["batchcom", "apartmentiq"])
def test_the_emulators_list_without_end_ends(
    emulator: Any, face: Face, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows, "MOST_PAGES", 7)
    emulator.add_fault(Fault("endless_list", times=10_000))
    with pytest.raises(UnexpectedResponseError, match="never ends"):
        run(face, vendor_of(emulator, name), lambda each: each.list_jobs(), 60)
    assert [each.operation for each in emulator.requests].count("list") == 7
