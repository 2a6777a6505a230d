"""Partial files on the local disk, as the tests begin and find them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink, resumable_sink
from airflow_provider_batchdl.transfer.state import PartialRecord, partial_key

MIB = 2**20
KEY, OTHER = partial_key("job"), partial_key("another")
RECORD = PartialRecord('"etag"', 4 * MIB, "x.csv", {"content-type": "text/csv"})


def begun(path: Path, data: bytes = b"x" * MIB, key: str = KEY, **arguments: Any) -> LocalSink:
    sink = LocalSink(str(path), str(path), key=key, **arguments)
    sink.remember(RECORD)
    sink.write(data)
    return sink


def kept(path: Path, key: str = KEY) -> LocalSink | None:
    return resumable_sink(str(path), str(path), key)
