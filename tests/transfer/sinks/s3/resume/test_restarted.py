"""Uploads to S3 that the next try cannot resume: it restarts, and leaves none of them open."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_batchdl.transfer.cleanup import sweep
from airflow_provider_batchdl.transfer.state import StateStore
from tests.support.s3_bucket import Bucket
from tests.transfer.sinks.s3.resume.uploads import (
    BLOCK,
    DATA,
    KEY,
    NAME,
    RECORD,
    SIZE,
    Memory,
    begun,
    feed,
    kept,
    killed,
)


def test_suspending_leaves_nothing_where_nothing_can_be_resumed(bucket: Bucket) -> None:
    state = Memory()
    sink = begun(bucket, state)
    feed(sink, BLOCK + 1)
    sink.suspend()
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
    assert (sink.written, sink.partial_record, sink.next_checkpoint) == (0, None, None)
    assert kept(bucket, state) is None
    sink.remember(RECORD)
    feed(sink, SIZE)
    sink.publish()
    assert bucket.read(NAME) == DATA
    assert bucket.open_uploads() == []


def test_a_verifier_that_cannot_be_continued_ends_the_checkpoints(bucket: Bucket) -> None:
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
    [
        {"etags": "another's"},
        {"parts": 6},
        {"sizes": {"base": 2 * BLOCK, "fixed": False, "grow_every": 2000}},
        {"crc32": "AAAA"},
    ],
    ids=lambda difference: next(iter(difference)),
)
def test_an_upload_that_is_not_as_it_was_left_is_not_resumed(bucket: Bucket, difference: dict[str, Any]) -> None:
    state = Memory()
    first = begun(bucket, state)
    feed(first, 5 * BLOCK)
    killed(first)
    state.kept[KEY] = json.dumps({**json.loads(state.kept[KEY]), **difference})
    assert kept(bucket, state) is None
    assert state.kept == {}
    assert bucket.open_uploads() == []


def test_an_upload_that_is_gone_is_restarted(bucket: Bucket) -> None:
    state = Memory()
    first = begun(bucket, state)
    feed(first, 5 * BLOCK)
    first.suspend()
    [upload] = bucket.client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]
    bucket.client.abort_multipart_upload(Bucket=bucket.name, Key=NAME, UploadId=upload["UploadId"])
    assert kept(bucket, state) is None
    assert bucket.keys() == []


def test_sweep_removes_uploads_and_records(bucket: Bucket) -> None:
    sink = begun(bucket)
    feed(sink, 5 * BLOCK)
    sink.suspend()
    bucket.client.put_object(Bucket=bucket.name, Key="folder/theirs.part.json", Body=b"{}")
    assert sweep(bucket.fs, f"{bucket.name}/folder/") == []
    swept = sweep(bucket.fs, f"{bucket.name}/folder/", older_than=timedelta(seconds=-60))
    assert sorted(swept) == [f"{bucket.name}/folder/.batchdl/.upload.{KEY}.part.json", f"{bucket.name}/{NAME}"]
    assert bucket.open_uploads() == []
    assert bucket.keys() == ["folder/theirs.part.json"]


def test_what_a_try_left_before_its_first_record_ends_with_the_next_success(bucket: Bucket) -> None:
    """A worker killed between the store's answer and the record: nothing names the upload."""
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key=NAME)
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key=f"{NAME}.other")
    sink = begun(bucket)
    feed(sink, SIZE)
    sink.publish()
    assert bucket.read(NAME) == DATA
    assert bucket.open_uploads() == [f"{NAME}.other"]


@pytest.mark.parametrize("succeeds", [False, True])
def test_a_dead_try_that_runs_on_leaves_the_record_of_the_next_one(
    bucket: Bucket, state: StateStore | None, succeeds: bool
) -> None:
    dead = begun(bucket, state)
    feed(dead, SIZE)
    time.sleep(1.1)  # the store says to the second when an upload began, and a success aborts those of before
    newer = begun(bucket, state)
    feed(newer, 5 * BLOCK)
    if succeeds:
        dead.publish()
    else:
        dead.discard()
    killed(newer)
    resumed = kept(bucket, state)
    assert resumed is not None
    assert resumed.written >= 2 * BLOCK
    feed(resumed, SIZE)
    resumed.publish()
    assert bucket.read(NAME) == DATA
    assert bucket.keys() == [NAME]
    assert bucket.open_uploads() == []


def test_a_try_that_succeeds_removes_the_record_of_an_earlier_one_that_still_ran(
    bucket: Bucket, state: StateStore | None
) -> None:
    dead, newer = begun(bucket, state), begun(bucket, state)
    feed(dead, BLOCK + 1)
    feed(newer, SIZE)
    feed(dead, 5 * BLOCK)
    newer.publish()
    assert bucket.keys() == [NAME]
    assert bucket.open_uploads() == []
    dead.discard()
    assert bucket.read(NAME) == DATA
