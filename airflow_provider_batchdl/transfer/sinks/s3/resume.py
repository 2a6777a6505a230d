"""Finding what a previous try left unfinished on S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.transfer.sinks.errors import destination_error, is_forbidden, store_code
from airflow_provider_batchdl.transfer.sinks.s3.api import S3Object
from airflow_provider_batchdl.transfer.sinks.s3.checkpointed import CheckpointedS3Sink
from airflow_provider_batchdl.transfer.sinks.s3.multipart import abort_upload, listed_parts
from airflow_provider_batchdl.transfer.sinks.s3.part import UploadedPart
from airflow_provider_batchdl.transfer.sinks.s3.upload_record import SidecarRecordStore, UploadRecord, if_allowed

if TYPE_CHECKING:
    from s3fs import S3FileSystem

    from airflow_provider_batchdl.transfer.state import StateStore

log = get_logger(__name__)

_NO_LIST = frozenset({"MethodNotAllowed", "NotImplemented"})


def resumable_upload(
    fs: S3FileSystem, path: str, uri: str, key: str, *, state: StateStore | None = None, create_only: bool = False
) -> CheckpointedS3Sink | None:
    """The sink of a download that was stopped, at the last checkpoint that the store has all parts of.

    Args:
        fs: the file system.
        path: the target, or the folder it is in, ending in `/`.
        uri: the same for people.
        key: what the download was begun with.
        state: where its record is stored; None for beside the target.
        create_only: see `S3Sink`.

    Returns:
        The sink, its `partial_record` set; None where nothing can be resumed. What is then left has been aborted.

    Raises:
        DestinationError: the store refuses to say.
    """
    records = state or SidecarRecordStore(fs, path)
    try:
        text: str | None = None
        with if_allowed("read"):
            text = records.get(key)
        record = UploadRecord.from_json(text) if text is not None else None
        if record is None:
            if text is not None:
                _drop(records, key)
            return None
        if path.endswith("/"):
            path, uri = path + record.partial_record.target, uri + record.partial_record.target
        bucket, wanted, _ = fs.split_path(path)
        if (record.bucket, record.key) != (bucket, wanted):
            return None  # another destination's: it is not ours to touch
        target = S3Object(fs, bucket, wanted, f"{bucket}/{wanted}")
        parts = _resumed_parts(target, record)
        if parts is None:
            abort_upload(target, record.upload_id)
            _drop(records, key)
            return None
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        raise destination_error(uri, "read what the previous try uploaded", error) from None
    return CheckpointedS3Sink(
        fs,
        target.path,
        uri,
        records=records,
        key=key,
        create_only=create_only,
        resumed=record,
        parts=parts,
    )


def _drop(records: StateStore, key: str) -> None:
    """Remove a record of no use. Where that is not allowed, it stays of no use."""
    with if_allowed("remove"):
        records.delete(key)


def _resumed_parts(target: S3Object, record: UploadRecord) -> tuple[UploadedPart, ...] | None:
    """The parts before the checkpoint, where the store has them all, unchanged."""
    if not record.parts or record.offset >= record.partial_record.total:
        log.info("The previous try uploaded too little to resume; restarting from byte 0")
        return None
    try:
        parts = record.resumed_parts(listed_parts(target, record.upload_id))
    except FileNotFoundError:
        log.info("The previous try's upload no longer exists; restarting from byte 0")
        return None
    except Exception as error:
        if not is_forbidden(error) and store_code(error) not in _NO_LIST:
            raise
        log.info("The store does not list what the previous try uploaded; restarting from byte 0")
        return None
    if parts is None:
        log.warning("The previous try's upload has changed since; restarting from byte 0")
    return parts
