"""A failing Google Cloud Storage: what may pass is tried again, from where the store has the bytes; then it is told."""

from __future__ import annotations

import os

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.gcs import CHUNK, GRAIN, GcsSink
from airflow_provider_batchdl.transfer.sinks.gcs_api import ATTEMPTS
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import Fault, GcsStore
from tests.transfer.gcs.objects import LARGE, sink_to, write_and_publish


@pytest.mark.parametrize("status", [408, 429, 500, 502, 504])
def test_what_may_pass_is_tried_again(bucket: GcsBucket, server: GcsStore, impatient: None, status: int) -> None:
    server.faults += [Fault(call, status) for call in ("put", "start", "chunk", "ask", "last")]
    for key, size in (("small", 1000), ("large", LARGE)):
        data = os.urandom(size)
        write_and_publish(sink_to(bucket, key), data)
        assert bucket.read(key) == data
    assert all(fault.struck == 1 for fault in server.faults)


@pytest.mark.parametrize("status", [0, 503])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("start"),
        Fault("chunk"),
        Fault("chunk", skip=1, keeps=3 * GRAIN),
        Fault("chunk", done=True),
        Fault("chunk", times=ATTEMPTS - 1),
        Fault("last"),
        Fault("last", keeps=2 * GRAIN),
        Fault("last", done=True),
        Fault("ask", times=ATTEMPTS - 1),
    ],
    ids=lambda fault: f"{fault.call}-{fault.skip}-{fault.keeps}-{fault.done}-{fault.times}",
)
def test_it_goes_on_from_what_the_store_has(
    bucket: GcsBucket, server: GcsStore, impatient: None, fault: Fault, status: int
) -> None:
    ours = Fault(fault.call, status, fault.times, fault.skip, fault.done, fault.keeps)
    server.faults += [ours, *([Fault("chunk")] if fault.call == "ask" else [])]
    data = os.urandom(3 * CHUNK - 5)
    etag = write_and_publish(sink_to(bucket), data)
    assert ours.struck == fault.times
    assert bucket.read("x") == data
    assert etag == bucket.resource("x")["etag"]
    assert server.open_sessions() == []


def test_a_lost_last_answer_is_a_publication(bucket: GcsBucket, server: GcsStore, impatient: None) -> None:
    server.faults.append(Fault("last", done=True))
    etag = write_and_publish(sink_to(bucket), os.urandom(LARGE))
    assert server.calls == ["start", "chunk", "chunk", "last", "ask"]
    assert etag == bucket.resource("x")["etag"]


@pytest.mark.parametrize("status", [0, 429, 503])
@pytest.mark.parametrize("call", ["start", "chunk", "ask", "last", "put"])
def test_it_gives_up(bucket: GcsBucket, server: GcsStore, impatient: None, call: str, status: int) -> None:
    ours = Fault(call, status, times=99)
    server.faults += [ours, *([Fault("chunk")] if call == "ask" else [])]
    sink = sink_to(bucket)
    with pytest.raises(DestinationError) as caught:
        write_and_publish(sink, os.urandom(1000 if call == "put" else LARGE))
    assert caught.value.retryable
    assert str(status or "ServerDisconnected") in str(caught.value)
    # A request that may be repeated is made twice by aiohttp itself where a connection kept open was cut.
    assert ours.struck == ATTEMPTS or (status == 0 and ours.struck <= 2 * ATTEMPTS)
    assert bucket.keys() == server.open_sessions() == []
    sink.discard()


def test_a_session_that_is_gone(bucket: GcsBucket, server: GcsStore) -> None:
    sink = sink_to(bucket)
    sink.write(b"x" * LARGE)
    sink.seal()
    server.sessions.clear()
    with pytest.raises(DestinationError, match="session is gone") as caught:
        sink.publish()
    assert caught.value.retryable
    assert "retry the task" in str(caught.value)
    assert bucket.keys() == []


@pytest.mark.parametrize("size", [1000, LARGE])
def test_bytes_that_change_on_the_way_are_not_published(bucket: GcsBucket, server: GcsStore, size: int) -> None:
    sink = sink_to(bucket)
    sink.write(os.urandom(size))
    assert isinstance(sink, GcsSink)
    sink._checksum ^= 1
    with pytest.raises(DestinationError, match="doesn't match calculated CRC32C") as caught:
        sink.publish()
    assert caught.value.retryable
    assert bucket.keys() == server.open_sessions() == []


def test_a_session_that_cannot_be_cancelled(
    bucket: GcsBucket, server: GcsStore, caplog: pytest.LogCaptureFixture
) -> None:
    server.faults.append(Fault("cancel", 403))
    sink = sink_to(bucket)
    sink.write(b"x" * LARGE)
    sink.discard()
    assert "Could not cancel a resumable upload (403)" in caplog.text
    assert bucket.keys() == []
