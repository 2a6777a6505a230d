"""gzip and zip, where nothing but their own end can prove them."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from airflow_provider_batchdl.exceptions import BatchDlError, ChecksumMismatchError, TruncatedDownloadError
from airflow_provider_batchdl.transfer.content.base import Look

if TYPE_CHECKING:
    from airflow_provider_batchdl.transfer.content import Content

PACKED = 128 << 10
"""Bytes decompressed in one go."""
OUTPUT = 256 << 10
"""Decompressed bytes held at once, whatever the compression ratio."""
_ZIP_END = struct.Struct("<4s4H2LH")
_ZIP_END_MARK = b"PK\x05\x06"
MOST_LAST = 0xFFFF + _ZIP_END.size
"""Last bytes in which a zip's end record is: that, and the longest comment behind it."""


class GzipCheck:
    """Every member ends with its CRC-32 and size (RFC 1952 §2.3.1), checked by decompressing and throwing away.

    A cut between two members does not show.

    Args:
        inner: sees the decompressed content, as if it were proven.
    """

    def __init__(self, inner: Content) -> None:
        self._inner = inner
        self._member = zlib.decompressobj(wbits=31)
        self._in_member = False
        self._members = 0
        self._error: BatchDlError | None = None

    def feed(self, data: bytes) -> None:
        """Decompress the next bytes."""
        for start in range(0, len(data), PACKED):
            if self._error is None:
                self._take(data[start : start + PACKED])

    def _take(self, piece: bytes) -> None:
        while piece:
            if not self._in_member:
                # Zeros between or after members are padding (RFC 1952 knows none, gzip and tar write it).
                piece = piece.lstrip(b"\0") if self._members else piece
                if not piece:
                    return
                self._member, self._in_member = zlib.decompressobj(wbits=31), True
            try:
                piece = self._decompress(piece)
            except zlib.error as error:
                self._error = ChecksumMismatchError(f"The gzip content is damaged: {error}.")
                return

    def _decompress(self, piece: bytes) -> bytes:
        """Put `piece` through the member; returns what follows the member's end."""
        output = self._member.decompress(piece, OUTPUT)
        while output or self._member.unconsumed_tail:
            self._inner.feed(output)
            if self._member.eof:
                break
            output = self._member.decompress(self._member.unconsumed_tail, OUTPUT)
        if not self._member.eof:
            return b""
        self._in_member = False
        self._members += 1
        return self._member.unused_data

    def finish(self) -> Look:
        """Judge the end."""
        if self._error is None and (self._in_member or not self._members):
            self._error = TruncatedDownloadError("The gzip content ends before its trailer.")
        if self._error is not None:
            return Look(error=self._error)
        return Look("gzip", self._inner.finish().rows, end="own")


class ZipCheck:
    """Ends with the end-of-central-directory record, and the directory it names lies before it (APPNOTE 4.3.16)."""

    def __init__(self) -> None:
        self._last = b""
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Remember the end."""
        self._size += len(data)
        self._last = (self._last + data[-MOST_LAST:])[-MOST_LAST:]

    def finish(self) -> Look:
        """Judge the end."""
        at = self._last.rfind(_ZIP_END_MARK)
        while at >= 0:
            if self._fits(at):
                return Look("zip", end="own")
            at = self._last.rfind(_ZIP_END_MARK, 0, at)
        return Look(error=TruncatedDownloadError("The zip content ends before its central directory's end."))

    def _fits(self, at: int) -> bool:
        if len(self._last) - at < _ZIP_END.size:
            return False
        *_, size, offset, comment = _ZIP_END.unpack_from(self._last, at)
        if at + _ZIP_END.size + comment != len(self._last):
            return False
        position = self._size - len(self._last) + at
        # 0xFFFFFFFF: the true values stand in the zip64 record just before.
        return 0xFFFFFFFF in {size, offset} or bool(offset + size <= position)
