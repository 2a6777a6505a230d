"""Uploads to S3 that a next try goes on with. Against a real S3 server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks import CheckpointedSink, Sink, open_kept, open_sink, s3, s3_checkpoints
from airflow_provider_batchdl.transfer.sinks.s3_object import S3Object
from airflow_provider_batchdl.transfer.sinks.s3_upload import listed_parts
from airflow_provider_batchdl.transfer.state import Mark, StateStore
from airflow_provider_batchdl.transfer.sweeping import sweep
from tests.support.s3_bucket import Bucket, fresh_bucket, running_moto
from tests.support.seaweedfs import S3Store

BLOCK = 5 << 20
SIZE = 6 * BLOCK + 17
DATA = os.urandom(SIZE)
KEY = "0123456789abcdef"
NAME = "folder/result.csv"
MARK = Mark('"v1"', SIZE, "result.csv", {"content-type": "text/csv"})


class Memory:
    """A state store, and how often it was written to."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.sets = 0

    def get(self, key: str) -> str | None:
        return self.kept.get(key)

    def set(self, key: str, value: str) -> None:
        self.sets += 1
        self.kept[key] = value

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)


@pytest.fixture
def bucket(s3_store: S3Store) -> Iterator[Bucket]:
    with fresh_bucket(s3_store) as bucket:
        yield bucket


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "BLOCK", BLOCK)
    monkeypatch.setattr(s3, "IN_FLIGHT_BYTES", 2 * BLOCK)
    monkeypatch.setattr(s3_checkpoints, "EVERY", 2 * BLOCK)
    monkeypatch.setattr(s3_checkpoints, "WORTH_NOTING", BLOCK)


def begun(bucket: Bucket, state: StateStore | None = None, key: str = KEY) -> CheckpointedSink:
    sink = open_sink(
        bucket.fs, f"{bucket.name}/{NAME}", f"s3://{bucket.name}/{NAME}", expected_bytes=SIZE, key=key, state=state
    )
    assert isinstance(sink, CheckpointedSink)
    assert sink.next_checkpoint is None  # it does not know yet of which file it is
    sink.remember(MARK)
    return sink


def kept(bucket: Bucket, state: StateStore | None = None, path: str = NAME, **options: Any) -> CheckpointedSink | None:
    sink = open_kept(bucket.fs, f"{bucket.name}/{path}", f"s3://{bucket.name}/{path}", KEY, state=state, **options)
    assert sink is None or isinstance(sink, CheckpointedSink)
    return sink


def feed(sink: CheckpointedSink, end: int) -> None:
    """Write `DATA` up to `end` as the engine does: with a checkpoint at exactly the bytes asked for."""
    while sink.written < end:
        due = sink.next_checkpoint or SIZE
        sink.write(DATA[sink.written : min(end, due, sink.written + 777_777)])
        if sink.written == sink.next_checkpoint:
            sink.checkpoint({"first": sink.written})


def killed(sink: Sink) -> None:
    """End its threads, as the death of its process would, and nothing else."""
    upload = sink._upload  # type: ignore[attr-defined]
    if upload is not None:
        upload.stop()


@pytest.fixture(params=["beside", "given"])
def state(request: pytest.FixtureRequest) -> StateStore | None:
    return Memory() if request.param == "given" else None


@pytest.mark.parametrize("path", [NAME, "folder/"])
@pytest.mark.parametrize("end", [4 * BLOCK + 1, 5 * BLOCK, SIZE])
def test_the_next_try_goes_on_after_the_last_checkpoint(
    bucket: Bucket, state: StateStore | None, path: str, end: int
) -> None:
    first = begun(bucket, state)
    feed(first, end)
    killed(first)
    assert len(bucket.open_uploads()) == 1
    second = kept(bucket, state, path)
    assert second is not None
    assert second.mark is not None
    assert (second.mark.validator, second.mark.total, second.mark.target) == ('"v1"', SIZE, "result.csv")
    assert second.written in (2 * BLOCK, 4 * BLOCK)
    assert second.written >= end - 4 * BLOCK
    assert second.examined == {"first": second.written}
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
def test_parts_are_listed_over_several_pages() -> None:
    with running_moto() as store, fresh_bucket(store) as bucket:
        upload = {"Bucket": bucket.name, "Key": NAME}
        upload["UploadId"] = bucket.client.create_multipart_upload(**upload)["UploadId"]
        for number in range(1, 1003):
            bucket.client.upload_part(**upload, PartNumber=number, Body=b"x" * (number % 3))
        target = S3Object(bucket.fs, bucket.name, NAME, f"{bucket.name}/{NAME}")
        parts = listed_parts(target, upload["UploadId"])
    assert {number: part["Size"] for number, part in parts.items()} == {n: n % 3 for n in range(1, 1003)}


def test_notes_that_fail_midway_end_the_checkpoints(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    class Full(Memory):
        def set(self, key: str, value: str) -> None:
            if self.sets:
                raise ConnectionError
            super().set(key, value)

    state = Full()
    sink = begun(bucket, state)
    feed(sink, SIZE)
    assert sink.next_checkpoint is None
    assert caplog.text.count("progress cannot be noted") == 1
    sink.publish()
    assert state.kept == {}


def test_killed_again_and_again(bucket: Bucket, state: StateStore | None) -> None:
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
    sink.seal()
    sink.publish()
    assert bucket.read(NAME) == DATA
    assert bucket.open_uploads() == []


def test_parking_keeps_what_can_be_gone_on_with(bucket: Bucket, state: StateStore | None) -> None:
    first = begun(bucket, state)
    feed(first, 5 * BLOCK)
    first.park()
    first.discard()  # whoever ends it again ends nothing
    second = kept(bucket, state)
    assert second is not None
    second.discard()
    assert bucket.keys() == bucket.open_uploads() == []
    assert kept(bucket, state) is None


def test_parking_leaves_nothing_where_there_is_nothing_to_go_on_with(bucket: Bucket, state: StateStore | None) -> None:
    sink = begun(bucket, state)
    feed(sink, BLOCK + 1)
    sink.park()
    assert bucket.keys() == bucket.open_uploads() == []


def test_an_upload_killed_before_its_first_checkpoint_is_aborted_by_the_next_try(
    bucket: Bucket, state: StateStore | None
) -> None:
    first = begun(bucket, state)
    feed(first, BLOCK + 1)
    killed(first)
    assert len(bucket.open_uploads()) == 1
    assert kept(bucket, state) is None
    assert bucket.keys() == bucket.open_uploads() == []


def test_restart_forgets(bucket: Bucket, state: StateStore | None) -> None:
    sink = begun(bucket, state)
    feed(sink, 5 * BLOCK)
    sink.restart()
    assert (sink.written, sink.mark, sink.next_checkpoint) == (0, None, None)
    assert kept(bucket, state) is None
    sink.remember(MARK)
    feed(sink, SIZE)
    sink.publish()
    assert bucket.read(NAME) == DATA
    assert bucket.open_uploads() == []


def test_an_examination_that_cannot_be_continued_ends_the_checkpoints(bucket: Bucket) -> None:
    sink = begun(bucket)
    sink.write(DATA[: 2 * BLOCK])
    sink.checkpoint(None)
    assert sink.next_checkpoint is None
    sink.write(DATA[2 * BLOCK :])
    killed(sink)
    assert kept(bucket) is None
    assert bucket.keys() == bucket.open_uploads() == []


@pytest.mark.parametrize(
    "difference",
    [{"etags": "another's"}, {"parts": 6}, {"base": 2 * BLOCK}, {"offset": 3 * BLOCK}, {"crc32": "AAAA"}],
    ids=lambda difference: next(iter(difference)),
)
def test_an_upload_that_is_not_as_it_was_left_is_not_gone_on_with(bucket: Bucket, difference: dict[str, Any]) -> None:
    state = Memory()
    first = begun(bucket, state)
    feed(first, 5 * BLOCK)
    killed(first)
    state.kept[KEY] = json.dumps({**json.loads(state.kept[KEY]), **difference})
    assert kept(bucket, state) is None
    assert state.kept == {}
    assert bucket.open_uploads() == []


def test_an_upload_that_is_gone_is_begun_again(bucket: Bucket, state: StateStore | None) -> None:
    first = begun(bucket, state)
    feed(first, 5 * BLOCK)
    first.park()
    [upload] = bucket.client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]
    bucket.client.abort_multipart_upload(Bucket=bucket.name, Key=NAME, UploadId=upload["UploadId"])
    assert kept(bucket, state) is None
    assert bucket.keys() == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda note: "",
        lambda note: "[]",
        lambda note: json.dumps({**note, "version": 2}),
        lambda note: json.dumps({**note, "parts": "2"}),
        lambda note: json.dumps({**note, "parts": -1}),
        lambda note: json.dumps({**note, "grow_every": 0}),
        lambda note: json.dumps({**note, "examined": None}),
        lambda note: json.dumps({**note, "mark": {}}),
        lambda note: json.dumps({name: value for name, value in note.items() if name != "etags"}),
    ],
)
def test_a_damaged_note_is_removed(bucket: Bucket, damage: Any) -> None:
    state = Memory()
    first = begun(bucket, state)
    feed(first, 5 * BLOCK)
    first.park()
    state.kept[KEY] = damage(json.loads(state.kept[KEY]))
    assert kept(bucket, state) is None
    assert state.kept == {}


def test_another_destinations_note_is_left_alone(bucket: Bucket) -> None:
    state = Memory()
    first = begun(bucket, state)
    feed(first, 5 * BLOCK)
    first.park()
    assert kept(bucket, state, "elsewhere/result.csv") is None
    assert len(bucket.open_uploads()) == 1
    assert KEY in state.kept


def test_a_store_of_notes_that_fails_fails_no_download(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Memory):
        def set(self, key: str, value: str) -> None:
            raise ConnectionError

        def delete(self, key: str) -> None:
            raise ConnectionError

    sink = begun(bucket, Broken())
    feed(sink, SIZE)
    sink.publish()
    assert bucket.read(NAME) == DATA
    assert caplog.text.count("progress cannot be noted") == 1


def test_nobody_tells_what_was_left(bucket: Bucket) -> None:
    class Silent(Memory):
        def get(self, key: str) -> str | None:
            raise ConnectionError

    with pytest.raises(DestinationError, match="look for what an earlier try left") as caught:
        kept(bucket, Silent())
    assert caught.value.retryable


def test_create_only_holds_for_what_is_gone_on_with(bucket: Bucket) -> None:
    first = begun(bucket)
    feed(first, 5 * BLOCK)
    first.park()
    bucket.client.put_object(Bucket=bucket.name, Key=NAME, Body=b"theirs")
    second = kept(bucket, create_only=True)
    assert second is not None
    feed(second, SIZE)
    with pytest.raises(DestinationError, match="exists already"):
        second.publish()
    assert bucket.read(NAME) == b"theirs"
    assert bucket.open_uploads() == []


def test_a_note_is_small(bucket: Bucket) -> None:
    state = Memory()
    sink = begun(bucket, state)
    feed(sink, SIZE)
    assert len(state.kept[KEY]) < 1000
    assert state.sets <= 4
    sink.discard()


def test_small_objects_are_not_noted(bucket: Bucket) -> None:
    sink = open_sink(bucket.fs, f"{bucket.name}/x", "x", expected_bytes=BLOCK - 1, key=KEY, state=Memory())
    assert not isinstance(sink, CheckpointedSink)
    sink.discard()


def test_sweep_removes_uploads_and_notes(bucket: Bucket) -> None:
    sink = begun(bucket)
    feed(sink, 5 * BLOCK)
    sink.park()
    bucket.client.put_object(Bucket=bucket.name, Key="folder/theirs.part.json", Body=b"{}")
    assert sweep(bucket.fs, f"{bucket.name}/folder/") == []
    swept = sweep(bucket.fs, f"{bucket.name}/folder/", older_than=timedelta(seconds=-60))
    assert sorted(swept) == [f"{bucket.name}/folder/.result.csv.{KEY}.part.json", f"{bucket.name}/{NAME}"]
    assert bucket.open_uploads() == []
    assert bucket.keys() == ["folder/theirs.part.json"]


class Unreadable:
    """Notes where the worker may only write."""

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


def test_what_a_try_left_before_its_first_note_ends_with_the_next_success(bucket: Bucket) -> None:
    """A worker killed between the store's answer and the note: nothing names the upload."""
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key=NAME)
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key=f"{NAME}.other")
    sink = begun(bucket)
    feed(sink, SIZE)
    sink.publish()
    assert bucket.read(NAME) == DATA
    assert bucket.open_uploads() == [f"{NAME}.other"]
