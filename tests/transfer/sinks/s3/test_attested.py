"""What the store itself compares with what was sent: the whole object, whoever sent which part of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks import buffered
from airflow_provider_batchdl.transfer.sinks.base import CheckpointedSink
from airflow_provider_batchdl.transfer.sinks.factory import open_resumable, open_sink
from airflow_provider_batchdl.transfer.sinks.s3 import checkpointed
from airflow_provider_batchdl.transfer.sinks.s3 import sink as s3_sink
from airflow_provider_batchdl.transfer.state import PartialRecord
from tests.support.s3_bucket import Bucket, close_fs, fresh_bucket
from tests.support.s3_gateway import HARMS, Harm, S3Gateway, s3_gateway
from tests.support.seaweedfs import S3Store

BLOCK = 5 << 20
SIZE = 4 * BLOCK + 17
DATA = os.urandom(SIZE)
KEY = "0123456789abcdef"
NAME = "folder/x.bin"
ONCE = {"retries": {"max_attempts": 0}}
"""botocore repeats what was refused with BadDigest, for seconds."""
DIRECT = {"config_kwargs": ONCE}
BY_CLIENT = {"config_kwargs": {**ONCE, "connector_args": {"use_dns_cache": False}}}
"""What makes s3fs send the parts itself."""


@pytest.fixture
def bucket(s3_store: S3Store) -> Iterator[Bucket]:
    with fresh_bucket(s3_store) as bucket:
        yield bucket


@pytest.fixture
def gateway(s3_store: S3Store) -> Iterator[S3Gateway]:
    with s3_gateway(s3_store) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_sink, "BLOCK", BLOCK)
    monkeypatch.setattr(buffered, "IN_FLIGHT_BYTES", 2 * BLOCK)
    monkeypatch.setattr(checkpointed, "EVERY", 2 * BLOCK)
    monkeypatch.setattr(checkpointed, "WORTH_RECORDING", BLOCK)


# All by s3fs's client, too, in `make long`; a part of it below.
@pytest.fixture(params=[DIRECT, pytest.param(BY_CLIENT, marks=pytest.mark.long)], ids=["direct", "client"])
def fs(request: pytest.FixtureRequest, bucket: Bucket, gateway: S3Gateway) -> Iterator[Any]:
    fs = bucket.store.filesystem(endpoint_url=gateway.endpoint_url, **request.param)
    yield fs
    close_fs(fs)


def begun(bucket: Bucket, fs: Any) -> CheckpointedSink:
    sink = open_sink(fs, f"{bucket.name}/{NAME}", f"s3://{bucket.name}/{NAME}", expected_bytes=SIZE, key=KEY)
    assert isinstance(sink, CheckpointedSink)
    sink.remember(PartialRecord('"v1"', SIZE, "x.bin"))
    return sink


def feed(sink: CheckpointedSink, end: int) -> None:
    while sink.written < end:
        sink.write(DATA[sink.written : min(end, sink.next_checkpoint or end)])
        if sink.written == sink.next_checkpoint:
            sink.checkpoint({})


def resumed(bucket: Bucket, fs: Any) -> CheckpointedSink:
    """The sink of a process that resumes what another one sent of `DATA`."""
    first = begun(bucket, fs)
    feed(first, 4 * BLOCK + 1)
    first.suspend()
    second = open_resumable(fs, f"{bucket.name}/{NAME}", f"s3://{bucket.name}/{NAME}", KEY)
    assert isinstance(second, CheckpointedSink)
    assert second.written == 2 * BLOCK
    return second


@pytest.mark.parametrize("open_one", [begun, resumed], ids=["sent", "resumed"])
def test_a_whole_object_is_attested(bucket: Bucket, gateway: S3Gateway, fs: Any, open_one: Any) -> None:
    sink = open_one(bucket, fs)
    feed(sink, SIZE)
    assert sink.attested == ()
    sink.publish()
    assert sink.attested == ("store-checksum",)
    assert bucket.read(NAME) == DATA
    [completion] = gateway.completions
    assert completion["x-amz-mp-object-size"] == str(SIZE)
    assert completion["x-amz-checksum-type"] == "FULL_OBJECT"


@pytest.mark.parametrize(("harm", "open_one"), [(HARMS[0], begun), *((harm, resumed) for harm in HARMS)])
def test_the_store_refuses_another_object_than_was_sent(
    bucket: Bucket, gateway: S3Gateway, fs: Any, open_one: Any, harm: Harm
) -> None:
    gateway.harm = harm
    sink = open_one(bucket, fs)
    feed(sink, SIZE)
    with pytest.raises(DestinationError, match=r"cannot publish: the store received other bytes .*BadDigest") as caught:
        sink.publish()
    assert caught.value.retryable
    assert len(gateway.completions) == 1
    assert "between the worker and the store" in (caught.value.remedy or "")
    assert sink.attested == ()
    assert [key for key in bucket.keys() if not key.endswith(".part.json")] == []  # noqa: SIM118 a method of ours
    assert bucket.open_uploads() == []


def test_the_store_refuses_what_the_client_sends_as_well(bucket: Bucket, gateway: S3Gateway) -> None:
    fs = bucket.store.filesystem(endpoint_url=gateway.endpoint_url, **BY_CLIENT)
    gateway.harm = HARMS[0]
    sink = resumed(bucket, fs)
    feed(sink, SIZE)
    with pytest.raises(DestinationError, match="BadDigest"):
        sink.publish()
    assert bucket.open_uploads() == []
    close_fs(fs)


def test_an_object_that_is_another_than_was_sent_is_removed(bucket: Bucket, gateway: S3Gateway, fs: Any) -> None:
    """A store that compares nothing, but says what it has made."""
    gateway.makes_another = True
    sink = begun(bucket, fs)
    feed(sink, SIZE)
    with pytest.raises(DestinationError, match=r"the object has the checksum AAAAAA==, .* it was removed"):
        sink.publish()
    assert sink.attested == ()
    assert bucket.keys() == bucket.open_uploads() == []


@pytest.mark.parametrize("size", [0, 1, 1000, BLOCK])
def test_a_small_object_is_attested(bucket: Bucket, size: int) -> None:
    sink = bucket.sink("x")
    sink.write(DATA[:size])
    sink.publish()
    assert sink.attested == ("store-checksum",)


@pytest.mark.parametrize("open_one", [begun, resumed], ids=["sent", "resumed"])
@pytest.mark.parametrize("unknown", ["knows_whole", "refuses_whole"])
def test_a_store_that_compares_no_whole_objects_attests_none(
    bucket: Bucket, gateway: S3Gateway, fs: Any, open_one: Any, unknown: str
) -> None:
    gateway.knows_whole, gateway.refuses_whole = unknown != "knows_whole", unknown == "refuses_whole"
    sink = open_one(bucket, fs)
    feed(sink, SIZE)
    sink.publish()
    assert sink.attested == ()
    assert bucket.read(NAME) == DATA
    [completion] = gateway.completions
    assert not completion.keys() & {"x-amz-mp-object-size", "x-amz-checksum-crc32", "x-amz-checksum-type"}


@pytest.mark.parametrize("size", [1000, SIZE])
def test_a_client_that_is_to_send_no_checksums_attests_nothing(bucket: Bucket, size: int) -> None:
    fs = bucket.store.filesystem(config_kwargs={"request_checksum_calculation": "when_required"})
    try:
        sink = bucket.sink("x", fs)
        sink.write(DATA[:size])
        sink.publish()
        assert sink.attested == ()
        assert bucket.read("x") == DATA[:size]
    finally:
        close_fs(fs)
