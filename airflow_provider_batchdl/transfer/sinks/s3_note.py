"""The note of an upload that a next try can go on with: which one it is, how far it is, what its bytes are."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.transfer.sinks.partial import STATE, cut
from airflow_provider_batchdl.transfer.state import Mark

if TYPE_CHECKING:
    from s3fs import S3FileSystem

VERSION = 1
MOST_PAGES = 100
"""Of a folder's list of objects whose names begin with a dot: there are few, if any."""


@dataclass(frozen=True)
class Note:
    """An unfinished upload.

    The parts are not in it, since ten thousand of them would be a megabyte: the store lists them, and `etags` tells
    whether they are still the same. Only their checksums are, which some stores do not list but want to be told at the
    completion.

    Args:
        bucket: of the object to be.
        key: its key.
        upload_id: the store's name for the upload.
        base: bytes in its first part.
        fixed: whether all its parts are to have one size.
        grow_every: parts after which their size doubles.
        planned: parts before those.
        parts: how many parts the first `offset` bytes are.
        offset: how many bytes can be gone on with; 0 where the upload can only be aborted.
        etags: digest of the parts' ETags, see `digest_of`.
        crc32: the parts' CRC-32, four bytes each, in base64; empty without checksums.
        mark: which file the bytes are of.
        examined: what was learned of the first `offset` bytes.
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
    mark: Mark
    examined: Mapping[str, object]

    def to_json(self) -> str:
        """The note as JSON in ASCII."""
        fields = {**vars(self), "mark": json.loads(self.mark.to_json()), "version": VERSION}
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Note | None:
        """The note that `to_json` wrote; None where it is damaged or another version's."""
        try:
            fields = json.loads(text)
            mark = Mark.from_json(json.dumps(fields.pop("mark")).encode())
            if fields.pop("version") != VERSION or mark is None:
                return None
            note = cls(**fields, mark=mark)
        except (ValueError, TypeError, AttributeError, KeyError):
            return None
        return note if note._sound() else None

    def _sound(self) -> bool:
        kinds: dict[str, Any] = dict.fromkeys(("bucket", "key", "upload_id", "etags", "crc32"), str)
        kinds |= dict.fromkeys(("base", "grow_every", "planned", "parts", "offset"), int)
        kinds |= {"fixed": bool, "examined": dict}
        return all(type(getattr(self, name)) is kind for name, kind in kinds.items()) and self.grow_every > 0


def digest_of(parts: Iterable[Mapping[str, Any]]) -> str:
    """A digest of what the store calls the content of `parts`, in order."""
    etags = "\n".join(str(part.get("ETag")).strip('"') for part in parts)
    return hashlib.sha256(etags.encode()).hexdigest()


def checksums_of(parts: Sequence[Mapping[str, Any]]) -> str:
    """The CRC-32 of all `parts`, as a note has them; empty where a part has none."""
    values = [str(part.get("ChecksumCRC32", "")) for part in parts]
    return base64.b64encode(b"".join(map(base64.b64decode, values))).decode() if all(values) else ""


def with_checksums(parts: Iterable[dict[str, Any]], crc32: str) -> list[dict[str, Any]]:
    """`parts`, each with its CRC-32 of those that a note has.

    Raises:
        ValueError: they are not as many.
    """
    if not crc32:
        return list(parts)
    raw = base64.b64decode(crc32, validate=True)
    values = [base64.b64encode(raw[at : at + 4]).decode() for at in range(0, len(raw), 4)]
    return [{**part, "ChecksumCRC32": value} for part, value in zip(parts, values, strict=True)]


class Beside:
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
