"""Azure blobs: whole or not there. Against a real server of Azure's protocol."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks import Sink, open_sink, write_small
from airflow_provider_batchdl.transfer.sinks import azure as azure_module
from airflow_provider_batchdl.transfer.sinks.azure import (
    BLOCK,
    GROW_EVERY,
    MAX_BLOCKS,
    PLANNED_BLOCKS,
    SMALL,
    AzureSink,
    block_size,
)
from airflow_provider_batchdl.transfer.sinks.azure_blocks import AzureBlob
from tests.bench.faults.s3_proxy import Meddler, StoreFault, s3_proxy
from tests.support.azurite import AzureStore, close_filesystem

MIB = 1 << 20


class Container:
    """A fresh container and two ways to look into it."""

    def __init__(self, store: AzureStore) -> None:
        self.store = store
        self.name = store.container()
        self.fs = store.filesystem()
        self.client = store.client().get_container_client(self.name)

    def sink(self, name: str = "x", fs: Any = None, **hints: Any) -> Sink:
        return open_sink(fs or self.fs, f"{self.name}/{name}", f"abfs://conn@{self.name}/{name}", **hints)

    @contextlib.contextmanager
    def as_told(self, connection_string: str) -> Iterator[Any]:
        fs = self.store.filesystem(connection_string=connection_string)
        try:
            yield fs
        finally:
            close_filesystem(fs)

    @contextlib.contextmanager
    def behind(self, meddler: Meddler) -> Iterator[Any]:
        """A file system whose calls go through a proxy."""
        with s3_proxy(self.store.url, meddler) as url, self.as_told(self.store.at(url).connection_string) as fs:
            yield fs

    def names(self) -> list[str]:
        return [blob.name for blob in self.client.list_blobs()]

    def unfinished(self, name: str = "x") -> int:
        return len(self.client.get_blob_client(name).get_block_list("uncommitted")[1])

    def read(self, name: str = "x") -> bytes:
        return bytes(self.client.download_blob(name).readall())

    def etag(self, name: str = "x") -> str:
        return str(self.client.get_blob_client(name).get_blob_properties().etag).strip('"')


@pytest.fixture
def container(azure_store: AzureStore) -> Iterator[Container]:
    container = Container(azure_store)
    yield container
    close_filesystem(container.fs)
    container.client.close()


def written(sink: Sink, data: bytes, chunk: int = 3 * MIB + 1) -> Sink:
    for at in range(0, len(data), chunk):
        sink.write(memoryview(data)[at : at + chunk])
    return sink


@pytest.mark.parametrize("size", [0, 1, SMALL, SMALL + 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17])
@pytest.mark.parametrize("chunk", [64 << 10, 3 * MIB + 1, 64 * MIB])
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


def test_blocks_that_grow_reuse_their_buffers_exactly(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_module, "BLOCK", MIB)
    monkeypatch.setattr(azure_module, "GROW_EVERY", 4)
    data = os.urandom(40 * MIB)
    written(container.sink(), data, MIB // 2).publish()
    assert hashlib.sha256(container.read()).digest() == hashlib.sha256(data).digest()
    sizes = [block.size for block in container.client.get_blob_client("x").get_block_list()[0]]
    assert sizes[:9] == [MIB] * 4 + [2 * MIB] * 4 + [4 * MIB]


@pytest.mark.parametrize("size", [0, 1000, BLOCK, 3 * BLOCK])
@pytest.mark.parametrize("sealed", [False, True])
def test_discard_leaves_nothing_visible(container: Container, size: int, sealed: bool) -> None:
    sink = written(container.sink(), b"x" * size)
    if sealed:
        sink.seal()
    sink.discard()
    sink.discard()
    assert container.names() == []
    for use in (sink.publish, sink.restart, sink.seal):
        with pytest.raises(DestinationError, match="already published or discarded"):
            use()


@pytest.mark.parametrize("size", [0, 1000, BLOCK, 3 * BLOCK])
def test_seal_then_publish(container: Container, size: int) -> None:
    data = os.urandom(size)
    sink = written(container.sink(), data)
    sink.seal()
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


def test_the_listing_cache_is_told(container: Container) -> None:
    assert container.fs.ls(container.name) == []
    write_small(container.fs, f"{container.name}/x", "x", b"1")
    assert container.fs.ls(container.name) == [f"{container.name}/x"]


@pytest.mark.parametrize("size", [0, 1000, 2 * BLOCK])
def test_create_only(container: Container, size: int) -> None:
    data = os.urandom(size)
    assert written(container.sink(create_only=True), data).publish() == container.etag()
    sink = written(container.sink(create_only=True), b"y" * (size + 1))
    with pytest.raises(DestinationError, match="exists already") as caught:
        sink.publish()
    assert not caught.value.retryable
    assert container.read() == data


@pytest.mark.parametrize("size", [1000, BLOCK + 1])
def test_of_many_who_create_one_object_one_succeeds(container: Container, size: int) -> None:
    contents = [bytes([65 + number]) * size for number in range(4)]
    sinks = [written(container.sink(create_only=True), content) for content in contents]
    for sink in sinks:
        sink.seal()
    together = threading.Barrier(len(sinks))
    outcome: dict[int, str] = {}

    def publish(number: int) -> None:
        together.wait(30)
        try:
            sinks[number].publish()
            outcome[number] = "published"
        except DestinationError as error:
            outcome[number] = str(error)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(len(sinks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    [winner] = [number for number, said in outcome.items() if said == "published"]
    assert container.read() == contents[winner]
    assert all("exists already" in outcome[number] for number in range(len(sinks)) if number != winner)


def test_two_writers_do_not_mix(container: Container) -> None:
    first, second = (written(container.sink(), letter * (2 * BLOCK + 1)) for letter in (b"a", b"b"))
    first.seal()
    second.seal()
    first.publish()
    with pytest.raises(DestinationError, match="Something else has written") as caught:
        second.publish()
    assert caught.value.retryable
    assert container.read() == b"a" * (2 * BLOCK + 1)


class LosesOneAnswer:
    """Breaks the connection off after the store has carried out a call."""

    def __init__(self, call: str) -> None:
        self.call: str | None = call

    def before(self, call: str) -> None:
        return None

    def after(self, call: str) -> None:
        if call == self.call:
            self.call = None
            raise ConnectionAbortedError


@pytest.mark.parametrize(
    ("size", "create_only", "call"),
    [
        (1000, False, "other"),
        (1000, True, "complete"),
        (2 * BLOCK, False, "part"),
        (2 * BLOCK, False, "complete"),
        (2 * BLOCK, True, "complete"),
    ],
)
def test_a_lost_answer(container: Container, size: int, call: str, create_only: bool) -> None:
    """The client repeats the request, which then finds the blob it has made itself."""
    data, meddler = os.urandom(size), LosesOneAnswer(call)
    with container.behind(meddler) as fs:
        assert written(container.sink(fs=fs, create_only=create_only), data).publish() == container.etag()
    assert meddler.call is None
    assert container.read() == data


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("call", ["part", "complete"])
def test_what_fails_in_passing_is_repeated(container: Container, call: str, status: int) -> None:
    data, fault = os.urandom(3 * BLOCK), StoreFault(call, status, times=2)
    with container.behind(fault) as fs:
        written(container.sink(fs=fs), data).publish()
    assert fault.struck == 2
    assert container.read() == data


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("call", ["part", "complete"])
def test_what_keeps_failing_is_told(container: Container, call: str, status: int) -> None:
    with container.behind(StoreFault(call, status, times=1000)) as fs:
        sink = container.sink(fs=fs)
        with pytest.raises(DestinationError, match=r"cannot (upload|publish)") as caught:
            written(sink, b"x" * 3 * BLOCK).publish()
        sink.discard()
    assert caught.value.retryable
    assert caught.value.__suppress_context__
    assert container.names() == []


def test_the_connections_time_outs_go_with_every_call(container: Container) -> None:
    told = {"timeout": 40, "connection_timeout": 20, "read_timeout": 50}
    fs = container.store.filesystem(**told)
    try:
        for size, create_only in ((1000, False), (2 * BLOCK, False), (1000, True)):
            sink = written(container.sink(f"{size}{create_only}", fs, create_only=create_only), b"x" * size)
            assert isinstance(sink, AzureSink)
            assert sink._blob._settings.items() >= told.items()
            sink.publish()
    finally:
        close_filesystem(fs)
    assert len(container.names()) == 3


@pytest.mark.parametrize("size", [1, 2 * BLOCK])
class TestRefusals:
    def test_a_missing_container(self, container: Container, size: int) -> None:
        sink = open_sink(container.fs, f"{container.name}-no/x", f"abfs://{container.name}-no/x")
        with pytest.raises(DestinationError, match=r"ContainerNotFound.*Create the bucket or container") as caught:
            written(sink, b"x" * size).publish()
        assert f"abfs://{container.name}-no/x" in str(caught.value)
        assert not caught.value.retryable

    @pytest.mark.parametrize(("permissions", "hours"), [("rl", 1), ("rcwl", -1)])
    def test_a_signature_that_does_not_suffice(
        self, container: Container, size: int, permissions: str, hours: float
    ) -> None:
        told = container.store.connection_string_with_sas(container.name, permissions, hours=hours)
        with container.as_told(told) as fs, pytest.raises(DestinationError, match=r"Auth\w+: .*credentials") as caught:
            written(container.sink(fs=fs), b"x" * size).publish()
        assert not caught.value.retryable
        assert "sig" not in str(caught.value).replace("signature", "")
        assert container.names() == []

    def test_a_signature_that_may_only_create(self, container: Container, size: int) -> None:
        told = container.store.connection_string_with_sas(container.name, "cw")
        with container.as_told(told) as fs:
            written(container.sink(fs=fs, create_only=True), b"x" * size).publish()
        assert container.read() == b"x" * size

    def test_a_wrong_key(self, container: Container, size: int) -> None:
        told = container.store.connection_string.replace("teststoresecret", "wrongtestsecret")
        with container.as_told(told) as fs, pytest.raises(DestinationError, match="credentials") as caught:
            written(container.sink(fs=fs), b"x" * size).publish()
        assert not caught.value.retryable

    def test_nobody_listens(self, container: Container, size: int) -> None:
        told = container.store.at("http://127.0.0.1:9").connection_string
        with container.as_told(told) as fs, pytest.raises(DestinationError, match="can reach it") as caught:
            written(container.sink(fs=fs), b"x" * size).publish()
        assert caught.value.retryable


def test_a_blob_of_another_kind_is_in_the_way(container: Container) -> None:
    container.client.get_blob_client("x").create_append_blob()
    with pytest.raises(DestinationError, match=r"InvalidBlobType.*append or page blob") as caught:
        written(container.sink(), b"x" * 2 * BLOCK).publish()
    assert not caught.value.retryable


def test_unfinished_uploads_of_another_form_are_in_the_way(container: Container) -> None:
    container.client.get_blob_client("x").stage_block("short", b"1")
    with pytest.raises(DestinationError, match="Unfinished uploads of others"):
        written(container.sink(), b"x" * 2 * BLOCK).publish()


@pytest.mark.parametrize("path", ["", "only-a-container", "container/", "container/folder/"])
def test_no_object_named(container: Container, path: str) -> None:
    with pytest.raises(DestinationError, match="names no object"):
        open_sink(container.fs, path, f"abfs://{path}")


def test_a_signal_while_blocks_travel(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's time-outs and SIGTERM raise in the main thread, wherever it is; `discard` then cleans up."""

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    sink = written(container.sink(), b"x" * (2 * BLOCK + 1))
    assert isinstance(sink, AzureSink)
    with monkeypatch.context() as patched:
        patched.setattr(AzureBlob, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sink.publish()
    assert sink._blob._under_way
    sink.discard()
    assert not sink._blob._under_way
    assert container.names() == []


_WRITER = """
import sys, time, adlfs
from airflow_provider_batchdl.transfer.sinks import open_sink
fs = adlfs.AzureBlobFileSystem(connection_string=sys.stdin.readline().strip())
sink = open_sink(fs, sys.argv[1], "abfs://x")
sink.write(b"x" * (3 << 23))
sink.seal()
print("sent", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("size", [0, 1000, 2 * BLOCK])
@pytest.mark.parametrize("create_only", [False, True])
def test_a_killed_writer_leaves_nothing_visible_and_is_not_in_the_way(
    container: Container, size: int, create_only: bool
) -> None:
    command = [sys.executable, "-c", _WRITER, f"{container.name}/x"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write(container.store.connection_string + "\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == "sent\n"
        writer.kill()
    assert container.names() == []
    assert container.unfinished() == 3
    data = os.urandom(size)
    written(container.sink(create_only=create_only), data).publish()
    assert container.read() == data


def test_no_request_is_logged(container: Container, caplog: pytest.LogCaptureFixture) -> None:
    """Airflow's task logs begin at INFO, and a gigabyte is 128 blocks."""
    with caplog.at_level(logging.INFO):
        for size in (1000, 2 * BLOCK):
            written(container.sink(), b"x" * size).publish()
    assert caplog.records == []


class TestBlockSize:
    def test_is_eight_mebibytes_up_to_three_hundred_gigabytes(self) -> None:
        assert {block_size(0, size) for size in (None, 0, 1, 350 * 1024**3)} == {BLOCK}

    @given(st.integers(1, 170 * 1024**4))
    def test_every_blob_azure_takes_fits(self, size: int) -> None:
        assert block_size(0, size) * PLANNED_BLOCKS >= size
        assert block_size(0, size) == block_size(size // block_size(0, size), size) <= 4000 * MIB

    def test_grows_where_nothing_or_too_little_was_announced(self) -> None:
        for announced in (None, 1, 100 * 1024**3):
            assert sum(block_size(number, announced) for number in range(MAX_BLOCKS)) > 1024**4
        assert block_size(GROW_EVERY, None) == 2 * BLOCK
