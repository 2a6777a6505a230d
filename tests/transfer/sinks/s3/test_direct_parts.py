"""Parts sent straight to the store: what befalls them on the way, and when the client has to send them."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks import buffered
from airflow_provider_batchdl.transfer.sinks.buffered import Block
from airflow_provider_batchdl.transfer.sinks.s3 import direct_parts
from airflow_provider_batchdl.transfer.sinks.s3 import sink as s3_sink
from airflow_provider_batchdl.transfer.sinks.s3.direct_parts import TRIES
from tests.support.raw_server import serving
from tests.support.s3_bucket import Bucket, close_fs, fresh_bucket, running_moto
from tests.support.s3_proxy import PartFault, S3Proxy, certificate_in, s3_proxy
from tests.support.seaweedfs import S3Store

KEY = "a b/x +é%&=?#.bin"
BLOCK = 5 << 20
SIZE = 4 * BLOCK + 17
DATA = os.urandom(SIZE)


@pytest.fixture
def bucket(s3_store: S3Store) -> Iterator[Bucket]:
    with fresh_bucket(s3_store) as bucket:
        yield bucket


@pytest.fixture
def proxy(s3_store: S3Store) -> Iterator[S3Proxy]:
    with s3_proxy(s3_store.endpoint_url) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def smallest_parts_and_no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_sink, "BLOCK", BLOCK)
    monkeypatch.setattr(buffered, "IN_FLIGHT_BYTES", 2 * BLOCK)
    monkeypatch.setattr(direct_parts, "backoff", lambda attempt, retry_after: 0.0)


def await_end(of_others: set[threading.Thread]) -> None:
    """Once every part is sent, the threads that sent them end by themselves."""
    for each in set(threading.enumerate()) - of_others:
        if each.name.startswith("batchdl-s3-part"):
            each.join(30)
            assert not each.is_alive()


class Sent:
    """One object sent through the proxy."""

    def __init__(self, bucket: Bucket, proxy: S3Proxy, **options: Any) -> None:
        self.of_others = set(threading.enumerate())  # those of "killed" tries in other tests, which nobody ends
        self.bucket = bucket
        self.proxy = proxy
        self.fs = bucket.store.filesystem(endpoint_url=proxy.endpoint_url, **options)
        self.sink = bucket.sink(KEY, self.fs, expected_bytes=SIZE)

    def __enter__(self) -> Sent:
        return self

    def __exit__(self, *_: object) -> None:
        self.sink.discard()
        close_fs(self.fs)
        await_end(self.of_others)
        assert self.bucket.open_uploads() == []

    def write(self) -> None:
        for at in range(0, SIZE, 3 << 20):
            self.sink.write(DATA[at : at + (3 << 20)])

    def publish(self) -> None:
        self.write()
        self.sink.publish()
        assert self.bucket.keys() == [KEY]
        assert self.bucket.read(KEY) == DATA


def test_every_part_goes_once_with_its_checksum(bucket: Bucket, proxy: S3Proxy) -> None:
    with Sent(bucket, proxy) as sent:
        sent.publish()
    assert sorted(part.part or 0 for part in proxy.parts) == [1, 2, 3, 4, 5]
    assert all(part.direct and "x-amz-checksum-crc32" in part.headers for part in proxy.parts)
    assert sum(part.bytes for part in proxy.parts) == SIZE
    created = next(each for each in proxy.seen if "uploads" in each.query)
    assert created.headers["x-amz-checksum-algorithm"] == "CRC32"


def test_no_checksums_where_the_connection_says_so(bucket: Bucket, proxy: S3Proxy) -> None:
    with Sent(bucket, proxy, config_kwargs={"request_checksum_calculation": "when_required"}) as sent:
        sent.publish()
    assert all(part.direct for part in proxy.parts)
    assert not [each for each in proxy.seen for name in each.headers if "checksum" in name]


@pytest.mark.parametrize(
    "fault",
    [
        PartFault(2, "answer", 2),
        PartFault(2, "answer", 2, 429, "TooManyRequests"),
        PartFault(2, "answer", 2, 400, "ExpiredToken"),
        PartFault(2, "answer", 2, code=""),
        PartFault(2, "cut", 2),
        PartFault(2, "lost", 2),
    ],
    ids=lambda fault: f"{fault.act}-{fault.code}",
)
def test_what_may_pass_is_tried_again_with_the_same_bytes(bucket: Bucket, proxy: S3Proxy, fault: PartFault) -> None:
    proxy.faults.append(fault)
    with Sent(bucket, proxy) as sent:
        sent.publish()
    second = [part for part in proxy.parts if part.part == 2]
    assert len(second) == 3
    assert all(part.direct for part in second)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "Thu, 01 Jan 2037 00:00:07 GMT", "Date": "Thu, 01 Jan 2037 00:00:00 GMT"}, 7.0),
        ({"Retry-After": "3600"}, 30.0),
        ({"Retry-After": "soon"}, 0.0),
    ],
)
def test_a_store_is_given_the_time_that_it_asks_for_by_its_own_clock(
    bucket: Bucket, proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch, asked: dict[str, str], seconds: float
) -> None:
    waits: list[float] = []

    def backoff(attempt: int, retry_after: float) -> float:
        waits.append(retry_after)
        return 0.0

    monkeypatch.setattr(direct_parts, "backoff", backoff)
    proxy.faults.append(PartFault(2, "answer", headers=asked))
    with Sent(bucket, proxy) as sent:
        sent.publish()
    assert waits == [seconds]


def test_a_part_damaged_on_its_way_is_found_and_sent_again(bucket: Bucket, proxy: S3Proxy) -> None:
    proxy.faults.append(PartFault(3, "damage"))
    with Sent(bucket, proxy) as sent:
        sent.publish()
    assert [part.part for part in proxy.parts].count(3) == 2


@pytest.mark.parametrize("fault", [PartFault(2, "answer", 99), PartFault(2, "cut", 99)], ids=lambda fault: fault.act)
def test_the_tries_end(bucket: Bucket, proxy: S3Proxy, fault: PartFault) -> None:
    proxy.faults.append(fault)
    with Sent(bucket, proxy) as sent:
        with pytest.raises(DestinationError) as caught:
            sent.publish()
        assert caught.value.retryable
        assert "X-Amz-" not in str(caught.value)
    # A connection that lay idle may break once more, which is not counted.
    assert TRIES <= len([part for part in proxy.parts if part.part == 2]) <= TRIES + 1
    assert bucket.keys() == []


@pytest.mark.parametrize("status", [307, 403, 501])
def test_where_the_store_refuses_the_form_the_client_sends_the_parts(
    bucket: Bucket, proxy: S3Proxy, status: int
) -> None:
    """Some bucket policies admit no signatures in addresses, and some stores do not know them."""
    proxy.faults.append(PartFault(None, "answer", 99, status, "AccessDenied", direct=True))
    with Sent(bucket, proxy) as sent:
        sent.publish()
    assert sorted(part.part or 0 for part in proxy.parts if not part.direct) == [1, 2, 3, 4, 5]


def test_a_refusal_in_both_forms_is_final(bucket: Bucket, proxy: S3Proxy) -> None:
    proxy.faults.append(PartFault(3, "answer", 99, 403, "AccessDenied"))
    with Sent(bucket, proxy) as sent:
        with pytest.raises(DestinationError, match="AccessDenied") as caught:
            sent.publish()
        assert not caught.value.retryable
    assert [part.direct for part in proxy.parts if part.part == 3] == [True, False]
    assert bucket.keys() == []


@pytest.mark.parametrize(
    "options",
    [
        {"config_kwargs": {"s3": {"payload_signing_enabled": True}}},
        {"config_kwargs": {"connector_args": {"use_dns_cache": False}}},
        {"s3_additional_kwargs": {"ChecksumAlgorithm": "SHA256"}},
        {"s3_additional_kwargs": {"ExpectedBucketOwner": "1"}},
    ],
    ids=lambda options: str(next(iter(next(iter(options.values()))))),
)
def test_what_an_address_cannot_say_the_client_sends(
    bucket: Bucket, proxy: S3Proxy, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "airflow_provider_batchdl")
    with Sent(bucket, proxy, **options) as sent:
        sent.publish()
    assert not [part for part in proxy.parts if part.direct]
    assert "Sending parts through s3fs: " in caplog.text


def test_a_proxy_is_left_to_the_client(bucket: Bucket, proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forward proxy would be handed whole addresses; this one refuses them, which shows that it was asked."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    with Sent(bucket, proxy, config_kwargs={"retries": {"max_attempts": 1}}) as sent, pytest.raises(DestinationError):
        sent.write()
    assert proxy.seen == []


def test_an_exception_alone_is_no_proxy(bucket: Bucket, proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "somewhere.example")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with Sent(bucket, proxy) as sent:
        sent.publish()
    assert all(part.direct for part in proxy.parts)


def test_nothing_secret_is_logged(bucket: Bucket, proxy: S3Proxy, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "botocore")  # tells at DEBUG what it signs, here as everywhere
    proxy.faults.append(PartFault(2, "answer", 1))
    with Sent(bucket, proxy) as sent:
        sent.publish()
    assert "503 SlowDown" in caplog.text
    assert "X-Amz-Signature" not in caplog.text


def test_a_signal_while_a_part_travels(bucket: Bucket, proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's time-outs and SIGTERM raise in the main thread, wherever it is; `discard` then cleans up."""

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    proxy.faults.append(PartFault(2, "stall"))
    with Sent(bucket, proxy) as sent:
        sent.sink.write(DATA[: 2 * BLOCK + 1])
        assert proxy.stalled.wait(60)
        with monkeypatch.context() as patched:
            patched.setattr("concurrent.futures.Future.result", interrupted)
            with pytest.raises(KeyboardInterrupt):
                sent.sink.publish()
        sent.sink.discard()  # at once: the store, which says nothing, is not waited for
    assert not proxy.ended.is_set()
    assert bucket.keys() == []


def test_a_part_under_way_is_ended_by_discard(bucket: Bucket, proxy: S3Proxy) -> None:
    proxy.faults.append(PartFault(None, "stall", 9))
    with Sent(bucket, proxy) as sent:
        sent.sink.write(DATA[: 3 * BLOCK])
        assert proxy.stalled.wait(60)
    assert bucket.keys() == []


def test_sealed_sinks_hold_no_threads_and_no_connections(bucket: Bucket) -> None:
    of_others = set(threading.enumerate())
    before = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    sinks = [bucket.sink(f"x{n}") for n in range(12)]
    for sink in sinks:
        sink.write(DATA[: BLOCK + 5])
        sink.finalize()
    await_end(of_others)
    # The file system's own loop and its pool of connections may have come in the meantime.
    assert threading.active_count() <= before[0] + 2
    assert len(list(Path("/proc/self/fd").iterdir())) <= before[1] + 12
    for sink in sinks:
        sink.publish()
    assert len(bucket.keys()) == 12


class TestTls:
    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        return certificate_in(tmp_path)

    @pytest.fixture
    def proxy(self, s3_store: S3Store, certificate: Path) -> Iterator[S3Proxy]:
        with s3_proxy(s3_store.endpoint_url, certificate=certificate) as proxy:
            yield proxy

    @pytest.mark.parametrize("told", ["AWS_CA_BUNDLE", "client", "off"])
    def test_what_the_client_trusts_is_trusted(
        self, bucket: Bucket, proxy: S3Proxy, certificate: Path, told: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        options: dict[str, Any] = {}
        if told == "AWS_CA_BUNDLE":
            monkeypatch.setenv(told, str(certificate))
        else:
            options["client_kwargs"] = {"verify": False if told == "off" else str(certificate)}
        with Sent(bucket, proxy, **options) as sent:
            sent.publish()
        assert all(part.direct for part in proxy.parts)

    def test_what_it_does_not_trust_is_not_sent_to(self, bucket: Bucket, proxy: S3Proxy) -> None:
        with Sent(bucket, proxy) as sent, pytest.raises(DestinationError, match="SSL"):
            sent.write()
        assert proxy.seen == []


def test_a_store_that_answers_before_it_has_the_part_has_not_got_it() -> None:
    def half(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\n\r\n')

    part = Block()
    part.write(memoryview(bytes(32 << 20)))
    with serving(half) as url:
        signer: Any = SimpleNamespace(timeouts=(5, 5), origin=urlsplit(url), tls=None, parse=lambda *_: {})
        with pytest.raises(OSError, match=r"reset|Broken"):
            direct_parts._Connection(signer, threading.Event()).put("/x", {}, part)


@pytest.mark.shows_credentials  # the server prints the addresses it is asked for
def test_another_store() -> None:
    with running_moto() as store, fresh_bucket(store) as bucket, s3_proxy(store.endpoint_url) as proxy:
        with Sent(bucket, proxy) as sent:
            sent.publish()
        assert all(part.direct for part in proxy.parts)


def test_a_store_without_checksums_is_named_with_the_remedy(bucket: Bucket, proxy: S3Proxy) -> None:
    message = "A header you provided implies functionality that is not implemented: x-amz-checksum-crc32"
    proxy.faults.append(PartFault(None, "answer", 99, 501, "NotImplemented", message=message))
    with Sent(bucket, proxy) as sent, pytest.raises(DestinationError) as caught:
        sent.write()
    assert "AWS_REQUEST_CHECKSUM_CALCULATION=when_required" in (caught.value.remedy or "")
