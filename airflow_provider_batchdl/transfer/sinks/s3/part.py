"""A part that the store has of an upload, and the CRC-32 of an object from those of its parts.

A CRC is linear: that of two pieces follows from theirs and the second one's length, without the bytes. So parts can be
summed by several threads, and an upload that another process resumes still has one checksum from its first byte.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_LISTED = frozenset(
    {"ETag", "ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256"},
)
_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
"""The polynomial 1: the bits of a CRC-32 are in reverse order."""


@dataclass(frozen=True)
class UploadedPart:
    """A part that the store has."""

    number: int  # from 1
    size: int
    answer: Mapping[str, Any]  # what the store said of it
    crc32: int | None  # of the bytes that were sent; None where the store does not check it

    @property
    def etag(self) -> str:
        """The store's name for its content, without quotes."""
        return str(self.answer.get("ETag")).strip('"')

    def listed(self) -> dict[str, Any]:
        """The part as the completion lists it: the store wants back the checksums that it stores for the part."""
        return {"PartNumber": self.number, **{name: self.answer[name] for name in self.answer if name in _LISTED}}

    def checked(self, crc32: int) -> UploadedPart:
        """A copy with the CRC-32 that was recorded when it was sent: not every store lists it."""
        return UploadedPart(self.number, self.size, {**self.answer, "ChecksumCRC32": to_base64(crc32)}, crc32)


def combined(pieces: Iterable[tuple[int, int]]) -> int:
    """The CRC-32 of pieces in a row, given the CRC-32 and the length in bytes of each."""
    whole = 0
    for crc, length in pieces:
        whole = _product(_shift(length), whole) ^ crc
    return whole


def to_base64(crc: int) -> str:
    """A CRC-32 as in S3's headers: four bytes, big-endian, in base64."""
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


@lru_cache(maxsize=64)
def _shift(length: int) -> int:
    """X to the power of ``length`` bytes, modulo the polynomial."""
    power, square = _ONE, _ONE >> 8
    while length:
        if length & 1:
            power = _product(square, power)
        square = _product(square, square)
        length >>= 1
    return power


def _product(one: int, other: int) -> int:
    """The product of two polynomials, modulo the polynomial."""
    product = 0
    while one:
        if one & _ONE:
            product ^= other
        one = (one << 1) & 0xFFFFFFFF
        other = (other >> 1) ^ (_POLYNOMIAL if other & 1 else 0)
    return product
