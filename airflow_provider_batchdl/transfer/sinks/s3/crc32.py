"""CRC-32 of bytes, and of an object from the CRC-32 of its parts.

A CRC is linear: that of two pieces follows from theirs and the second one's length, without the bytes. So parts can be
summed by several threads, and an upload that another process resumes still has one checksum from its first byte.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from functools import lru_cache

try:
    from isal.isal_zlib import crc32  # the same function at a seventh of the cost
except ImportError:
    from zlib import crc32

__all__ = ["combined", "crc32", "to_base64"]

_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
"""The polynomial 1: the bits of a CRC-32 are in reverse order."""


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
