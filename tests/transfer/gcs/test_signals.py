"""Airflow's time-outs and SIGTERM raise in the main thread, wherever it is; `discard` then cleans up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_batchdl.transfer.sinks.gcs import CHUNK
from airflow_provider_batchdl.transfer.sinks.gcs_api import GcsObject
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import GcsStore
from tests.transfer.gcs.objects import LARGE, sink_to


def interrupted(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize("size", [CHUNK + 1, LARGE])
def test_while_the_store_answers(
    bucket: GcsBucket, server: GcsStore, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    sink = sink_to(bucket)
    sink.write(b"x" * size)
    with monkeypatch.context() as patched:
        patched.setattr(GcsObject, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sink.publish()
    sink.discard()
    assert bucket.keys() == server.open_sessions() == []


def test_while_a_chunk_travels(bucket: GcsBucket, server: GcsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = GcsObject.send

    async def slow(self: GcsObject, method: str, url: str, body: Any = None, **arguments: Any) -> Any:
        if method == "PUT":
            await asyncio.sleep(30)
        return await real(self, method, url, body, **arguments)

    monkeypatch.setattr(GcsObject, "send", slow)
    sink = sink_to(bucket)
    sink.write(b"x" * (CHUNK + 1))
    sink.discard()
    assert bucket.keys() == server.open_sessions() == []
