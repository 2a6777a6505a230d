"""Google Cloud Storage: objects whole or not there, no upload left open. Over real sockets, through gcsfs."""

from __future__ import annotations

import gc
import os

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.buffered import SMALL
from airflow_provider_batchdl.transfer.sinks.factory import open_sink, write_small
from airflow_provider_batchdl.transfer.sinks.gcs import CHUNK, GRAIN, GcsSink
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import GcsStore
from tests.transfer.sinks.gcs.objects import LARGE, MIB, sink_to, write_and_publish


@pytest.mark.parametrize(
    ("size", "piece"),
    [
        *((size, 3 * MIB + 1) for size in (0, 1, GRAIN, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, LARGE)),
        (LARGE, 64 << 10),
        (LARGE, 64 * MIB),
    ],
)
def test_exact_bytes(gcs_bucket: GcsBucket, size: int, piece: int) -> None:
    data = os.urandom(size)
    sink = sink_to(gcs_bucket, "a/x y+é.bin", expected_bytes=size)
    for at in range(0, size, piece):
        sink.write(memoryview(data)[at : at + piece])
    assert sink.written == size
    assert gcs_bucket.keys() == []
    etag = sink.publish()
    assert gcs_bucket.read("a/x y+é.bin") == data
    assert etag == gcs_bucket.resource("a/x y+é.bin")["etag"]
    sink.discard()
    assert gcs_bucket.keys() == ["a/x y+é.bin"]


@pytest.mark.parametrize("size", [0, 1000, GRAIN, GRAIN + 1, CHUNK, CHUNK + GRAIN, LARGE])
def test_finalize_then_publish(gcs_bucket: GcsBucket, size: int) -> None:
    data = os.urandom(size)
    sink = sink_to(gcs_bucket)
    sink.write(data)
    sink.finalize()
    assert gcs_bucket.keys() == []
    assert isinstance(sink, GcsSink)
    assert (sink._buffer.size if sink._buffer else len(sink._upload._rest) if sink._upload else 0) <= SMALL
    with pytest.raises(DestinationError):
        sink.write(b"more")
    assert sink.publish() == gcs_bucket.resource("x")["etag"]
    assert gcs_bucket.read("x") == data


def test_an_object_is_replaced_whole(gcs_bucket: GcsBucket) -> None:
    fs = gcs_bucket.filesystem()
    assert fs.ls(gcs_bucket.name) == []
    for data in (os.urandom(LARGE), b"new", os.urandom(CHUNK + 1)):
        write_and_publish(sink_to(gcs_bucket, fs=fs), data)
        assert gcs_bucket.read("x") == data
        assert fs.ls(gcs_bucket.name) == [f"{gcs_bucket.name}/x"]  # the file system's cache is up to date
        assert fs.info(f"{gcs_bucket.name}/x")["size"] == len(data)


def test_the_file_system_that_connections_give(bucket: GcsBucket) -> None:
    """Its class is another one, and asks for a bucket's kind with gRPC, which nobody here answers."""
    import gcsfs

    fs = gcsfs.GCSFileSystem(token="anon", endpoint_url=bucket.endpoint_url, skip_instance_cache=True)
    bucket.opened.append(fs)
    data = os.urandom(LARGE)
    write_and_publish(sink_to(bucket, fs=fs), data)
    write_small(fs, f"{bucket.name}/small", "small", b"1")
    assert bucket.read("x") == data
    assert bucket.keys() == ["small", "x"]


@pytest.mark.parametrize("size", [0, 1000, LARGE])
@pytest.mark.parametrize("finalized", [False, True])
def test_discard_leaves_nothing(bucket: GcsBucket, server: GcsStore, size: int, finalized: bool) -> None:
    sink = sink_to(bucket)
    sink.write(b"x" * size)
    if finalized:
        sink.finalize()
    sink.discard()
    sink.discard()
    assert bucket.keys() == server.open_sessions() == []
    for use in (sink.publish, sink.restart, sink.finalize):
        with pytest.raises(DestinationError, match="already published or discarded"):
            use()
    del sink
    gc.collect()


def test_restart(bucket: GcsBucket, server: GcsStore) -> None:
    sink = sink_to(bucket)
    sink.write(b"old" * CHUNK)
    sink.restart()
    assert sink.written == 0
    assert server.open_sessions() == []
    data = os.urandom(LARGE)
    assert write_and_publish(sink, data) == bucket.resource("x")["etag"]
    assert bucket.read("x") == data
    assert server.open_sessions() == []


@pytest.mark.parametrize("size", [1000, CHUNK, LARGE])
@pytest.mark.parametrize("finalized", [False, True])
def test_a_sink_that_nobody_ends_publishes_nothing(bucket: GcsBucket, size: int, finalized: bool) -> None:
    """Google's own file object would: Python closes it, and closing publishes what was written so far."""
    sink = sink_to(bucket)
    sink.write(b"x" * size)
    if finalized:
        sink.finalize()
    del sink
    gc.collect()
    assert bucket.keys() == []


@pytest.mark.parametrize("path", ["", "only-a-bucket", "bucket/", "bucket/folder/"])
def test_no_object_named(bucket: GcsBucket, path: str) -> None:
    with pytest.raises(DestinationError, match="names no object"):
        open_sink(bucket.filesystem(), path, f"gs://{path}")
