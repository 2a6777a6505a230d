"""Partial files on the local disk, as the tests begin and find them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_provider_batchdl.transfer.sinks.kept import kept_sink
from airflow_provider_batchdl.transfer.sinks.local import LocalSink
from airflow_provider_batchdl.transfer.state import Mark, partial_key

MIB = 2**20
KEY, OTHER = partial_key("job"), partial_key("another")
MARK = Mark('"etag"', 4 * MIB, "x.csv", {"content-type": "text/csv"})


def begun(path: Path, data: bytes = b"x" * MIB, key: str = KEY, **arguments: Any) -> LocalSink:
    sink = LocalSink(str(path), str(path), key=key, **arguments)
    sink.remember(MARK)
    sink.write(data)
    return sink


def kept(path: Path, key: str = KEY) -> LocalSink | None:
    return kept_sink(str(path), str(path), key)
