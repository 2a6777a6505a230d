"""S3 uploads that the next try resumes, on this machine or another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.transfer.sinks.base import CheckpointedSink
from airflow_provider_batchdl.transfer.sinks.buffered import Block
from airflow_provider_batchdl.transfer.sinks.errors import destination_error, is_forbidden, store_code
from airflow_provider_batchdl.transfer.sinks.s3.api import S3Object
from airflow_provider_batchdl.transfer.sinks.s3.multipart import MultipartUpload, abort_upload, listed_parts
from airflow_provider_batchdl.transfer.sinks.s3.part import UploadedPart
from airflow_provider_batchdl.transfer.sinks.s3.sink import S3Sink
from airflow_provider_batchdl.transfer.sinks.s3.upload_record import (
    SidecarRecordStore,
    UploadRecord,
    crc32_of,
    digest_of,
)
from airflow_provider_batchdl.transfer.state import PartialRecord, StateStore

if TYPE_CHECKING:
    from s3fs import S3FileSystem

log = get_logger(__name__)
T = TypeVar("T")

_NO_LIST = frozenset({"MethodNotAllowed", "NotImplemented"})
WORTH_RECORDING = 64 << 20
"""Bytes below which an object has no record: a restart costs less than the records of many that end well."""
EVERY = 64 << 20
"""Bytes between two checkpoints, at least; so many may have to be fetched again."""


class _Point(NamedTuple):
    """A checkpoint that waits for the store to have all parts before it."""

    parts: int
    crcs: Mapping[str, int]


class CheckpointedS3Sink(S3Sink, CheckpointedSink):
    """An `S3Sink` that records, outside the process, which upload it is, and every `EVERY` bytes how far it is.

    A worker that is killed leaves the upload open, and the record. The next try asks the store for the upload's parts
    and resumes after those that come before the last checkpoint, or aborts the upload where it cannot be resumed.
    """

    def __init__(
        self,
        fs: S3FileSystem,
        path: str,
        uri: str,
        *,
        records: StateStore,
        key: str,
        expected_bytes: int | None = None,
        create_only: bool = False,
    ) -> None:
        self._records = records
        self._key = key
        super().__init__(fs, path, uri, expected_bytes=expected_bytes, create_only=create_only)

    def _begin(self) -> None:
        super()._begin()
        self.partial_record: PartialRecord | None = None
        self.crcs: Mapping[str, int] | None = None
        self.next_checkpoint: int | None = None
        self._point: _Point | None = None
        self._has_checkpoints = True
        self._recorded: int | None = None

    def _resume(self, record: UploadRecord, parts: tuple[UploadedPart, ...]) -> None:
        self._sizes = record.sizes
        self._upload = MultipartUpload(
            self._object, resumed=record.upload_id, parts=parts, is_attested=record.is_attested
        )
        self._next_block(record.parts + 1)
        self.written, self._recorded = record.offset, record.parts
        self.partial_record, self.crcs = record.partial_record, record.crcs
        self.next_checkpoint = self._boundary()

    def is_worth_resuming(self, total: int) -> bool:
        """True: smaller files are an `S3Sink`'s."""
        return True

    def remember(self, partial_record: PartialRecord) -> None:
        """Record of which file the bytes are, once there is an upload."""
        self.partial_record = replace(partial_record, target=self._object.names["Key"].rpartition("/")[2])
        self.next_checkpoint = self._boundary()

    def checkpoint(self, crcs: Mapping[str, int] | None) -> None:
        """See `CheckpointedSink`. It is recorded when the store has all parts up to here."""
        if crcs is None:
            self.next_checkpoint, self._has_checkpoints = None, False
            return
        upload, buffer = self._open()
        self._guard("upload", self._send, upload, buffer)
        if self._has_checkpoints:
            self._point = _Point(upload.begun, crcs)
        self.next_checkpoint = self._boundary()

    def suspend(self) -> None:
        """End the sink but leave the upload and its record, where the next try can resume it. Never raises."""
        if not self._recorded:
            self.discard()
            return
        upload, self._recorded = self._end(), None
        if upload is not None:
            upload.stop()

    def publish(self) -> str | None:
        """See `S3Sink`. The record is removed."""
        upload = self._upload
        etag = super().publish()
        self._forget(upload)
        return etag

    def discard(self) -> None:
        """See `S3Sink`. The record is removed, unless the store did not confirm that the upload is gone."""
        upload = self._upload
        super().discard()
        self._forget(upload)

    def _send(self, upload: MultipartUpload, buffer: Block) -> None:
        super()._send(upload, buffer)
        if self.partial_record is None:
            return
        if self._recorded is None:
            # Before there is anything to resume: the next try has at least to abort the upload.
            self._record(upload, self.partial_record, _Point(0, {}))
        if self._point is not None and self._point.parts <= len(upload.collected):
            self._record(upload, self.partial_record, self._point)
            self._point = None

    def _record(self, upload: MultipartUpload, partial_record: PartialRecord, point: _Point) -> None:
        parts, ready = upload.collected[: point.parts], upload.ready()
        record = UploadRecord(
            bucket=self._object.names["Bucket"],
            key=self._object.names["Key"],
            upload_id=ready.id,
            sizes=self._sizes,
            parts=point.parts,
            etags=digest_of(parts),
            crc32=crc32_of(parts),
            is_attested=ready.is_attested,
            partial_record=partial_record,
            crcs=point.crcs,
        )
        self._recorded = point.parts
        try:
            self._records.set(self._key, record.to_json())
        except Exception as error:  # noqa: BLE001  every store raises its own kinds
            log.warning("Could not record the upload's progress (%s): a retry may restart it", type(error).__name__)
            self.next_checkpoint, self._has_checkpoints = None, False

    def _forget(self, upload: MultipartUpload | None) -> None:
        """Remove the record of an upload that has ended: not that of a newer try, which still runs."""
        if self._recorded is None or upload is None or not upload.gone:
            return
        self._recorded = None
        try:
            text = _if_allowed("read", self._records.get, self._key)
            record = UploadRecord.from_json(text or "")
            if record is None or record.upload_id in upload.gone:
                self._records.delete(self._key)
        except Exception as error:  # noqa: BLE001  the object is whole, or gone: the record does no harm
            log.debug("Could not remove the upload's record: %s", type(error).__name__)

    def _boundary(self) -> int | None:
        """The first end of a part `EVERY` bytes ahead; None where the file ends before, or there are no checkpoints."""
        if not self._has_checkpoints:
            return None
        number = 1 if self._upload is None else self._upload.begun + 1
        end, total = self.written + self._room, self.partial_record.total if self.partial_record else 0
        while end < self.written + EVERY and end < total:
            number += 1
            end += self._sizes.size(number)
        return end if end < total else None


def resumable_upload(
    fs: S3FileSystem, path: str, uri: str, key: str, *, state: StateStore | None = None, create_only: bool = False
) -> CheckpointedS3Sink | None:
    """The sink of a download that was stopped, at the last checkpoint that the store has all parts of.

    None where nothing can be resumed; what is then left has been aborted. Arguments and errors: see `open_resumable`.
    """
    records = state or SidecarRecordStore(fs, path)
    try:
        text = _if_allowed("read", records.get, key)
        record = UploadRecord.from_json(text or "")
        if record is None:
            if text is not None:
                _if_allowed("remove", records.delete, key)  # where that is denied, it stays of no use
            return None
        if path.endswith("/"):
            path, uri = path + record.partial_record.target, uri + record.partial_record.target
        bucket, wanted, _ = fs.split_path(path)
        if (record.bucket, record.key) != (bucket, wanted):
            return None  # another destination's: it is not ours to touch
        target = S3Object(fs, bucket, wanted)
        parts = _resumed_parts(target, record)
        if parts is None:
            abort_upload(target, record.upload_id)
            _if_allowed("remove", records.delete, key)
            return None
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        raise destination_error(uri, "read what the previous try uploaded", error) from None
    sink = CheckpointedS3Sink(fs, target.path, uri, records=records, key=key, create_only=create_only)
    sink._resume(record, parts)
    return sink


def _if_allowed(doing: str, step: Callable[[str], T], key: str) -> T | None:
    """Take a step; None where the store denies it, as it also does for what is not there, to a key that only writes."""
    try:
        return step(key)
    except Exception as error:
        if not is_forbidden(error):
            raise
        log.debug("No permission to %s the record of a previous try", doing)
        return None


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
