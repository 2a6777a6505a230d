"""The record of an upload to S3: it is small, and a store that does not take it fails no download."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.base import CheckpointedSink
from airflow_provider_batchdl.transfer.sinks.factory import open_sink
from tests.support.s3_bucket import Bucket
from tests.transfer.sinks.s3.resume.uploads import BLOCK, DATA, KEY, NAME, SIZE, Memory, begun, feed, kept


def test_a_record_is_small(bucket: Bucket) -> None:
    state = Memory()
    sink = begun(bucket, state)
    feed(sink, SIZE)
    assert len(state.kept[KEY]) < 1000
    assert state.sets <= 4
    sink.discard()


def test_small_objects_have_no_record(bucket: Bucket) -> None:
    sink = open_sink(bucket.fs, f"{bucket.name}/x", "x", expected_bytes=BLOCK - 1, key=KEY, state=Memory())
    assert not isinstance(sink, CheckpointedSink)
    sink.discard()


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: "",
        lambda record: "[]",
        lambda record: json.dumps({**record, "version": 2}),
        lambda record: json.dumps({**record, "parts": "2"}),
        lambda record: json.dumps({**record, "parts": -1}),
        lambda record: json.dumps({**record, "sizes": {**record["sizes"], "grow_every": 0}}),
        lambda record: json.dumps({**record, "crcs": None}),
        lambda record: json.dumps({**record, "crcs": {"crc32": "1"}}),
        lambda record: json.dumps({**record, "partial_record": {}}),
        lambda record: json.dumps({name: value for name, value in record.items() if name != "etags"}),
    ],
)
def test_a_damaged_record_is_removed(bucket: Bucket, damage: Any) -> None:
    state = Memory()
    first = begun(bucket, state)
    feed(first, 5 * BLOCK)
    first.suspend()
    state.kept[KEY] = damage(json.loads(state.kept[KEY]))
    assert kept(bucket, state) is None
    assert state.kept == {}


def test_another_destinations_record_is_left_alone(bucket: Bucket) -> None:
    state = Memory()
    first = begun(bucket, state)
    feed(first, 5 * BLOCK)
    first.suspend()
    assert kept(bucket, state, "elsewhere/result.csv") is None
    assert len(bucket.open_uploads()) == 1
    assert KEY in state.kept


def test_records_that_fail_midway_end_the_checkpoints(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    class Full(Memory):
        def set(self, key: str, value: str) -> None:
            if self.sets:
                raise ConnectionError
            super().set(key, value)

    state = Full()
    sink = begun(bucket, state)
    feed(sink, SIZE)
    assert sink.next_checkpoint is None
    assert caplog.text.count("Could not record the upload's progress") == 1
    sink.publish()
    assert state.kept == {}


def test_a_store_of_records_that_fails_fails_no_download(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Memory):
        def set(self, key: str, value: str) -> None:
            raise ConnectionError

        def delete(self, key: str) -> None:
            raise ConnectionError

    sink = begun(bucket, Broken())
    feed(sink, SIZE)
    sink.publish()
    assert bucket.read(NAME) == DATA
    assert caplog.text.count("Could not record the upload's progress") == 1


def test_a_record_that_cannot_be_read_fails_the_try(bucket: Bucket) -> None:
    class Silent(Memory):
        def get(self, key: str) -> str | None:
            raise ConnectionError

    with pytest.raises(DestinationError, match="cannot read what the previous try uploaded") as caught:
        kept(bucket, Silent())
    assert caught.value.retryable


class Unreadable:
    """Records where the worker may only write."""

    def get(self, key: str) -> str | None:
        raise PermissionError("Access Denied")

    def set(self, key: str, value: str) -> None:
        raise PermissionError("Access Denied")

    def delete(self, key: str) -> None:
        raise PermissionError("Access Denied")


def test_who_may_only_write_uploads_all_the_same(bucket: Bucket) -> None:
    assert kept(bucket, Unreadable()) is None
    sink = begun(bucket, Unreadable())
    feed(sink, SIZE)
    sink.publish()
    assert bucket.read(NAME) == DATA
    assert bucket.open_uploads() == []
