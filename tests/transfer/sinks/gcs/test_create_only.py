"""An object that is only to be created replaces none, and knows its own after a lost answer."""

from __future__ import annotations

import os

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import Fault, GcsStore
from tests.transfer.sinks.gcs.objects import LARGE, impatient_sink_to, sink_to, write_and_publish


@pytest.mark.parametrize("size", [0, 1000, LARGE])
@pytest.mark.parametrize("first", [False, True])
def test_nothing_is_replaced(bucket: GcsBucket, server: GcsStore, size: int, first: bool) -> None:
    sink = sink_to(bucket, create_only=True)
    if first:
        sink.write(b"y" * (size + 1))
    data = os.urandom(size)
    assert write_and_publish(sink_to(bucket, create_only=True), data) == bucket.resource("x")["etag"]
    if not first:
        sink.write(b"y" * (size + 1))
    with pytest.raises(DestinationError, match="exists already") as caught:
        sink.publish()
    assert not caught.value.retryable
    assert bucket.read("x") == data
    assert server.open_sessions() == []


@pytest.mark.parametrize("size", [0, 1000, LARGE])
@pytest.mark.parametrize("status", [0, 503])
def test_a_lost_answer(bucket: GcsBucket, server: GcsStore, size: int, status: int) -> None:
    """The request is sent again; the session answers it with the object that the first one made."""
    server.faults.append(Fault("last", status, done=True))
    data = os.urandom(size)
    etag = write_and_publish(impatient_sink_to(bucket, create_only=True), data)
    assert server.calls[-2:] == ["last", "last"]
    assert etag == bucket.resource("x")["etag"]
    assert bucket.read("x") == data


def test_a_lost_request_and_another_writer(bucket: GcsBucket, server: GcsStore) -> None:
    """The request is sent again, and then meets an object, but not its own."""
    write_and_publish(sink_to(bucket), b"theirs")
    server.faults.append(Fault("last"))
    with pytest.raises(DestinationError, match="exists already"):
        write_and_publish(impatient_sink_to(bucket, create_only=True), b"ours")
    assert bucket.read("x") == b"theirs"
    assert server.open_sessions() == []
