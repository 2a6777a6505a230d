"""A fresh bucket in the test store, and ways to look into it."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

from airflow_provider_batchdl.transfer.sinks.base import Sink
from airflow_provider_batchdl.transfer.sinks.factory import open_sink
from tests.support.seaweedfs import S3Store


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


@contextlib.contextmanager
def fresh_bucket(store: S3Store) -> Iterator[Bucket]:
    """A bucket of its own."""
    bucket = Bucket(store)
    try:
        yield bucket
    finally:
        close_fs(bucket.fs)
        bucket.client.close()


@contextlib.contextmanager
def running_moto() -> Iterator[S3Store]:
    """moto's S3 on a free port: another reading of the protocol. It prints the addresses it is asked for."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3Store(f"http://{host}:{port}", "testing", "teststoresecret")
    finally:
        server.stop()
