"""A failing Google Cloud Storage: what may pass is tried again; what stays is reported."""

from __future__ import annotations

import os
import time

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.gcs import CHUNK, GRAIN
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import Fault, GcsStore
from tests.transfer.sinks.gcs.objects import LARGE, impatient_sink_to, sink_to, write_and_publish


@pytest.mark.parametrize("status", [408, 429, 500, 502, 504])
def test_what_may_pass_is_tried_again(bucket: GcsBucket, server: GcsStore, status: int) -> None:
    server.faults += [Fault(call, status) for call in ("start", "chunk", "last")]
    data = os.urandom(LARGE)
    write_and_publish(impatient_sink_to(bucket), data)
    assert bucket.read("x") == data
    assert all(fault.struck == 1 for fault in server.faults)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("start"),
        Fault("chunk", 0),
        Fault("last", 0),
        Fault("chunk", 0, done=True),
        Fault("chunk"),
        Fault("chunk", skip=1, keeps=3 * GRAIN),
        Fault("chunk", done=True),
        Fault("chunk", times=5),
        Fault("last"),
        Fault("last", keeps=2 * GRAIN),
        Fault("last", done=True),
    ],
    ids=lambda fault: f"{fault.call}-{fault.status}-{fault.skip}-{fault.keeps}-{fault.done}-{fault.times}",
)
def test_bytes_are_stored_once(bucket: GcsBucket, server: GcsStore, fault: Fault) -> None:
    ours = Fault(fault.call, fault.status, fault.times, fault.skip, fault.done, fault.keeps)
    server.faults.append(ours)
    data = os.urandom(3 * CHUNK - 5)
    etag = write_and_publish(impatient_sink_to(bucket), data)
    assert ours.struck == fault.times
    assert bucket.read("x") == data
    assert etag == bucket.resource("x")["etag"]
    assert server.open_sessions() == []


@pytest.mark.parametrize(("call", "keeps"), [("chunk", 3 * GRAIN), ("last", 2 * GRAIN)])
def test_a_chunk_of_which_the_session_keeps_only_a_part(
    bucket: GcsBucket, server: GcsStore, call: str, keeps: int
) -> None:
    """It says so with 308; what is missing is sent, and the CRC32C is still that of the whole."""
    server.faults.append(Fault(call, 308, keeps=keeps))
    data = os.urandom(3 * CHUNK - 5)
    write_and_publish(sink_to(bucket), data)
    assert server.faults[0].struck == 1
    assert bucket.read("x") == data


@pytest.mark.parametrize(("call", "status"), [("start", 429), ("chunk", 503), ("chunk", 0), ("last", 0)])
def test_it_gives_up(bucket: GcsBucket, server: GcsStore, call: str, status: int) -> None:
    server.faults.append(Fault(call, status, times=9999))
    sink = impatient_sink_to(bucket, seconds=0.6)
    with pytest.raises(DestinationError) as caught:
        write_and_publish(sink, os.urandom(LARGE))
    assert caught.value.retryable
    assert str(status or "ConnectionError") in str(caught.value)
    assert server.faults[0].struck  # how often, says the time: on a busy machine a single try may take all of it
    assert bucket.keys() == server.open_sessions() == []
    sink.discard()


def test_a_session_that_is_gone(bucket: GcsBucket, server: GcsStore) -> None:
    sink = sink_to(bucket)
    sink.write(b"x" * LARGE)
    sink.finalize()
    server.sessions.clear()
    with pytest.raises(DestinationError, match="session is gone") as caught:
        sink.publish()
    assert caught.value.retryable
    assert "retry the task" in str(caught.value)
    assert bucket.keys() == []


@pytest.mark.parametrize("size", [1000, LARGE])
@pytest.mark.parametrize("checks", [True, False])
def test_bytes_that_change_on_the_way_are_not_published(
    bucket: GcsBucket, server: GcsStore, size: int, checks: bool
) -> None:
    """The store refuses them; where it does not check, the object goes again at once."""
    server.flips, server.checks = True, checks
    with pytest.raises(DestinationError, match="CRC32C") as caught:
        write_and_publish(sink_to(bucket), os.urandom(size))
    assert caught.value.retryable
    assert bucket.keys() == server.open_sessions() == []


def test_a_store_that_names_no_checksum_attests_none(
    bucket: GcsBucket, server: GcsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = server.insert
    monkeypatch.setattr(server, "insert", lambda *args: {k: v for k, v in insert(*args).items() if k != "crc32c"})
    sink = sink_to(bucket)
    write_and_publish(sink, b"x" * 1000)
    assert sink.attested == ()


@pytest.mark.parametrize("skip", [0, 1])
def test_a_chunk_that_gets_lost_is_not_published(bucket: GcsBucket, server: GcsStore, skip: int) -> None:
    """Something on the way says that it was stored."""
    server.faults.append(Fault("chunk", 308, skip=skip, lies=True))
    with pytest.raises(DestinationError):
        write_and_publish(sink_to(bucket), os.urandom(3 * CHUNK - 5))
    assert server.faults[0].struck == 1
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


def test_a_session_is_cancelled_once(bucket: GcsBucket, server: GcsStore, caplog: pytest.LogCaptureFixture) -> None:
    """The thread that sends a chunk sees that it shall stop while `discard` is cancelling."""
    server.faults += [Fault("chunk", 308, keeps=GRAIN, stalls=0.2), Fault("cancel", 403, stalls=0.6)]
    sink = sink_to(bucket)
    sink.write(b"x" * LARGE)
    give_up = time.monotonic() + 60
    while "chunk" not in server.calls and time.monotonic() < give_up:
        time.sleep(0.01)
    sink.discard()
    assert caplog.text.count("Could not cancel a resumable upload (403)") == 1
    assert server.calls.count("cancel") == 1
