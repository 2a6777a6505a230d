"""An object that is only to be created replaces none, and knows its own after a lost answer."""

from __future__ import annotations

import os

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import Fault, GcsStore
from tests.transfer.gcs.objects import LARGE, sink_to, write_and_publish


@pytest.mark.parametrize("size", [0, 1000, LARGE])
@pytest.mark.parametrize("meanwhile", [False, True])
def test_nothing_is_replaced(bucket: GcsBucket, server: GcsStore, size: int, meanwhile: bool) -> None:
    sink = sink_to(bucket, create_only=True)
    if meanwhile:
        sink.write(b"y" * (size + 1))
    data = os.urandom(size)
    assert write_and_publish(sink_to(bucket, create_only=True), data) == bucket.resource("x")["etag"]
    if not meanwhile:
        sink.write(b"y" * (size + 1))
    with pytest.raises(DestinationError, match="exists already") as caught:
        sink.publish()
    assert not caught.value.retryable
    assert bucket.read("x") == data
    assert server.open_sessions() == []


@pytest.mark.parametrize("size", [1000, LARGE])
@pytest.mark.parametrize("status", [0, 503])
def test_a_lost_answer(bucket: GcsBucket, server: GcsStore, impatient: None, size: int, status: int) -> None:
    """The request is made again, and then meets the object that it has made itself."""
    server.faults += [Fault("put", status, done=True), Fault("last", status, done=True)]
    data = os.urandom(size)
    etag = write_and_publish(sink_to(bucket, create_only=True), data)
    assert etag == bucket.resource("x")["etag"]
    assert bucket.read("x") == data


def test_a_lost_request_and_another_writer(bucket: GcsBucket, server: GcsStore, impatient: None) -> None:
    """The request is made again, and then meets an object, but not its own."""
    write_and_publish(sink_to(bucket), b"theirs")
    server.faults.append(Fault("put"))
    with pytest.raises(DestinationError, match="exists already"):
        write_and_publish(sink_to(bucket, create_only=True), b"ours")
    assert bucket.read("x") == b"theirs"
