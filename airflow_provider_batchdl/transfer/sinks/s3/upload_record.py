"""The record of an upload that the next try can resume: which one it is, how far it is, what its bytes are."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from airflow_provider_batchdl.transfer.sinks.buffered import BlockSizes
from airflow_provider_batchdl.transfer.sinks.local.partial import STATE, cut
from airflow_provider_batchdl.transfer.sinks.s3.part import UploadedPart
from airflow_provider_batchdl.transfer.state import PartialRecord, parsed_record

if TYPE_CHECKING:
    from s3fs import S3FileSystem

VERSION = 2
MOST_PAGES = 100
"""Of a folder's list of objects whose names begin with a dot: there are few, if any."""


@dataclass(frozen=True)
class UploadRecord:
    """An unfinished upload.

    The parts are not in it, since ten thousand of them would be a megabyte: the store lists them, and `etags` shows
    whether they are still the same. Only their checksums are, which some stores do not list, though they want them
    back at the completion; the checksum of the whole object follows from them.

    Args:
        bucket: of the object to be.
        key: its key.
        upload_id: the store's name for the upload.
        base: bytes in its first part.
        fixed: whether all its parts are to have one size.
        grow_every: parts after which their size doubles.
        planned: parts before those.
        parts: how many parts the first `offset` bytes are.
        offset: how many bytes can be resumed; 0 where the upload can only be aborted.
        etags: digest of the parts' ETags, see `digest_of`.
        crc32: the parts' CRC-32, four bytes each, in base64; empty without checksums.
        is_attested: whether the store will compare the whole object with its CRC-32.
        partial_record: which file the bytes are of.
        crcs: of the first `offset` bytes, those that the source declares of the file, by algorithm.
    """

    bucket: str
    key: str
    upload_id: str
    base: int
    fixed: bool
    grow_every: int
    planned: int
    parts: int
    offset: int
    etags: str
    crc32: str
    is_attested: bool
    partial_record: PartialRecord
    crcs: Mapping[str, int]

    def to_json(self) -> str:
        """The record as JSON in ASCII."""
        return json.dumps({**asdict(self), "version": VERSION}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> UploadRecord | None:
        """The record that `to_json` wrote; None where it is damaged or another version's."""
        record = parsed_record(text, cls, VERSION)
        return record if record is not None and record.grow_every > 0 else None

    def resumed_parts(self, listed: Sequence[UploadedPart]) -> tuple[UploadedPart, ...] | None:
        """The parts that the first `offset` bytes are.

        Args:
            listed: what the store has of the upload.

        Returns:
            None where these are not the parts that were recorded.
        """
        parts, sizes = listed[: self.parts], self.sizes
        is_same = [part.number == at and part.size == sizes.size(at) for at, part in enumerate(parts, 1)]
        if len(parts) != self.parts or not all(is_same) or digest_of(parts) != self.etags:
            return None
        try:
            crcs = _unpacked(self.crc32) if self.crc32 or self.is_attested else [None] * self.parts
            parts = [part.checked(crc) for part, crc in zip(parts, crcs, strict=True)]
        except ValueError:
            return None
        return tuple(parts) if sum(part.size for part in parts) == self.offset else None

    @property
    def sizes(self) -> BlockSizes:
        """The sizes of the parts that the object is cut into."""
        return BlockSizes(self.base, self.fixed, self.grow_every, self.planned)


def digest_of(parts: Iterable[UploadedPart]) -> str:
    """A digest of what the store calls the content of `parts`, in order."""
    return hashlib.sha256("\n".join(part.etag for part in parts).encode()).hexdigest()


def crc32_of(parts: Sequence[UploadedPart]) -> str:
    """The CRC-32 of all `parts`, as a record has them; empty where a part has none."""
    crcs = [part.crc32.to_bytes(4, "big") for part in parts if part.crc32 is not None]
    return base64.b64encode(b"".join(crcs)).decode() if len(crcs) == len(parts) else ""


def _unpacked(crc32: str) -> list[int]:
    """The values that `crc32_of` packed. Raises ValueError where it is damaged."""
    raw = base64.b64decode(crc32, validate=True)
    return [int.from_bytes(raw[at : at + 4], "big") for at in range(0, len(raw), 4)]


class SidecarRecordStore:
    """A `StateStore` in the bucket itself: small objects `.<name>.<key>.part.json` beside the target.

    Args:
        fs: the file system.
        path: the target, or the folder it is in, ending in `/`.
    """

    def __init__(self, fs: S3FileSystem, path: str) -> None:
        self._fs = fs
        folder, slash, self._name = path.rpartition("/")
        self._folder = folder + slash

    def get(self, key: str) -> str | None:
        """See `StateStore`. In a folder, one request lists what begins with a dot."""
        for path in [self._path(key)] if self._name else self._found(key):
            try:
                data: bytes = self._fs.cat_file(path)
            except FileNotFoundError:
                continue
            return data.decode("ascii", "replace")
        return None

    def set(self, key: str, value: str) -> None:
        """See `StateStore`."""
        self._fs.pipe_file(self._path(key), value.encode("ascii"))

    def delete(self, key: str) -> None:
        """See `StateStore`."""
        for path in [self._path(key)] if self._name else self._found(key):
            self._fs.rm_file(path)

    def _path(self, key: str) -> str:
        return f"{self._folder}.{cut(self._name)}.{key}.part{STATE}"

    def _found(self, key: str) -> list[str]:
        bucket, prefix, _ = self._fs.split_path(self._folder + ".")
        found: list[str] = []
        after: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            page = self._fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, Delimiter="/", **after)
            names = [str(each["Key"]) for each in page.get("Contents", [])]
            found += [f"{bucket}/{name}" for name in names if name.endswith(f".{key}.part{STATE}")]
            if not page.get("IsTruncated"):
                break
            after = {"ContinuationToken": page["NextContinuationToken"]}
        return found
