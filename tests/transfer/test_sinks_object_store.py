"""Objects: whole or not there, no upload left open. Against a real S3 server, and any fsspec store."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import fsspec
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks import Sink, open_sink, write_small
from airflow_provider_batchdl.transfer.sinks import s3 as s3_module
from airflow_provider_batchdl.transfer.sinks.errors import clean
from airflow_provider_batchdl.transfer.sinks.s3 import BLOCK, GROW_EVERY, MAX_PARTS, PLANNED_PARTS, part_size
from airflow_provider_batchdl.transfer.sinks.s3_upload import S3Object, composite_etag
from airflow_provider_batchdl.transfer.sweep import sweep
from tests.support.seaweedfs import READER, S3Store

MIB = 1 << 20


class Bucket:
    """A fresh bucket and two ways to look into it."""

    def __init__(self, store: S3Store) -> None:
        self.store = store
        self.name = f"t-{uuid.uuid4().hex[:16]}"
        self.client = store.client()
        self.fs = store.filesystem()
        self.client.create_bucket(Bucket=self.name)

    def sink(self, key: str, fs: Any = None, **hints: Any) -> Sink:
        return open_sink(fs or self.fs, f"{self.name}/{key}", f"s3://conn@{self.name}/{key}", **hints)

    def keys(self) -> list[str]:
        return [entry["Key"] for entry in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]

    def open_uploads(self) -> list[str]:
        return [entry["Key"] for entry in self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])]

    def read(self, key: str) -> bytes:
        body = self.client.get_object(Bucket=self.name, Key=key)["Body"]
        with body:
            return bytes(body.read())

    def etag(self, key: str) -> str:
        return str(self.client.head_object(Bucket=self.name, Key=key)["ETag"]).strip('"')


def close_fs(fs: Any) -> None:
    """s3fs leaves its sockets to the garbage collector otherwise."""
    if fs._s3 is not None:
        fs.close_session(fs.loop, fs._s3creator)


@pytest.fixture
def bucket(s3_store: S3Store) -> Iterator[Bucket]:
    bucket = Bucket(s3_store)
    yield bucket
    close_fs(bucket.fs)
    bucket.client.close()


@pytest.mark.parametrize("size", [0, 1, 5 * MIB, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 17])
@pytest.mark.parametrize("chunk", [64 << 10, 3 * MIB + 1, 64 * MIB])
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


@pytest.mark.parametrize("size", [0, 1000, BLOCK, 3 * BLOCK])
@pytest.mark.parametrize("sealed", [False, True])
def test_discard_leaves_nothing(bucket: Bucket, size: int, sealed: bool) -> None:
    sink = bucket.sink("x")
    sink.write(b"x" * size)
    if sealed:
        sink.seal()
    sink.discard()
    sink.discard()
    assert bucket.keys() == []
    assert bucket.open_uploads() == []
    for use in (sink.publish, sink.restart, sink.seal):
        with pytest.raises(DestinationError, match="already published or discarded"):
            use()
    del sink
    gc.collect()


@pytest.mark.parametrize("size", [0, 1000, BLOCK, 3 * BLOCK])
def test_seal_then_publish(bucket: Bucket, size: int) -> None:
    data = os.urandom(size)
    sink = bucket.sink("x")
    sink.write(data)
    sink.seal()
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


def test_parts_that_grow_reuse_their_buffers_exactly(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.parametrize("size", [0, 1000, 2 * BLOCK])
@pytest.mark.parametrize("meanwhile", [False, True])
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
    call, send = S3Object.call, S3Object.send_async

    def call_twice(self: S3Object, method: str, **arguments: Any) -> Any:
        if method == "complete_multipart_upload":
            call(self, method, **arguments)
        return call(self, method, **arguments)

    async def send_twice(self: S3Object, method: str, body: Any, **arguments: Any) -> Any:
        if method == "put_object":
            await send(self, method, body, **arguments)
        return await send(self, method, body, **arguments)

    monkeypatch.setattr(S3Object, "call", call_twice)
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


@pytest.mark.parametrize("size", [1, 2 * BLOCK])
@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [(*READER, "AccessDenied"), ("AKNOBODY", "nobodysecret", "InvalidAccessKeyId"), (None, "wrongsecret", "Signature")],
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


def test_a_part_that_fails_aborts_the_upload(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    real = S3Object.send_async

    async def third_fails(self: S3Object, method: str, body: Any, **arguments: Any) -> Any:
        if arguments.get("PartNumber") == 3:
            raise ConnectionResetError("cut; see http://127.0.0.1/bucket/x?X-Amz-Signature=abc")
        return await real(self, method, body, **arguments)

    monkeypatch.setattr(S3Object, "send_async", third_fails)
    sink = bucket.sink("x")
    with pytest.raises(DestinationError) as caught:
        _write_and_publish(sink, 6 * BLOCK)
    assert "X-Amz-Signature" not in str(caught.value)
    sink.discard()
    assert bucket.keys() == bucket.open_uploads() == []


def test_a_signal_while_a_part_travels(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's time-outs and SIGTERM raise in the main thread, wherever it is; `discard` then cleans up."""
    real = S3Object.send_async

    async def slow(self: S3Object, method: str, body: Any, **arguments: Any) -> Any:
        if arguments.get("PartNumber") == 2:
            await asyncio.sleep(30)
        return await real(self, method, body, **arguments)

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(S3Object, "send_async", slow)
    sink = bucket.sink("x")
    sink.write(b"x" * (2 * BLOCK + 1))
    assert bucket.open_uploads() == ["x"]
    with monkeypatch.context() as patched:
        patched.setattr(S3Object, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sink.publish()
    sink.discard()
    assert bucket.keys() == bucket.open_uploads() == []


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
    real = S3Object.call

    def twice(self: S3Object, method: str, **arguments: Any) -> Any:
        if method == "complete_multipart_upload":
            real(self, method, **arguments)
        return real(self, method, **arguments)

    monkeypatch.setattr(S3Object, "call", twice)
    sink = bucket.sink("x")
    sink.write(b"x" * (2 * BLOCK))
    assert sink.publish() == bucket.etag("x")


def test_an_upload_aborted_by_others(bucket: Bucket) -> None:
    sink = bucket.sink("x")
    sink.write(b"x" * (2 * BLOCK + 1))
    sink.seal()
    for upload in bucket.client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]:
        bucket.client.abort_multipart_upload(Bucket=bucket.name, Key="x", UploadId=upload["UploadId"])
    with pytest.raises(DestinationError):
        sink.publish()
    sink.discard()
    assert bucket.keys() == []


def test_a_body_is_rewound_before_it_is_sent_again(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import HTTPClientError

    bucket.fs.connect()
    client = bucket.fs.s3
    real = client.put_object
    failed: list[bool] = []

    async def put_object(**arguments: Any) -> Any:
        answer = await real(**arguments)
        if not failed:
            failed.append(True)
            raise HTTPClientError(error="lost")
        return answer

    monkeypatch.setattr(client, "put_object", put_object)
    write_small(bucket.fs, f"{bucket.name}/x", "x", b"all of it")
    assert failed
    assert bucket.read("x") == b"all of it"


@pytest.mark.parametrize("path", ["", "only-a-bucket", "bucket/", "bucket/folder/"])
def test_no_object_named(bucket: Bucket, path: str) -> None:
    with pytest.raises(DestinationError, match="names no object"):
        open_sink(bucket.fs, path, f"s3://{path}")


class TestPartSize:
    def test_is_eight_mebibytes_up_to_seventy_gigabytes(self) -> None:
        assert {part_size(1, size, fixed=False) for size in (None, 0, 1, 70 * 1024**3)} == {8 * MIB}

    @given(st.integers(1, 5 * 1024**4), st.booleans())
    def test_every_object_s3_takes_fits(self, size: int, fixed: bool) -> None:
        assert part_size(1, size, fixed=fixed) * PLANNED_PARTS >= size
        assert part_size(1, size, fixed=fixed) % MIB == 0

    def test_grows_where_nothing_was_announced(self) -> None:
        assert sum(part_size(number, None, fixed=False) for number in range(1, MAX_PARTS + 1)) > 480 * 1024**3
        assert part_size(GROW_EVERY + 1, None, fixed=False) == 2 * BLOCK
        assert part_size(MAX_PARTS, None, fixed=True) == BLOCK


def test_composite_etag() -> None:
    empty = hashlib.md5(b"", usedforsecurity=False)
    expected = hashlib.md5(2 * empty.digest(), usedforsecurity=False).hexdigest()
    assert composite_etag([{"ETag": f'"{empty.hexdigest()}"'}] * 2) == f"{expected}-2"
    assert composite_etag([{"ETag": '"no md5"'}]) is None


def test_clean_hides_secrets() -> None:
    text = clean("s3://key:secret@b/x failed: https://h.example/a?sig=abc&se=1 and 'http://h/b?x=y'")
    assert text == "s3://key:***@b/x failed: https://h.example/a?*** and 'http://h/b?***'"


def _write_and_publish(sink: Sink, size: int) -> None:
    sink.write(b"x" * size)
    sink.publish()


class TestOtherStores:
    @pytest.fixture(params=["memory", "dirfs"])
    def fs(self, request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Any]:
        if request.param == "dirfs":
            yield DirFileSystem(str(tmp_path), fsspec.filesystem("file"))
            return
        memory = fsspec.filesystem("memory")
        root = f"/{uuid.uuid4().hex}"
        yield DirFileSystemByPrefix(memory, root)
        memory.rm(root, recursive=True) if memory.exists(root) else None

    def test_whole_or_nothing(self, fs: Any) -> None:
        sink = open_sink(fs, "a/x.csv", "any://a/x.csv")
        sink.write(b"hello ")
        sink.write(memoryview(b"world"))
        assert not fs.exists("a/x.csv")
        sink.seal()
        assert not fs.exists("a/x.csv")
        sink.publish()
        sink.discard()
        assert fs.cat_file("a/x.csv") == b"hello world"
        assert [name.rpartition("/")[2] for name in fs.ls("a", detail=False)] == ["x.csv"]

    def test_overwrites(self, fs: Any) -> None:
        write_small(fs, "a/[x]*.csv", "any://a", b"old, longer")
        write_small(fs, "a/[x]*.csv", "any://a", b"new")
        assert fs.cat_file("a/[x]*.csv") == b"new"

    @pytest.mark.parametrize("sealed", [False, True])
    def test_discard_and_restart(self, fs: Any, sealed: bool) -> None:
        sink = open_sink(fs, "a/x.csv", "any://a/x.csv")
        sink.write(b"one")
        sink.restart()
        assert sink.written == 0
        sink.write(b"two")
        if sealed:
            sink.seal()
        sink.discard()
        sink.discard()
        assert fs.ls("a", detail=False) == []
        with pytest.raises(DestinationError):
            sink.publish()

    def test_a_short_object_is_not_published(self, fs: Any) -> None:
        sink = open_sink(fs, "a/x.csv", "any://a/x.csv")
        sink.write(b"one")
        sink.written += 1
        with pytest.raises(DestinationError, match="3 of 4 bytes"):
            sink.publish()
        assert fs.ls("a", detail=False) == []

    def test_no_object_named(self, fs: Any) -> None:
        with pytest.raises(DestinationError, match="names no object"):
            open_sink(fs, "a/", "any://a/")


class DirFileSystemByPrefix:
    """A memory file system under a prefix, without a move of its own (`DirFileSystem` has one)."""

    def __new__(cls, fs: Any, root: str) -> Any:
        from fsspec.spec import AbstractFileSystem

        class Prefixed(AbstractFileSystem):  # type: ignore[misc]
            cachable = False

            def _at(self, path: str) -> str:
                return f"{root}/{path.strip('/')}"

            def _open(self, path: str, mode: str = "rb", **_: Any) -> Any:
                return fs.open(self._at(path), mode)

            def makedirs(self, path: str, exist_ok: bool = False) -> None:
                fs.makedirs(self._at(path), exist_ok=exist_ok)

            def info(self, path: str, **_: Any) -> Any:
                return fs.info(self._at(path))

            def ls(self, path: str, detail: bool = True, **_: Any) -> Any:
                return fs.ls(self._at(path), detail=detail)

            def cp_file(self, path1: str, path2: str, **_: Any) -> None:
                fs.cp_file(self._at(path1), self._at(path2))

            def rm_file(self, path: str) -> None:
                fs.rm_file(self._at(path))

        return Prefixed()
