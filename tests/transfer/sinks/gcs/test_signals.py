"""Airflow's time-outs and SIGTERM raise in the main thread, wherever it is; `discard` then cleans up."""

from __future__ import annotations

import time

import pytest

from tests.support.alarm import interrupted_once
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import Fault, GcsStore
from tests.transfer.sinks.gcs.objects import LARGE, sink_to, write_and_publish


@pytest.mark.parametrize(
    ("size", "call", "seconds"),
    [(1000, "start", 1.0), (LARGE, "start", 1.0), (LARGE, "chunk", 30.0), (1000, "last", 30.0), (LARGE, "last", 30.0)],
)
def test_while_the_store_answers(bucket: GcsBucket, server: GcsStore, size: int, call: str, seconds: float) -> None:
    """The session is cancelled: at once, where its URL is known, though a request is under way that takes long."""
    fault = Fault(call, 503, stalls=seconds)
    server.faults.append(fault)
    sink = sink_to(bucket)
    with interrupted_once(lambda: fault.struck) as sent:
        write_and_publish(sink, b"x" * size)
    sink.discard()
    assert time.monotonic() - sent[0] < 5
    assert server.faults[0].struck == 1
    assert bucket.keys() == server.open_sessions() == []
