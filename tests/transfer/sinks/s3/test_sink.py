"""Objects on S3: whole or not there, no upload left open. Against a real S3 server."""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.cleanup import sweep
from airflow_provider_batchdl.transfer.sinks import buffered
from airflow_provider_batchdl.transfer.sinks.base import Sink
from airflow_provider_batchdl.transfer.sinks.factory import open_sink, write_small
from airflow_provider_batchdl.transfer.sinks.s3 import sink as s3_module
from airflow_provider_batchdl.transfer.sinks.s3.api import S3Object
from airflow_provider_batchdl.transfer.sinks.s3.multipart import composite_etag
from airflow_provider_batchdl.transfer.sinks.s3.sink import BLOCK
from tests.support.s3_bucket import Bucket, close_fs, fresh_bucket
from tests.support.seaweedfs import READER, S3Store

MIB = 1 << 20


@pytest.fixture
def bucket(s3_store: S3Store) -> Iterator[Bucket]:
    with fresh_bucket(s3_store) as bucket:
        yield bucket


@pytest.mark.parametrize(
    ("size", "chunk"),
    [
        *((size, 3 * MIB + 1) for size in (0, 1, 5 * MIB, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK)),
        (3 * BLOCK + 17, 64 << 10),
        (3 * BLOCK + 17, 64 * MIB),
    ],
)
def test_exact_bytes(bucket: Bucket, size: int, chunk: int) -> None:
    data = os.urandom(size)
    sink = bucket.sink("a/x.bin", expected_bytes=size)
    for at in range(0, size, chunk):
        sink.write(memoryview(data)[at : at + chunk])
    assert sink.written == size
    assert bucket.keys() == []
    etag = sink.publish()
    assert bucket.read("a/x.bin") == data
    assert etag == bucket.etag("a/x.bin")
    assert etag.endswith(f"-{-(-size // BLOCK)}") == (size > BLOCK)
    sink.discard()
    assert bucket.keys() == ["a/x.bin"]
    assert bucket.open_uploads() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=5)
@given(st.lists(st.integers(0, 7 * MIB), min_size=1, max_size=6))
def test_any_chunking(bucket: Bucket, sizes: list[int]) -> None:
    data = os.urandom(max(sizes))
    sink = bucket.sink("x")
    for size in sizes:
        sink.write(data[:size])
    sink.publish()
    assert bucket.read("x") == b"".join(data[:size] for size in sizes)


@pytest.mark.parametrize("size", [0, 1000, 3 * BLOCK])
@pytest.mark.parametrize("sealed", [False, True])
def test_discard_leaves_nothing(bucket: Bucket, size: int, sealed: bool) -> None:
    sink = bucket.sink("x")
    sink.write(b"x" * size)
    if sealed:
        sink.finalize()
    sink.discard()
    sink.discard()
    assert bucket.keys() == []
    assert bucket.open_uploads() == []
    for use in (sink.publish, sink.restart, sink.finalize):
        with pytest.raises(DestinationError, match="already published or discarded"):
            use()
    del sink
    gc.collect()


@pytest.mark.parametrize("size", [0, 1000, BLOCK, 3 * BLOCK])
def test_seal_then_publish(bucket: Bucket, size: int) -> None:
    data = os.urandom(size)
    sink = bucket.sink("x")
    sink.write(data)
    sink.finalize()
    assert bucket.keys() == []
    with pytest.raises(DestinationError):
        sink.write(b"more")
    assert sink.publish() == bucket.etag("x")
    assert bucket.read("x") == data
    assert bucket.open_uploads() == []


def test_restart(bucket: Bucket) -> None:
    sink = bucket.sink("x")
    sink.write(b"old" * BLOCK)
    sink.restart()
    assert sink.written == 0
    assert bucket.open_uploads() == []
    data = os.urandom(2 * BLOCK + 5)
    sink.write(data)
    sink.publish()
    assert bucket.read("x") == data
    assert bucket.open_uploads() == []


def test_parts_that_grow_hold_every_byte(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_module, "BLOCK", 5 * MIB)
    monkeypatch.setattr(s3_module, "GROW_EVERY", 2)
    data = os.urandom(37 * MIB)
    sink = bucket.sink("x")
    for at in range(0, len(data), MIB // 2):
        sink.write(data[at : at + MIB // 2])
    etag = sink.publish()
    assert etag is not None
    assert etag.endswith("-5")
    assert bucket.read("x") == data


def test_the_listing_cache_is_told(bucket: Bucket) -> None:
    assert bucket.fs.ls(bucket.name) == []
    write_small(bucket.fs, f"{bucket.name}/x", "x", b"1")
    assert bucket.fs.ls(bucket.name) == [f"{bucket.name}/x"]


@pytest.mark.parametrize(("size", "meanwhile"), [(0, False), (1000, True), (2 * BLOCK, False), (2 * BLOCK, True)])
def test_create_only(bucket: Bucket, size: int, meanwhile: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(size)
    sink = bucket.sink("x", create_only=True)
    sink.write(data)
    assert sink.publish() == bucket.etag("x")
    if meanwhile:  # it appears after the last look: the store itself refuses
        monkeypatch.setattr(S3Object, "exists", lambda self: False)
    sink = bucket.sink("x", create_only=True)
    sink.write(b"y" * (size + 1))
    with pytest.raises(DestinationError, match="exists already") as caught:
        sink.publish()
    assert not caught.value.retryable
    assert bucket.read("x") == data
    assert bucket.open_uploads() == []


@pytest.mark.parametrize("size", [1000, 2 * BLOCK])
def test_create_only_and_a_lost_answer(bucket: Bucket, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client repeats the last request, which then finds the object it has made itself."""
    call, send = S3Object.request, S3Object.send_async

    def call_twice(self: S3Object, method: str, **arguments: Any) -> Any:
        if method == "complete_multipart_upload":
            call(self, method, **arguments)
        return call(self, method, **arguments)

    async def send_twice(self: S3Object, method: str, body: Any, **arguments: Any) -> Any:
        if method == "put_object":
            await send(self, method, body, **arguments)
        return await send(self, method, body, **arguments)

    monkeypatch.setattr(S3Object, "request", call_twice)
    monkeypatch.setattr(S3Object, "send_async", send_twice)
    sink = bucket.sink("x", create_only=True)
    sink.write(os.urandom(size))
    assert sink.publish() == bucket.etag("x")


def test_sweep_aborts_old_uploads_below_the_prefix(bucket: Bucket) -> None:
    for key in ("a/x", "a/y", "b/x"):
        bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key)
    assert sweep(bucket.fs, f"{bucket.name}/a/") == []
    swept = sweep(bucket.fs, f"{bucket.name}/a/", older_than=timedelta(seconds=-60))
    assert sorted(swept) == [f"{bucket.name}/a/x", f"{bucket.name}/a/y"]
    assert bucket.open_uploads() == ["b/x"]
    with pytest.raises(DestinationError, match="Create the bucket"):
        sweep(bucket.fs, f"{bucket.name}-missing/a/")


def test_a_missing_bucket(bucket: Bucket) -> None:
    missing = f"{bucket.name}-missing"
    for size in (1, 2 * BLOCK):
        sink = open_sink(bucket.fs, f"{missing}/x", f"s3://{missing}/x")
        with pytest.raises(DestinationError, match="NoSuchBucket") as caught:
            _write_and_publish(sink, size)
        assert f"s3://{missing}/x" in str(caught.value)
        assert "Create the bucket" in str(caught.value)
        assert not caught.value.retryable
        sink.discard()


@pytest.mark.parametrize(
    ("size", "key", "secret", "code"),
    [
        (1, *READER, "AccessDenied"),
        (2 * BLOCK, *READER, "AccessDenied"),
        (1, "AKNOBODY", "nobodysecret", "InvalidAccessKeyId"),
        (2 * BLOCK, None, "wrongsecret", "Signature"),
    ],
)
def test_refused_credentials(bucket: Bucket, size: int, key: str | None, secret: str, code: str) -> None:
    fs = bucket.store.filesystem(key=key or bucket.store.access_key, secret=secret)
    try:
        sink = bucket.sink("x", fs)
        with pytest.raises(DestinationError, match=code) as caught:
            _write_and_publish(sink, size)
        text = f"{caught.value} {caught.value.__cause__}"
        assert "credentials" in text
        assert secret not in text
        assert bucket.store.secret_key not in text
        assert caught.value.__suppress_context__
        sink.discard()
    finally:
        close_fs(fs)
    assert bucket.keys() == bucket.open_uploads() == []


def test_nobody_listens(bucket: Bucket) -> None:
    fs = bucket.store.filesystem(
        endpoint_url="http://127.0.0.1:9", config_kwargs={"retries": {"max_attempts": 1}, "connect_timeout": 2}
    )
    try:
        with pytest.raises(DestinationError, match="can reach it"):
            _write_and_publish(bucket.sink("x", fs), 2 * BLOCK)
    finally:
        close_fs(fs)


def test_a_signal_while_the_upload_is_created(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    sink = bucket.sink("x")
    with monkeypatch.context() as patched:
        patched.setattr(S3Object, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sink.write(b"x" * (BLOCK + 1))
    sink.discard()
    assert bucket.keys() == bucket.open_uploads() == []


def test_a_lost_completion_answer(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client repeats a completion whose answer was lost; the store then knows no such upload."""
    real = S3Object.request

    def twice(self: S3Object, method: str, **arguments: Any) -> Any:
        if method == "complete_multipart_upload":
            real(self, method, **arguments)
        return real(self, method, **arguments)

    monkeypatch.setattr(S3Object, "request", twice)
    sink = bucket.sink("x")
    sink.write(b"x" * (2 * BLOCK))
    assert sink.publish() == bucket.etag("x")


def test_an_upload_aborted_by_others(bucket: Bucket) -> None:
    sink = bucket.sink("x")
    sink.write(b"x" * (2 * BLOCK + 1))
    sink.finalize()
    for upload in bucket.client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]:
        bucket.client.abort_multipart_upload(Bucket=bucket.name, Key="x", UploadId=upload["UploadId"])
    with pytest.raises(DestinationError, match=r"NoSuchUpload.*aborted by something else"):
        sink.publish()
    sink.discard()
    assert bucket.keys() == []


@pytest.mark.parametrize("lost", [2, 99])
def test_a_body_is_rewound_before_it_is_sent_again(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, lost: int) -> None:
    """The store's client loses its first answers; the object is made all the same."""
    from botocore.exceptions import HTTPClientError

    bucket.fs.connect()
    real, sent = bucket.fs.s3.put_object, []

    async def put_object(**arguments: Any) -> Any:
        answer = await real(**arguments)
        sent.append(answer)
        if len(sent) <= lost:
            raise HTTPClientError(error="lost")
        return answer

    monkeypatch.setattr(bucket.fs.s3, "put_object", put_object)
    if lost < bucket.fs.retries:
        write_small(bucket.fs, f"{bucket.name}/x", "x", b"all of it")
        assert len(sent) == lost + 1
    else:
        with pytest.raises(DestinationError) as caught:
            write_small(bucket.fs, f"{bucket.name}/x", "x", b"all of it")
        assert caught.value.retryable
        assert len(sent) == bucket.fs.retries
    assert bucket.read("x") == b"all of it"


@pytest.mark.parametrize("path", ["", "only-a-bucket", "bucket/", "bucket/folder/"])
def test_no_object_named(bucket: Bucket, path: str) -> None:
    with pytest.raises(DestinationError, match="names no object"):
        open_sink(bucket.fs, path, f"s3://{path}")


def test_composite_etag() -> None:
    empty = hashlib.md5(b"", usedforsecurity=False)
    expected = hashlib.md5(2 * empty.digest(), usedforsecurity=False).hexdigest()
    assert composite_etag([empty.hexdigest()] * 2) == f"{expected}-2"
    assert composite_etag(["no md5"]) is None


def _write_and_publish(sink: Sink, size: int) -> None:
    sink.write(b"x" * size)
    sink.publish()


def test_many_small_objects_that_wait_to_be_published_are_not_in_memory(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffered, "MOST_HELD", 300_000)
    data = [os.urandom(100_000) for _ in range(6)]
    sinks = [bucket.sink(f"x{number}") for number in range(6)]
    for sink, content in zip(sinks, data, strict=True):
        sink.write(content)
        sink.finalize()
    assert sorted(bucket.open_uploads()) == ["x3", "x4", "x5"]
    assert bucket.keys() == []
    for sink in sinks:
        sink.publish()
    assert [bucket.read(f"x{number}") for number in range(6)] == data
    later = bucket.sink("y")
    later.write(data[0])
    later.finalize()
    assert bucket.open_uploads() == []
    later.discard()
