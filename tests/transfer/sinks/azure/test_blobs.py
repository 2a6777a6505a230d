"""Azure blobs: whole or not there. Against a real server of Azure's protocol."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from threading import Event

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.azure import BLOCK, AzureSink
from airflow_provider_batchdl.transfer.sinks.buffered import SMALL
from airflow_provider_batchdl.transfer.sinks.factory import open_sink, write_small
from tests.support.alarm import interrupted_once
from tests.transfer.sinks.azure.containers import MIB, Container, written


@pytest.mark.parametrize(
    ("size", "chunk"),
    [
        *((size, 3 * MIB + 1) for size in (0, 1, SMALL, SMALL + 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17)),
        (3 * BLOCK + 17, 64 << 10),
        (3 * BLOCK + 17, 64 * MIB),
    ],
)
def test_exact_bytes(container: Container, size: int, chunk: int) -> None:
    data = os.urandom(size)
    sink = container.sink("a/x.bin", expected_bytes=size)
    assert isinstance(sink, AzureSink)
    written(sink, data, chunk)
    assert sink.written == size
    assert container.names() == []
    etag = sink.publish()
    assert container.read("a/x.bin") == data
    assert etag == container.etag("a/x.bin")
    sink.discard()
    assert container.names() == ["a/x.bin"]
    assert container.unfinished("a/x.bin") == 0


def test_blocks_that_grow_hold_every_byte(container: Container) -> None:
    data = os.urandom(40 * MIB)
    sink = AzureSink(container.fs, f"{container.name}/x", "x", block=MIB, grow_every=4)
    written(sink, data, MIB // 2).publish()
    assert hashlib.sha256(container.read()).digest() == hashlib.sha256(data).digest()
    sizes = [block.size for block in container.client.get_blob_client("x").get_block_list()[0]]
    assert sizes[:9] == [MIB] * 4 + [2 * MIB] * 4 + [4 * MIB]


@pytest.mark.parametrize("size", [0, 1000, 3 * BLOCK])
@pytest.mark.parametrize("finalized", [False, True])
def test_discard_leaves_nothing_visible(container: Container, size: int, finalized: bool) -> None:
    sink = written(container.sink(), b"x" * size)
    if finalized:
        sink.finalize()
    sink.discard()
    sink.discard()
    assert container.names() == []
    for use in (sink.publish, sink.restart, sink.finalize):
        with pytest.raises(DestinationError, match="already published or discarded"):
            use()


@pytest.mark.parametrize("size", [0, 1000, BLOCK, 3 * BLOCK])
def test_finalize_then_publish(container: Container, size: int) -> None:
    data = os.urandom(size)
    sink = written(container.sink(), data)
    sink.finalize()
    assert container.names() == []
    with pytest.raises(DestinationError):
        sink.write(b"more")
    assert sink.publish() == container.etag()
    assert container.read() == data


def test_restart_begins_at_zero_and_publishing_drops_what_was_sent_before(container: Container) -> None:
    sink = written(container.sink(), b"old" * BLOCK)
    sink.restart()
    assert sink.written == 0
    data = os.urandom(2 * BLOCK + 5)
    written(sink, data).publish()
    assert container.read() == data
    assert container.unfinished() == 0


@pytest.mark.parametrize("name", ["a/ü x#?%41[1]*.csv", "a//b", "a.b/c&d=e+f"])
def test_a_name_with_signs_in_it(container: Container, name: str) -> None:
    write_small(container.fs, f"{container.name}/{name}", "x", b"small")
    assert container.names() == [name]
    written(container.sink(name), b"x" * (BLOCK + 1)).publish()
    assert container.names() == [name]
    assert container.fs.info(f"{container.name}/{name}")["size"] == BLOCK + 1


def test_the_listing_cache_is_up_to_date(container: Container) -> None:
    assert container.fs.ls(container.name) == []
    write_small(container.fs, f"{container.name}/x", "x", b"1")
    assert container.fs.ls(container.name) == [f"{container.name}/x"]


@pytest.mark.parametrize("path", ["", "only-a-container", "container/", "container/folder/"])
def test_no_object_named(container: Container, path: str) -> None:
    with pytest.raises(DestinationError, match="names no object"):
        open_sink(container.fs, path, f"abfs://{path}")


class Stalls:
    """Lets a call wait before the store gets it."""

    def __init__(self, call: str) -> None:
        self.call = call
        self.reached, self.ended = Event(), Event()

    def before(self, call: str) -> None:
        if call == self.call:
            self.reached.set()
            self.ended.wait(60)

    def after(self, call: str) -> None:
        return None


@pytest.mark.parametrize("call", ["part", "complete"])
def test_a_signal_while_requests_are_under_way(container: Container, call: str) -> None:
    """Airflow's time-outs and SIGTERM raise in the main thread, wherever it is; `discard` then cleans up."""
    stalls = Stalls(call)
    with container.behind(stalls) as fs:
        sink = container.sink(fs=fs)
        assert isinstance(sink, AzureSink)
        with interrupted_once(stalls.reached.is_set) as sent:
            written(sink, b"x" * (2 * BLOCK + 1)).publish()
        assert sink._upload is not None
        tasks = sink._upload.tasks
        assert tasks._under_way
        sink.discard()
        assert not tasks._under_way
        assert time.monotonic() - sent[0] < 30  # of a minute
        stalls.ended.set()
    if call == "part":  # a commit that is under way may still arrive
        assert container.names() == []


def test_no_request_is_logged(container: Container, caplog: pytest.LogCaptureFixture) -> None:
    """Airflow's task logs begin at INFO, and a gigabyte is 128 blocks."""
    with caplog.at_level(logging.INFO):
        for size in (1000, 2 * BLOCK):
            written(container.sink(), b"x" * size).publish()
    # asyncio may tell of connections that another test left to the garbage collector.
    assert [record for record in caplog.records if record.name != "asyncio"] == []
