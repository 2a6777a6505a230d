"""What a stopped download leaves beside its partial file, so that the next try knows of what file it is a part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

VERSION = 1


class StateStore(Protocol):
    """Where a few small texts are kept for the next try, by key. Methods raise whatever the store raises."""

    def get(self, key: str) -> str | None:
        """What was set; None where nothing was, or it is gone."""

    def set(self, key: str, value: str) -> None:
        """Keep `value`, ASCII of at most some 80 KiB, in place of what was there."""

    def delete(self, key: str) -> None:
        """Forget it; nothing happens where there is nothing."""


@dataclass(frozen=True)
class Mark:
    """The identity of a file whose first bytes are kept. No URL: that may hold a signature.

    Args:
        validator: its strong ETag.
        total: its size in bytes.
        filename: the vendor's name for it, made safe.
        headers: those of the response that began it which tell its type and its checksums.
        target: the name of the file that it is to become.
        durable: bytes that were on the disk when this was written.
        landed: which bytes those are, from each first, inclusive, to its last, exclusive, where they do not simply
            begin the file; on the disk only as far as `durable`, too.
        boot: which start of which machine wrote them. What its kernel has taken, it gives back, also when the
            process was killed; after a crash of the machine only `durable` bytes are certain.
    """

    validator: str
    total: int
    filename: str
    headers: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    durable: int = 0
    boot: str = ""
    landed: tuple[tuple[int, int], ...] = ()

    def trusted(self, size: int) -> int:
        """How many of `size` bytes found can be gone on with.

        One byte at least is left to ask for: an answer has to confirm that the file is still the same.
        """
        if self.landed:
            first, last = self.landed[0]
            size = min(size, 0 if first else last)
        certain = size if self.same_boot else min(size, self.durable)
        return max(0, min(certain, self.total - 1))

    def beyond(self, prefix: int, size: int) -> tuple[tuple[int, int], ...]:
        """Which bytes after `prefix`, of `size` found, can be gone on with, too."""
        if not self.same_boot:
            return ()
        clipped = ((max(first, prefix + 1), min(last, size)) for first, last in self.landed)
        return tuple((first, last) for first, last in clipped if first < last)

    @property
    def same_boot(self) -> bool:
        """Whether this machine has not been started anew since."""
        return bool(self.boot) and self.boot == boot_id()

    def to_json(self) -> bytes:
        """The mark as JSON."""
        return json.dumps({"version": VERSION, **asdict(self)}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Mark | None:
        """The mark that `to_json` wrote, None where it is damaged or another version's."""
        try:
            fields = json.loads(data)
            if fields.pop("version") != VERSION:
                return None
            fields["landed"] = tuple((first, last) for first, last in fields.get("landed", ()))
            mark = cls(**fields)
            texts = mark.validator, mark.filename, mark.target, mark.boot, *mark.headers, *mark.headers.values()
            numbers = mark.total, mark.durable, *(number for interval in mark.landed for number in interval)
        except (ValueError, TypeError, AttributeError, KeyError):
            return None
        sound = all(isinstance(text, str) for text in texts) and all(type(number) is int for number in numbers)
        return mark if sound else None


@cache
def boot_id() -> str:
    """This start of this machine; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def partial_key(*facts: object) -> str:
    """A short name for what a partial is of: vendor, job, file."""
    return hashlib.sha256(json.dumps([str(fact) for fact in facts]).encode()).hexdigest()[:16]
