"""S3 uploads that a next try goes on with, on this machine or another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.sinks import CheckpointedSink
from airflow_provider_batchdl.transfer.sinks.part import Part
from airflow_provider_batchdl.transfer.sinks.s3 import PartSizes, S3Sink
from airflow_provider_batchdl.transfer.sinks.s3_note import Note, checksums_of, digest_of
from airflow_provider_batchdl.transfer.sinks.s3_upload import MultipartUpload
from airflow_provider_batchdl.transfer.state import Mark, StateStore

if TYPE_CHECKING:
    from s3fs import S3FileSystem

log = get_logger(__name__)

WORTH_NOTING = 64 << 20
"""Bytes below which an object is not noted: beginning again costs less than the notes of many that end well."""
EVERY = 64 << 20
"""Bytes between two checkpoints, at least; so many may have to be fetched again."""


@dataclass(frozen=True)
class _Point:
    """What is known at one byte, waiting for the store to have all parts before it."""

    offset: int
    parts: int
    examined: Mapping[str, object]


class CheckpointedS3Sink(S3Sink, CheckpointedSink):
    """An `S3Sink` that notes, outside the process, which upload it is, and every `EVERY` bytes how far it is.

    A worker that is killed leaves the upload open, and the note. The next try asks the store for the upload's parts
    and goes on after those that come before the last checkpoint, or aborts the upload where it is of no use.

    Args:
        fs: the file system.
        path: the object's path.
        uri: the same for people.
        notes: where the note is kept.
        key: its key there.
        expected_bytes: the object's size.
        create_only: see `S3Sink`.
        kept: the note to go on from.
        parts: its parts, as the store lists them.
    """

    def __init__(
        self,
        fs: S3FileSystem,
        path: str,
        uri: str,
        *,
        notes: StateStore,
        key: str,
        expected_bytes: int | None = None,
        create_only: bool = False,
        kept: Note | None = None,
        parts: tuple[dict[str, Any], ...] = (),
    ) -> None:
        self._notes = notes
        self._key = key
        super().__init__(fs, path, uri, expected_bytes=expected_bytes, create_only=create_only)
        if kept is not None:
            self._go_on(kept, parts)

    def _begin(self) -> None:
        super()._begin()
        self.mark: Mark | None = None
        self.examined: Mapping[str, object] | None = None
        self.next_checkpoint: int | None = None
        self._points: list[_Point] = []
        self._keeps = True
        self._noted: int | None = None

    def _go_on(self, kept: Note, parts: tuple[dict[str, Any], ...]) -> None:
        self._sizes = PartSizes(kept.base, kept.fixed, kept.grow_every, kept.planned)
        self._upload = MultipartUpload(self._object, kept=kept.upload_id, parts=parts)
        self._room = self._size = self._sizes.size(kept.parts + 1)
        self.written, self.mark, self.examined, self._noted = kept.offset, kept.mark, kept.examined, kept.offset
        self.next_checkpoint = self._boundary()

    def is_worth_keeping(self, total: int) -> bool:
        """Whether `remember` would note anything: smaller files are an `S3Sink`'s."""
        return True

    def remember(self, mark: Mark) -> None:
        """Note of which file the bytes are, once there is an upload to note."""
        self.mark = replace(mark, target=self._object.names["Key"].rpartition("/")[2])
        self.next_checkpoint = self._boundary()

    def checkpoint(self, examined: Mapping[str, object] | None) -> None:
        """Take what is known of the bytes so far; it is noted when the store has all parts up to here."""
        if examined is None:
            self.next_checkpoint, self._keeps = None, False
            return
        self._guard("upload", self._send, self._open_buffer())
        if self._upload is not None and self._keeps:
            self._points.append(_Point(self.written, self._upload.parts_begun, examined))
        self.next_checkpoint = self._boundary()

    def park(self) -> None:
        """End the sink but leave the upload and its note, where a next try can make use of them. Never raises."""
        if not self._noted:
            self.discard()
            return
        upload, self._noted = self._end(), None
        try:
            if upload is not None:
                upload.stop()
        except Exception as error:  # noqa: BLE001  see the docstring: never raises
            log.debug("Parts under way could not be stopped: %s.", type(error).__name__)

    def publish(self) -> str | None:
        """See `S3Sink`. The note is removed."""
        etag = super().publish()
        self._forget()
        return etag

    def discard(self) -> None:
        """See `S3Sink`. The note is removed, unless the store did not confirm that the upload is gone."""
        upload = self._end()
        if upload is None or upload.abort():
            self._forget()

    def _send(self, buffer: Part) -> None:
        super()._send(buffer)
        upload = self._upload
        if upload is None or self.mark is None:
            return
        if self._noted is None:
            # Before there is anything to go on with: the next try has at least to abort the upload.
            self._note(upload, _Point(0, 0, {}))
        reached = [point for point in self._points if point.parts <= len(upload.collected)]
        if reached:
            self._points = self._points[len(reached) :]
            self._note(upload, reached[-1])

    def _note(self, upload: MultipartUpload, point: _Point) -> None:
        if self.mark is None:
            return
        note = Note(
            bucket=self._object.names["Bucket"],
            key=self._object.names["Key"],
            upload_id=upload.upload_id,
            base=self._sizes.base,
            fixed=self._sizes.fixed,
            grow_every=self._sizes.grow_every,
            planned=self._sizes.planned,
            parts=point.parts,
            offset=point.offset,
            etags=digest_of(upload.collected[: point.parts]),
            crc32=checksums_of(upload.collected[: point.parts]),
            mark=self.mark,
            examined=point.examined,
        )
        self._noted = point.offset
        try:
            self._notes.set(self._key, note.to_json())
        except Exception as error:  # noqa: BLE001  every store raises its own kinds
            log.warning("The upload's progress cannot be noted (%s): a retry may begin again.", type(error).__name__)
            self.next_checkpoint, self._keeps, self._points = None, False, []

    def _forget(self) -> None:
        if self._noted is None:
            return
        self._noted = None
        try:
            self._notes.delete(self._key)
        except Exception as error:  # noqa: BLE001  the object is whole, or gone: the note does no harm
            log.debug("The upload's note could not be removed: %s.", type(error).__name__)

    def _boundary(self) -> int | None:
        """The first end of a part `EVERY` bytes ahead; None where the file ends before, or nothing is kept."""
        if not self._keeps:
            return None
        number = 1 if self._upload is None else self._upload.parts_begun + 1
        end, total = self.written + self._room, self.mark.total if self.mark else 0
        while end < self.written + EVERY and end < total:
            number += 1
            end += self._sizes.size(number)
        return end if end < total else None
