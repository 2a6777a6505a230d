"""How the tests write an object to Google Cloud Storage."""

from __future__ import annotations

from typing import Any

from airflow_provider_batchdl.transfer.sinks import Sink, open_sink
from airflow_provider_batchdl.transfer.sinks.gcs import CHUNK
from tests.support.gcs import GcsBucket

MIB = 1 << 20
LARGE = 2 * CHUNK + 17
"""Two chunks on their way before `publish`, and a last one."""


def sink_to(bucket: GcsBucket, key: str = "x", fs: Any = None, **hints: Any) -> Sink:
    return open_sink(fs or bucket.filesystem(), f"{bucket.name}/{key}", f"gs://conn@{bucket.name}/{key}", **hints)


def write_and_publish(sink: Sink, data: bytes) -> str | None:
    sink.write(data)
    return sink.publish()
