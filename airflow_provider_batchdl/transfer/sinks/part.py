"""The bytes of one part of an upload, held as the chunks in which they came: most are never copied."""

from __future__ import annotations

import io
from collections.abc import Iterator

WORTH_KEEPING = 64 << 10
"""Bytes of a chunk that is held as it is; smaller ones are gathered, since each costs a trip to the socket."""
GATHERED = 512 << 10
"""Bytes to which they are gathered."""


class Part:
    """Bytes that can be sent again and again until they are let go.

    Attributes:
        size: how many.
    """

    def __init__(self) -> None:
        self.size = 0
        self._chunks: list[memoryview | bytearray] = []

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

    def file(self) -> io.BytesIO:
        """The same as a file to read, which shares the bytes."""
        whole = b"".join(self._chunks)
        self._chunks = [memoryview(whole)]
        return io.BytesIO(whole)
