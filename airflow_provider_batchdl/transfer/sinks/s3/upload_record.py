"""The record of an upload that the next try can resume: which one it is, how far it is, what its bytes are."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from airflow_provider_batchdl.transfer.sinks.buffered import BlockSizes
from airflow_provider_batchdl.transfer.sinks.local.partial import STATE
from airflow_provider_batchdl.transfer.sinks.s3.part import UploadedPart
from airflow_provider_batchdl.transfer.state import WORK_FOLDER, PartialRecord, parsed_record

if TYPE_CHECKING:
    from s3fs import S3FileSystem

VERSION = 3


@dataclass(frozen=True)
class UploadRecord:
    """An unfinished upload.

    The parts are not in it, since ten thousand of them would be a megabyte: the store lists them, and `etags` shows
    whether they are still the same. Only their checksums are, which some stores do not list, though they want them
    back at the completion; the checksum of the whole object follows from them.
    """

    bucket: str
    key: str
    upload_id: str
    sizes: BlockSizes
    parts: int  # how many can be resumed; 0 where the upload can only be aborted
    etags: str  # `digest_of` these parts
    crc32: str  # `crc32_of` these parts
    is_attested: bool  # the store will compare the whole object with its CRC-32
    partial_record: PartialRecord
    crcs: Mapping[str, int]  # of the bytes in these parts, those that the source declares of the file, by algorithm

    def to_json(self) -> str:
        """The record as JSON in ASCII."""
        return json.dumps({**asdict(self), "version": VERSION}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> UploadRecord | None:
        """The record that `to_json` wrote; None where it is damaged or another version's."""
        record = parsed_record(text, cls, VERSION)
        return record if record is not None and record.sizes.grow_every > 0 else None

    @property
    def offset(self) -> int:
        """Bytes in the parts that can be resumed."""
        return sum(self.sizes.size(number) for number in range(1, self.parts + 1))

    def resumed_parts(self, listed: Sequence[UploadedPart]) -> tuple[UploadedPart, ...] | None:
        """The recorded parts, of those that the store has of the upload; None where these are others."""
        parts = listed[: self.parts]
        is_same = [part.number == at and part.size == self.sizes.size(at) for at, part in enumerate(parts, 1)]
        if len(parts) != self.parts or not all(is_same) or digest_of(parts) != self.etags:
            return None
        if not self.crc32 and not self.is_attested:
            return tuple(parts)
        try:
            crcs = list(struct.iter_unpack(">I", base64.b64decode(self.crc32, validate=True)))
            return tuple(part.checked(crc) for part, (crc,) in zip(parts, crcs, strict=True))
        except (ValueError, struct.error):
            return None


def digest_of(parts: Iterable[UploadedPart]) -> str:
    """A digest of what the store calls the content of `parts`, in order."""
    return hashlib.sha256("\n".join(part.etag for part in parts).encode()).hexdigest()


def crc32_of(parts: Sequence[UploadedPart]) -> str:
    """The CRC-32 of all `parts`, four bytes each, in base64; empty where a part has none."""
    crcs = [part.crc32 for part in parts if part.crc32 is not None]
    return base64.b64encode(struct.pack(f">{len(crcs)}I", *crcs)).decode() if len(crcs) == len(parts) else ""


class SidecarRecordStore:
    """A `StateStore` in the bucket itself: small objects in the work folder beside the target."""

    def __init__(self, fs: S3FileSystem, path: str) -> None:
        self._fs = fs
        self._folder = f"{path.rpartition('/')[0]}/{WORK_FOLDER}"

    def get(self, key: str) -> str | None:
        """See `StateStore`."""
        try:
            data: bytes = self._fs.cat_file(self._path(key))
        except FileNotFoundError:
            return None
        return data.decode("ascii", "replace")

    def set(self, key: str, value: str) -> None:
        """See `StateStore`."""
        self._fs.pipe_file(self._path(key), value.encode("ascii"))

    def delete(self, key: str) -> None:
        """See `StateStore`."""
        self._fs.rm_file(self._path(key))

    def _path(self, key: str) -> str:
        return f"{self._folder}/.upload.{key}.part{STATE}"
