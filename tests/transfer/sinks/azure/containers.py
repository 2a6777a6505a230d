"""A container in Azure Blob Storage, as the tests write to it and read it."""

from __future__ import annotations

import contextlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlsplit

from airflow_provider_batchdl.transfer.sinks.base import Sink
from airflow_provider_batchdl.transfer.sinks.factory import open_sink
from bench.faults.hosts import serving
from bench.faults.s3_proxy import Meddler, call_name, s3_proxy
from tests.support.azurite import AzureStore, close_filesystem
from tests.support.store_proxy import Answer, StoreProxyHandler

MIB = 1 << 20


class Container:
    """A fresh container and two ways to read it."""

    def __init__(self, store: AzureStore) -> None:
        self.store = store
        self.name = store.container()
        self.fs = store.filesystem()
        self.client = store.client().get_container_client(self.name)

    def sink(self, name: str = "x", fs: Any = None, **hints: Any) -> Sink:
        return open_sink(fs or self.fs, f"{self.name}/{name}", f"abfs://conn@{self.name}/{name}", **hints)

    @contextlib.contextmanager
    def connected(self, connection_string: str) -> Iterator[Any]:
        fs = self.store.filesystem(connection_string=connection_string)
        try:
            yield fs
        finally:
            close_filesystem(fs)

    @contextlib.contextmanager
    def behind(self, meddler: Meddler) -> Iterator[Any]:
        """A file system whose calls go through a proxy."""
        with s3_proxy(self.store.url, meddler) as url, self.connected(self.store.at(url).connection_string) as fs:
            yield fs

    @contextlib.contextmanager
    def damaging(self, call: str, act: Literal["flip", "drop", "repeat", "swap"]) -> Iterator[Any]:
        """A file system behind a proxy that harms requests of a kind, and lets the rest through.

        It flips a bit of each, says of the first that it was carried out, carries each out twice, or gives each the
        id of another block.
        """
        dropped: list[str] = []

        class Proxy(StoreProxyHandler):
            target = urlsplit(self.store.url).netloc

            def answer(self) -> None:
                body = self.body()
                if self.command == "PUT" and call_name(self.command, self.path) == call:
                    if act == "flip":
                        body[len(body) // 2] ^= 1
                    elif act == "drop" and not dropped:
                        dropped.append(self.path)
                        self.reply(Answer(201, []))
                        return
                    elif act == "repeat":
                        self.carried_out(body)
                    elif act == "swap":
                        block = parse_qs(urlsplit(self.path).query)["blockid"][0]
                        number = b64decode(block)[-8:]
                        other = b64encode(b64decode(block)[:-8] + b"%08d" % (1 - int(number))).decode()
                        self.path = self.path.replace(quote(block, safe=""), quote(other, safe=""))
                self.reply(self.carried_out(body))

        with serving(Proxy, "127.0.0.1") as url, self.connected(self.store.at(url).connection_string) as fs:
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
