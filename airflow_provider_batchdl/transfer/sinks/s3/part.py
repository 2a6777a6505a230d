"""The parts of an upload: those to be sent, and those that the store has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

from airflow_provider_batchdl.transfer.sinks.buffered import Block
from airflow_provider_batchdl.transfer.sinks.s3.crc32 import crc32, to_base64

_SUMMED = 1 << 20
"""Bytes that are summed at a time."""
_LISTED = frozenset(
    {"ETag", "ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256"},
)


class Part(Block):
    """One part of an upload, with its checksum."""

    @cached_property
    def crc32(self) -> int:
        """The CRC-32 of the bytes, computed once: nothing may be written afterwards."""
        return reduce(lambda crc, piece: crc32(piece, crc), self.pieces(_SUMMED), 0)


@dataclass(frozen=True)
class UploadedPart:
    """A part that the store has.

    Args:
        number: from 1.
        size: in bytes.
        answer: what the store said of it.
        crc32: of the bytes that were sent; None where the store does not check it.
    """

    number: int
    size: int
    answer: Mapping[str, Any]
    crc32: int | None

    @property
    def etag(self) -> str:
        """The store's name for its content, without quotes."""
        return str(self.answer.get("ETag")).strip('"')

    def listed(self) -> dict[str, Any]:
        """The part as the completion lists it: the store wants back the checksums that it stores for the part."""
        return {"PartNumber": self.number, **{name: self.answer[name] for name in self.answer if name in _LISTED}}

    def checked(self, crc32: int | None) -> UploadedPart:
        """A copy with the CRC-32 that was recorded when it was sent: not every store lists it."""
        if crc32 is None:
            return self
        return UploadedPart(self.number, self.size, {**self.answer, "ChecksumCRC32": to_base64(crc32)}, crc32)
