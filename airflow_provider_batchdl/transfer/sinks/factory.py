"""Open the sink for a store; write and remove small objects."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from airflow_provider_batchdl.transfer.sinks.base import DurableSink, Sink
    from airflow_provider_batchdl.transfer.state import StateStore


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
    """Open the sink for a store.

    Args:
        fs: the fsspec file system, synchronous face.
        path: the object's path as `fs` names it (`ObjectStoragePath.path`).
        uri: the object's address in messages and `LandedFile.uri`.
        expected_bytes: the file's size in bytes where it is known, to fail early on a full disk and to choose part
            sizes. A hint: a sink accepts more or less.
        key: id of what is being written, 16 hex digits, by which `open_resumable` finds it after a kill. Local files
            can be resumed, and large objects on S3.
        create_only: overwrite nothing: `publish` raises `DestinationError`, not retryable, where an object exists.
            Atomic for local files, S3, Azure and Google; fsspec has no such call for other stores, which are checked
            right before publishing.
        state: stores an upload's progress for `open_resumable`; None for an object beside the target.

    Raises:
        DestinationError: the destination cannot be written (a folder, read-only, no space, …).
    """
    if is_local(fs):
        from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink

        return LocalSink(local_path(fs, path), uri, expected_bytes=expected_bytes, key=key, create_only=create_only)
    # An S3FileSystem cannot exist in a process that has not imported s3fs; importing it to ask would cost 0.5 s.
    s3fs = sys.modules.get("s3fs")
    if s3fs is not None and isinstance(fs, s3fs.S3FileSystem):
        from airflow_provider_batchdl.transfer.sinks.s3.resume import s3_sink

        return s3_sink(fs, path, uri, expected_bytes=expected_bytes, key=key, create_only=create_only, state=state)
    adlfs = sys.modules.get("adlfs")
    if adlfs is not None and isinstance(fs, adlfs.AzureBlobFileSystem):
        from airflow_provider_batchdl.transfer.sinks.azure.sink import AzureSink

        return AzureSink(fs, path, uri, expected_bytes=expected_bytes, create_only=create_only)
    gcsfs = sys.modules.get("gcsfs.core")
    if gcsfs is not None and isinstance(fs, gcsfs.GCSFileSystem):
        from airflow_provider_batchdl.transfer.sinks.gcs.sink import GcsSink

        return GcsSink(fs, path, uri, create_only=create_only)
    from airflow_provider_batchdl.transfer.sinks.staged import StagedSink

    return StagedSink(fs, path, uri, create_only=create_only)


def is_local(fs: AbstractFileSystem) -> bool:
    """True if ``fs`` is the local disk."""
    local = sys.modules.get("fsspec.implementations.local")  # without it, there is no such file system
    return local is not None and isinstance(fs, local.LocalFileSystem)


def local_path(fs: AbstractFileSystem, path: str) -> str:
    """`path` on the local disk, without a scheme; an absolute one has none, and `fs` takes long to find that out."""
    plain = path.startswith("/") and not path.endswith("/")
    return path if plain else str(fs._strip_protocol(path))


def creates_only(fs: AbstractFileSystem) -> bool:
    """True if the store has conditional writes for `create_only`: S3, Azure and Google do."""
    classes = (("s3fs", "S3FileSystem"), ("adlfs", "AzureBlobFileSystem"), ("gcsfs.core", "GCSFileSystem"))
    return any(module in sys.modules and isinstance(fs, getattr(sys.modules[module], name)) for module, name in classes)


def open_resumable(
    fs: AbstractFileSystem,
    path: str,
    uri: str,
    key: str,
    *,
    create_only: bool = False,
    state: StateStore | None = None,
) -> DurableSink | None:
    """The sink of a download that was killed, with its bytes; None where there is nothing to resume.

    Args:
        fs: the fsspec file system.
        path: the object's path, or that of the folder it is in, ending in `/`.
        uri: its address in messages.
        key: the `key` it was opened with.
        create_only: as for `open_sink`.
        state: as for `open_sink`.

    Raises:
        DestinationError: the store cannot be asked.
    """
    s3fs = sys.modules.get("s3fs")
    if s3fs is not None and isinstance(fs, s3fs.S3FileSystem):
        from airflow_provider_batchdl.transfer.sinks.s3.resume import resumable_upload

        return resumable_upload(fs, path, uri, key, state=state, create_only=create_only)
    if not is_local(fs):
        return None
    from airflow_provider_batchdl.transfer.sinks.local.resume import resumable_sink

    local = local_path(fs, path)
    return resumable_sink(local + "/" if path.endswith("/") else local, uri, key, create_only=create_only)


def write_small(fs: AbstractFileSystem, path: str, uri: str, data: bytes, *, create_only: bool = False) -> str | None:
    """Write one small object (a manifest) with the same all-or-nothing promise.

    Args:
        fs: the fsspec file system, synchronous face.
        path: the object's path as `fs` names it.
        uri: its address in messages.
        data: its content.
        create_only: as for `open_sink`.

    Returns:
        The store's ETag where there is one.

    Raises:
        DestinationError: the store refused; nothing is left.
    """
    sink = open_sink(fs, path, uri, expected_bytes=len(data), create_only=create_only)
    try:
        sink.write(data)
        return sink.publish()
    finally:
        sink.discard()


def remove_object(fs: AbstractFileSystem, path: str) -> None:
    """Remove one object, if it exists; on a local disk, durably.

    Args:
        fs: the fsspec file system, synchronous face.
        path: the object's path as `fs` names it.

    Raises:
        Exception: what the store raises where it refuses.
    """
    try:
        fs.rm_file(path)
    except FileNotFoundError:
        return
    except NotImplementedError:  # adlfs 2025.8; the option keeps it from reading the path as a pattern
        fs.rm(path, expand_path=False)
    if is_local(fs):
        from airflow_provider_batchdl.transfer.sinks.local.fs import sync

        sync(fs._parent(path))
