"""Airflow's time-outs and SIGTERM raise in the main thread, wherever it is; `discard` then cleans up."""

from __future__ import annotations

import time
from threading import Event

import pytest

from tests.support.alarm import interrupted_once
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import Fault, GcsStore
from tests.transfer.sinks.gcs.objects import LARGE, sink_to, write_and_publish


@pytest.mark.parametrize(
    ("size", "call"), [(1000, "start"), (LARGE, "start"), (LARGE, "chunk"), (1000, "last"), (LARGE, "last")]
)
def test_while_the_store_answers(bucket: GcsBucket, server: GcsStore, size: int, call: str) -> None:
    """The session is cancelled: at once, where its URL is known, though a request is under way that takes long."""
    interrupted = Event()
    fault = Fault(call, 503, until=interrupted)
    server.faults.append(fault)
    sink = sink_to(bucket)
    with interrupted_once(lambda: fault.struck) as sent:
        write_and_publish(sink, b"x" * size)
    if call == "start":
        interrupted.set()
    sink.discard()
    assert time.monotonic() - sent[0] < 30  # of a minute
    interrupted.set()
    assert server.faults[0].struck == 1
    assert bucket.keys() == server.open_sessions() == []
