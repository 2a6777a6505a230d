"""Where results land: one object or file at a time, invisible until it is published whole.

`s3fs.open("wb")` and most file objects complete whatever was written when they are closed, also while an exception
unwinds. A `Sink` has no such path: only `publish` makes anything visible.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsspec import AbstractFileSystem

    from airflow_provider_batchdl.transfer.parallel.shelf import Shelf
    from airflow_provider_batchdl.transfer.state import Mark, StateStore

__all__ = [
    "CheckpointedSink",
    "DurableSink",
    "ResumableSink",
    "ScatteredSink",
    "Sink",
    "open_kept",
    "open_sink",
    "remove_object",
    "write_small",
]


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


class DurableSink(Sink, ABC):
    """A sink whose bytes survive the process, for a next try to go on with.

    A base class, not a protocol: to ask whether something follows a protocol costs a small file as much as its CSV.
    """

    mark: Mark | None
    """Of which file it holds the first bytes, where that is noted."""

    @abstractmethod
    def is_worth_keeping(self, total: int) -> bool:
        """Whether a file of ``total`` bytes is sooner gone on with than downloaded again."""

    @abstractmethod
    def remember(self, mark: Mark) -> None:
        """Note of which file the bytes are. A sink may find it not worth noting."""

    @abstractmethod
    def park(self) -> None:
        """End the sink but leave the bytes for a next try, where it could go on with them. Never raises."""


class ResumableSink(DurableSink):
    """One whose bytes can be read again."""

    @abstractmethod
    def replay(self) -> Iterator[bytes]:
        """All bytes so far, in small pieces."""


class CheckpointedSink(DurableSink):
    """One whose bytes cannot be read again: it keeps what was learned of them as they passed."""

    next_checkpoint: int | None
    """The byte after which it is to be told; None where it keeps nothing."""
    examined: Mapping[str, object] | None
    """What it was last told of its bytes, where an earlier try left it; then `written` is where that was."""

    @abstractmethod
    def checkpoint(self, examined: Mapping[str, object] | None) -> None:
        """Take what is known of exactly the first `next_checkpoint` bytes, and name the next such byte.

        None where it cannot be said; then there are no more checkpoints.
        """


class ScatteredSink(ResumableSink):
    """A resumable sink into which several threads put bytes, each where it belongs."""

    landed: tuple[tuple[int, int], ...]
    """Which bytes after the first `written` are there, too."""

    @abstractmethod
    def shelf(self) -> Shelf:
        """Where the threads put them. It is to be closed."""

    @abstractmethod
    def reached(self, at: int, landed: tuple[tuple[int, int], ...]) -> None:
        """Say what is in place: all before `at`, and the intervals of `landed`."""

    @abstractmethod
    def settle(self, at: int) -> None:
        """Keep only what begins the file, `at` bytes: one thread alone goes on there."""


def open_sink(
    fs: AbstractFileSystem,
    path: str,
    uri: str,
    *,
    expected_bytes: int | None = None,
    key: str | None = None,
    create_only: bool = False,
    state: StateStore | None = None,
) -> Sink:
    """Open the sink that fits the store.

    Args:
        fs: the fsspec file system, synchronous face.
        path: the object's path as `fs` names it (`ObjectStoragePath.path`).
        uri: the object's address for people: messages and `LandedFile.uri`.
        expected_bytes: the whole size in bytes where it is known; used to fail early on a full disk and to choose
            part sizes. It is a hint: a sink takes more or less.
        key: names what is being written, in 16 hex digits, so that `open_kept` finds it after the worker was killed.
            Local files can be gone on with, and large objects on S3.
        create_only: replace nothing: `publish` raises `DestinationError`, not retryable, where an object has appeared.
            Local files, S3, Azure and Google see to it in the act itself; the other stores have no such act in fsspec,
            and are asked right before it.
        state: where an upload's progress is noted for `open_kept`; None for beside the target.

    Raises:
        DestinationError: the destination cannot be written (a folder, read-only, no space, …).
    """
    from fsspec.implementations.local import LocalFileSystem

    if isinstance(fs, LocalFileSystem):
        from airflow_provider_batchdl.transfer.sinks.local import LocalSink

        return LocalSink(fs._strip_protocol(path), uri, expected_bytes=expected_bytes, key=key, create_only=create_only)
    # An S3FileSystem cannot exist in a process that has not imported s3fs; importing it to ask would cost 0.5 s.
    s3fs = sys.modules.get("s3fs")
    if s3fs is not None and isinstance(fs, s3fs.S3FileSystem):
        from airflow_provider_batchdl.transfer.sinks.s3_kept import s3_sink

        return s3_sink(fs, path, uri, expected_bytes=expected_bytes, key=key, create_only=create_only, state=state)
    adlfs = sys.modules.get("adlfs")
    if adlfs is not None and isinstance(fs, adlfs.AzureBlobFileSystem):
        from airflow_provider_batchdl.transfer.sinks.azure import AzureSink

        return AzureSink(fs, path, uri, expected_bytes=expected_bytes, create_only=create_only)
    gcsfs = sys.modules.get("gcsfs.core")
    if gcsfs is not None and isinstance(fs, gcsfs.GCSFileSystem):
        from airflow_provider_batchdl.transfer.sinks.gcs import GcsSink

        return GcsSink(fs, path, uri, create_only=create_only)
    from airflow_provider_batchdl.transfer.sinks.object_store import StagedSink

    return StagedSink(fs, path, uri, create_only=create_only)


def open_kept(
    fs: AbstractFileSystem,
    path: str,
    uri: str,
    key: str,
    *,
    create_only: bool = False,
    state: StateStore | None = None,
) -> DurableSink | None:
    """The sink of a download that was killed, with the bytes it had; None where there is nothing to go on with.

    Args:
        fs: the fsspec file system.
        path: the object's path, or that of the folder it is in, ending in `/`.
        uri: the same for people.
        key: the `key` it was opened with.
        create_only: as for `open_sink`.
        state: as for `open_sink`.

    Raises:
        DestinationError: the store does not tell.
    """
    from fsspec.implementations.local import LocalFileSystem

    s3fs = sys.modules.get("s3fs")
    if s3fs is not None and isinstance(fs, s3fs.S3FileSystem):
        from airflow_provider_batchdl.transfer.sinks.s3_kept import kept_upload

        return kept_upload(fs, path, uri, key, state=state, create_only=create_only)
    if not isinstance(fs, LocalFileSystem):
        return None
    from airflow_provider_batchdl.transfer.sinks.kept import kept_sink

    local = fs._strip_protocol(path)
    return kept_sink(local + "/" if path.endswith("/") else local, uri, key, create_only=create_only)


def write_small(fs: AbstractFileSystem, path: str, uri: str, data: bytes, *, create_only: bool = False) -> str | None:
    """Write one small object (a manifest) with the same all-or-nothing promise.

    Args:
        fs: the fsspec file system, synchronous face.
        path: the object's path as `fs` names it.
        uri: its address for people.
        data: its content.
        create_only: replace nothing, as for `open_sink`.

    Returns:
        The store's ETag where there is one.

    Raises:
        DestinationError: the store refused; nothing was left behind.
    """
    sink = open_sink(fs, path, uri, expected_bytes=len(data), create_only=create_only)
    try:
        sink.write(data)
        return sink.publish()
    finally:
        sink.discard()


def remove_object(fs: AbstractFileSystem, path: str) -> None:
    """Remove one object, where it is there; on a local disk so that it is gone after a power cut, too.

    Args:
        fs: the fsspec file system, synchronous face.
        path: the object's path as `fs` names it.

    Raises:
        Exception: what the store raises where it refuses.
    """
    from fsspec.implementations.local import LocalFileSystem

    try:
        fs.rm_file(path)
    except FileNotFoundError:
        return
    if isinstance(fs, LocalFileSystem):
        from airflow_provider_batchdl.transfer.sinks import folder

        folder.sync(fs._parent(path))
