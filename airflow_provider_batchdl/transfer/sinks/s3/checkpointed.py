"""S3 uploads that the next try resumes, on this machine or another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.transfer.sinks.base import CheckpointedSink
from airflow_provider_batchdl.transfer.sinks.s3.multipart import MultipartUpload
from airflow_provider_batchdl.transfer.sinks.s3.part import Part, UploadedPart
from airflow_provider_batchdl.transfer.sinks.s3.sink import S3Sink
from airflow_provider_batchdl.transfer.sinks.s3.upload_record import UploadRecord, crc32_of, digest_of, if_allowed
from airflow_provider_batchdl.transfer.state import PartialRecord, StateStore

if TYPE_CHECKING:
    from s3fs import S3FileSystem

log = get_logger(__name__)

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
        resumed: UploadRecord | None = None,
        parts: tuple[UploadedPart, ...] = (),
    ) -> None:
        self._records = records
        self._key = key
        super().__init__(fs, path, uri, expected_bytes=expected_bytes, create_only=create_only)
        if resumed is not None:
            self._resume(resumed, parts)

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

    def _send(self, upload: MultipartUpload, buffer: Part) -> None:
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
            text: str | None = None
            with if_allowed("read"):
                text = self._records.get(self._key)
            record = UploadRecord.from_json(text) if text is not None else None
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
