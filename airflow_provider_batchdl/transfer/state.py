"""The record beside a partial: of which file it holds the first bytes, so that the next try can resume it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

T = TypeVar("T")

VERSION = 1
WORK_FOLDER = ".batchdl"
"""Folder beside results for partials of local files and records of jobs; readers like Spark ignore dotted names."""
MANIFEST = "_manifest.json"
"""The manifest's name in a folder, and what it ends in beside an object."""


class StateStore(Protocol):
    """Key-value store of a few small texts for the next try. Methods raise whatever the store raises."""

    def get(self, key: str) -> str | None:
        """The stored value; None where there is none."""

    def set(self, key: str, value: str) -> None:
        """Store `value`, ASCII of at most some 80 KiB, in place of an earlier one."""

    def delete(self, key: str) -> None:
        """Remove the value, if there is one."""


@dataclass(frozen=True)
class PartialRecord:
    """The identity of a file whose first bytes are in a partial. No URL: that may hold a signature.

    The page cache survives a kill of the process; after a crash of the machine only `durable` bytes are certain.
    """

    validator: str  # its strong ETag
    total: int
    filename: str  # the vendor's name for it, made safe
    headers: Mapping[str, str] = field(default_factory=dict)  # of its first response: its type and checksums
    target: str = ""  # the name under which it will be published
    durable: int = 0  # bytes that were flushed to the disk when this was written
    boot: str = ""  # id of the machine's boot that wrote them
    landed: tuple[tuple[int, int], ...] = ()  # what is present, last byte exclusive, where it is not just the start

    def trusted(self, size: int) -> int:
        """Number of the `size` bytes found that can be resumed.

        At least one byte is left to request: a response must confirm that the file is still the same.
        """
        if self.landed:
            first, last = self.landed[0]
            size = min(size, 0 if first else last)
        certain = size if self.same_boot else min(size, self.durable)
        return max(0, min(certain, self.total - 1))

    def beyond(self, prefix: int, size: int) -> tuple[tuple[int, int], ...]:
        """Intervals after `prefix`, within the `size` bytes found, that can be resumed, too."""
        if not self.same_boot:
            return ()
        clipped = ((max(first, prefix + 1), min(last, size)) for first, last in self.landed)
        return tuple((first, last) for first, last in clipped if first < last)

    @property
    def same_boot(self) -> bool:
        """True if this machine has not been rebooted since."""
        return bool(self.boot) and self.boot == boot_id()

    def to_json(self) -> bytes:
        """The record as JSON."""
        return json.dumps({"version": VERSION, **asdict(self)}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> PartialRecord | None:
        """Parse what `to_json` wrote; None where it is damaged or of another version."""
        return parsed_record(data, cls, VERSION)


def parsed_record(data: bytes | str, kind: type[T], version: int) -> T | None:
    """The value of a dataclass that was written as JSON beside its version; None where it is damaged or another's.

    Each member of ``kind`` has to be there, and of its type.
    """
    try:
        found = msgspec.convert(json.loads(data), dict[str, Any])
        names = {each.name for each in fields(kind)}  # type: ignore[arg-type]
        is_ours = found.pop("version", None) == version and found.keys() == names
        return msgspec.convert(found, kind) if is_ours else None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


@cache
def boot_id() -> str:
    """Id of this machine's current boot; empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def partial_key(*facts: object) -> str:
    """Short key of a partial: a hash of vendor, job and file."""
    return hashlib.sha256(json.dumps([str(fact) for fact in facts]).encode()).hexdigest()[:16]
