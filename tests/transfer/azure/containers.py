"""A container in Azure Blob Storage, as the tests write to it and look into it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from airflow_provider_batchdl.transfer.sinks import Sink, open_sink
from tests.bench.faults.s3_proxy import Meddler, s3_proxy
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


def written(sink: Sink, data: bytes, chunk: int = 3 * MIB + 1) -> Sink:
    for at in range(0, len(data), chunk):
        sink.write(memoryview(data)[at : at + chunk])
    return sink
