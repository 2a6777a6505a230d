"""How the tests write an object to Google Cloud Storage."""

from __future__ import annotations

from typing import Any

from airflow_provider_batchdl.transfer.sinks.base import Sink
from airflow_provider_batchdl.transfer.sinks.factory import open_sink
from airflow_provider_batchdl.transfer.sinks.gcs import CHUNK, GcsSink
from tests.support.gcs import GcsBucket

MIB = 1 << 20
LARGE = 2 * CHUNK + 17
"""Two chunks on their way before `publish`, and a last one."""


def sink_to(bucket: GcsBucket, key: str = "x", fs: Any = None, **hints: Any) -> Sink:
    return open_sink(fs or bucket.filesystem(), f"{bucket.name}/{key}", f"gs://conn@{bucket.name}/{key}", **hints)


def impatient_sink_to(
    bucket: GcsBucket, key: str = "x", fs: Any = None, *, create_only: bool = False, seconds: float = 30
) -> GcsSink:
    """One that hardly waits before it sends a request again, and gives up after so many seconds."""
    sink = GcsSink(
        fs or bucket.filesystem(), f"{bucket.name}/{key}", f"gs://conn@{bucket.name}/{key}", create_only=create_only
    )
    google_s: Any = sink._open()[0]._upload
    usual = google_s._retry_strategy
    if hasattr(usual, "with_timeout"):
        google_s._retry_strategy = usual.with_delay(initial=0.001, maximum=0.001).with_timeout(seconds)
    else:  # google-cloud-storage 2 counts; before each try it waits up to a second, whatever it is told
        retries = max(2, int(seconds))
        google_s._retry_strategy = type(usual)(initial_delay=0.001, max_sleep=0.001, max_retries=retries)
    return sink


def write_and_publish(sink: Sink, data: bytes) -> str | None:
    sink.write(data)
    return sink.publish()
