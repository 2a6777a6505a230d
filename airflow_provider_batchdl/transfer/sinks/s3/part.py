"""The parts of an upload: those to be sent, held as the chunks in which they arrived, and those that the store has."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_batchdl.transfer.sinks.s3.crc32 import crc32, to_base64

WORTH_KEEPING = 64 << 10
"""Bytes of a chunk that is held as it is; smaller ones are gathered, since each costs a trip to the socket."""
GATHERED = 512 << 10
"""Bytes to which they are gathered."""
_SUMMED = 1 << 20
"""Bytes that are summed at a time."""
_LISTED = frozenset(
    {"ETag", "ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256"},
)


class Part:
    """Bytes of one part, most of which are never copied; they can be sent again and again until they are released.

    Attributes:
        size: how many.
    """

    def __init__(self) -> None:
        self.size = 0
        self._chunks: list[memoryview | bytearray] = []
        self._crc32: int | None = None

    def write(self, data: memoryview) -> None:
        """Append ``data``; what may change afterwards is copied."""
        self.size += len(data)
        if len(data) >= WORTH_KEEPING and isinstance(data.obj, bytes):
            self._chunks.append(data)
            return
        last = self._chunks[-1] if self._chunks else None
        if not isinstance(last, bytearray) or len(last) >= GATHERED:
            last = bytearray()
            self._chunks.append(last)
        last += data

    def pieces(self, largest: int) -> Iterator[memoryview]:
        """The bytes in their order, none of the pieces above ``largest`` bytes."""
        for chunk in self._chunks:
            view = memoryview(chunk)
            for at in range(0, len(view), largest):
                yield view[at : at + largest]

    @property
    def crc32(self) -> int:
        """The CRC-32 of the bytes, computed once: nothing may be written afterwards."""
        if self._crc32 is None:
            crc = 0
            for piece in self.pieces(_SUMMED):
                crc = crc32(piece, crc)
            self._crc32 = crc
        return self._crc32

    def file(self) -> io.BytesIO:
        """The same as a file to read, which shares the bytes."""
        whole = b"".join(self._chunks)
        self._chunks = [memoryview(whole)]
        return io.BytesIO(whole)


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
        """The same with the CRC-32 that was recorded when it was sent: not every store lists it."""
        if crc32 is None:
            return self
        return UploadedPart(self.number, self.size, {**self.answer, "ChecksumCRC32": to_base64(crc32)}, crc32)
