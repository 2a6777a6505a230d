"""Open the sink for a store; write a small object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_batchdl.transfer.sinks.stores import is_local, local_path, store_of

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
    store = store_of(fs)
    if store == "local":
        from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink

        return LocalSink(local_path(fs, path), uri, expected_bytes=expected_bytes, key=key, create_only=create_only)
    if store == "s3":
        from airflow_provider_batchdl.transfer.sinks.s3 import checkpointed, sink, upload_record

        if key is None or (expected_bytes or 0) < checkpointed.WORTH_RECORDING:
            return sink.S3Sink(fs, path, uri, expected_bytes=expected_bytes, create_only=create_only)
        records = state or upload_record.SidecarRecordStore(fs, path)
        return checkpointed.CheckpointedS3Sink(
            fs, path, uri, records=records, key=key, expected_bytes=expected_bytes, create_only=create_only
        )
    if store == "azure":
        from airflow_provider_batchdl.transfer.sinks.azure import AzureSink

        return AzureSink(fs, path, uri, expected_bytes=expected_bytes, create_only=create_only)
    if store == "gcs":
        from airflow_provider_batchdl.transfer.sinks.gcs import GcsSink

        return GcsSink(fs, path, uri, create_only=create_only)
    from airflow_provider_batchdl.transfer.sinks.staged import StagedSink

    return StagedSink(fs, path, uri, create_only=create_only)


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

    The arguments are those of `open_sink`; ``path`` and ``uri`` may be those of the folder, ending in `/`. Raises
    `DestinationError` where the store cannot be asked.
    """
    if store_of(fs) == "s3":
        from airflow_provider_batchdl.transfer.sinks.s3.checkpointed import resumable_upload

        return resumable_upload(fs, path, uri, key, state=state, create_only=create_only)
    if not is_local(fs):
        return None
    from airflow_provider_batchdl.transfer.sinks.local.sink import resumable_sink

    local = local_path(fs, path)
    return resumable_sink(local + "/" if path.endswith("/") else local, uri, key, create_only=create_only)


def write_small(fs: AbstractFileSystem, path: str, uri: str, data: bytes, *, create_only: bool = False) -> None:
    """Write one small object, whole or not at all. Raises `DestinationError`."""
    sink = open_sink(fs, path, uri, expected_bytes=len(data), create_only=create_only)
    try:
        sink.write(data)
        sink.publish()
    finally:
        sink.discard()
