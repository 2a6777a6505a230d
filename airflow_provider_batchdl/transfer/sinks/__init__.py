"""Where results land: one object or file at a time, invisible until it is published whole.

`s3fs.open("wb")` and most file objects complete whatever was written when they are closed, also while an exception
unwinds. A `Sink` has no such path: only `publish` makes anything visible.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["Sink", "open_sink", "write_small"]


class Sink(Protocol):
    """One object being written; nothing of it is visible at `uri` until `publish`.

    Not thread-safe: one thread writes. Whoever opens a sink ends it with `publish` or `discard`, in a `finally`.
    Every method but `discard` raises `DestinationError` where the store refuses; by then the sink has already
    discarded itself.
    """

    uri: str
    written: int
    """Bytes taken since the start or the last `restart`."""

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`."""

    def restart(self) -> None:
        """Throw away all bytes so far; begin again at zero."""

    def seal(self) -> None:
        """Say that all bytes are there: hand them to the store, free what holds them, leave `publish` the last step.

        Optional; useful where several sinks are complete before the first is published. Nothing can be written
        afterwards, and `restart` is over.
        """

    def publish(self) -> str | None:
        """Make the whole object visible at once.

        Returns:
            The store's ETag, without quotes, where there is one.
        """

    def discard(self) -> None:
        """Leave nothing behind. Never raises, may be called again, and after a failed or a successful `publish`."""


def open_sink(fs: AbstractFileSystem, path: str, uri: str, *, expected_bytes: int | None = None) -> Sink:
    """Open the sink that fits the store.

    Args:
        fs: the fsspec file system, synchronous face.
        path: the object's path as `fs` names it (`ObjectStoragePath.path`).
        uri: the object's address for people: messages and `LandedFile.uri`.
        expected_bytes: the whole size in bytes where it is known; used to fail early on a full disk and to choose
            S3 part sizes. It is a hint: a sink takes more or less.

    Raises:
        DestinationError: the destination cannot be written (a folder, read-only, no space, …).
    """
    from fsspec.implementations.local import LocalFileSystem

    if isinstance(fs, LocalFileSystem):
        from airflow_provider_batchdl.transfer.sinks.local import LocalSink

        return LocalSink(fs._strip_protocol(path), uri, expected_bytes=expected_bytes)
    # An S3FileSystem cannot exist in a process that has not imported s3fs; importing it to ask would cost 0.5 s.
    s3fs = sys.modules.get("s3fs")
    if s3fs is not None and isinstance(fs, s3fs.S3FileSystem):
        from airflow_provider_batchdl.transfer.sinks.s3 import S3Sink

        return S3Sink(fs, path, uri, expected_bytes=expected_bytes)
    from airflow_provider_batchdl.transfer.sinks.object_store import StagedSink

    return StagedSink(fs, path, uri)


def write_small(fs: AbstractFileSystem, path: str, uri: str, data: bytes) -> str | None:
    """Write one small object (a manifest) with the same all-or-nothing promise.

    Returns:
        The store's ETag where there is one.

    Raises:
        DestinationError: the store refused; nothing was left behind.
    """
    sink = open_sink(fs, path, uri, expected_bytes=len(data))
    try:
        sink.write(data)
        return sink.publish()
    finally:
        sink.discard()
