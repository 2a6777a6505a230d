"""Uploads to S3 with checkpoints, as the tests begin, feed, kill and find them."""

from __future__ import annotations

import os
from typing import Any

from airflow_provider_batchdl.transfer.sinks.base import CheckpointedSink, Sink
from airflow_provider_batchdl.transfer.sinks.factory import open_resumable, open_sink
from airflow_provider_batchdl.transfer.state import PartialRecord, StateStore
from tests.support.s3_bucket import Bucket

BLOCK = 5 << 20
SIZE = 6 * BLOCK + 17
DATA = os.urandom(SIZE)
KEY = "0123456789abcdef"
NAME = "folder/result.csv"
RECORD = PartialRecord('"v1"', SIZE, "result.csv", {"content-type": "text/csv"})


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


def begun(bucket: Bucket, state: StateStore | None = None, key: str = KEY) -> CheckpointedSink:
    sink = open_sink(
        bucket.fs, f"{bucket.name}/{NAME}", f"s3://{bucket.name}/{NAME}", expected_bytes=SIZE, key=key, state=state
    )
    assert isinstance(sink, CheckpointedSink)
    assert sink.next_checkpoint is None  # it does not know yet of which file it is
    sink.remember(RECORD)
    return sink


def kept(bucket: Bucket, state: StateStore | None = None, path: str = NAME, **options: Any) -> CheckpointedSink | None:
    sink = open_resumable(bucket.fs, f"{bucket.name}/{path}", f"s3://{bucket.name}/{path}", KEY, state=state, **options)
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
