"""Uploads to S3 that the next try resumes. Against a real S3 server."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.base import CheckpointedSink
from airflow_provider_batchdl.transfer.sinks.s3.api import S3Object
from airflow_provider_batchdl.transfer.sinks.s3.multipart import listed_parts
from airflow_provider_batchdl.transfer.state import StateStore
from tests.support.s3_bucket import Bucket, fresh_bucket, running_moto
from tests.transfer.sinks.s3.resume.uploads import BLOCK, DATA, KEY, NAME, SIZE, Memory, begun, feed, kept, killed


@pytest.mark.parametrize(("path", "end"), [(NAME, 4 * BLOCK + 1), ("folder/", 5 * BLOCK), (NAME, SIZE)])
def test_the_next_try_resumes_after_the_last_checkpoint(
    bucket: Bucket, state: StateStore | None, path: str, end: int
) -> None:
    first = begun(bucket, state)
    feed(first, end)
    killed(first)
    assert len(bucket.open_uploads()) == 1
    second = kept(bucket, state, path)
    assert second is not None
    assert second.partial_record is not None
    assert (second.partial_record.validator, second.partial_record.total, second.partial_record.target) == (
        '"v1"',
        SIZE,
        "result.csv",
    )
    assert second.written in (2 * BLOCK, 4 * BLOCK)
    assert second.written >= end - 4 * BLOCK
    assert second.crcs == {"first": second.written}
    assert second.uri == f"s3://{bucket.name}/{NAME}"
    feed(second, SIZE)
    assert second.publish() == bucket.etag(NAME)
    assert bucket.read(NAME) == DATA
    assert bucket.keys() == [NAME]
    assert bucket.open_uploads() == []
    assert state is None or state.get(KEY) is None


@pytest.mark.shows_credentials  # the server prints the addresses it is asked for
def test_another_store() -> None:
    with running_moto() as store, fresh_bucket(store) as bucket:
        first = begun(bucket)
        feed(first, 5 * BLOCK)
        killed(first)
        second = kept(bucket)
        assert second is not None
        assert second.written == 2 * BLOCK
        feed(second, SIZE)
        second.publish()
        assert bucket.read(NAME) == DATA
        assert bucket.keys() == [NAME]
        assert bucket.open_uploads() == []


@pytest.mark.shows_credentials  # the server prints the addresses it is asked for
def test_parts_are_listed_over_several_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page has a thousand; here the server is asked for three."""
    calls = []
    with running_moto() as store, fresh_bucket(store) as bucket:
        call = bucket.fs.call_s3

        def of_three(method: str, **arguments: Any) -> Any:
            calls.append(method)
            return call(method, **arguments, MaxParts=3)

        monkeypatch.setattr(bucket.fs, "call_s3", of_three)
        upload = {"Bucket": bucket.name, "Key": NAME}
        upload["UploadId"] = bucket.client.create_multipart_upload(**upload)["UploadId"]
        for number in range(1, 9):
            bucket.client.upload_part(**upload, PartNumber=number, Body=b"x" * (number % 3))
        target = S3Object(bucket.fs, bucket.name, NAME)
        parts = listed_parts(target, upload["UploadId"])
    assert [(part.number, part.size) for part in parts] == [(n, n % 3) for n in range(1, 9)]
    assert calls == ["list_parts"] * 3


def test_killed_again_and_again(bucket: Bucket) -> None:
    state = Memory()
    sink: CheckpointedSink | None = begun(bucket, state)
    reached = []
    for end in (4 * BLOCK + 1, 5 * BLOCK + 1, SIZE):
        assert sink is not None
        feed(sink, end)
        killed(sink)
        sink = kept(bucket, state)
        reached.append(sink.written if sink else 0)
    assert reached == sorted(reached)
    assert sink is not None
    feed(sink, SIZE)
    sink.finalize()
    sink.publish()
    assert bucket.read(NAME) == DATA
    assert bucket.open_uploads() == []


def test_suspending_keeps_what_can_be_resumed(bucket: Bucket) -> None:
    state = Memory()
    first = begun(bucket, state)
    feed(first, 5 * BLOCK)
    first.suspend()
    first.discard()  # whoever ends it again ends nothing
    second = kept(bucket, state)
    assert second is not None
    second.discard()
    assert bucket.keys() == bucket.open_uploads() == []
    assert kept(bucket, state) is None


def test_create_only_holds_for_what_is_resumed(bucket: Bucket) -> None:
    first = begun(bucket)
    feed(first, 5 * BLOCK)
    first.suspend()
    bucket.client.put_object(Bucket=bucket.name, Key=NAME, Body=b"theirs")
    second = kept(bucket, create_only=True)
    assert second is not None
    feed(second, SIZE)
    with pytest.raises(DestinationError, match="exists already"):
        second.publish()
    assert bucket.read(NAME) == b"theirs"
    assert bucket.open_uploads() == []
