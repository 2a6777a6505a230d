"""gzip, zip and parquet: formats that mark their own end."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import ClassVar

from airflow_provider_batchdl.exceptions import (
    ChecksumMismatchError,
    TruncatedDownloadError,
    UnexpectedResponseError,
)
from airflow_provider_batchdl.transfer.content.base import HEAD, ContentCheck, Evidence, refuse_markup, slices
from airflow_provider_batchdl.transfer.snapshots import COUNT, Field, Stateful, raw

OUTPUT = 256 << 10
"""Decompressed bytes held at once, whatever the compression ratio."""
_ZIP_END = struct.Struct("<4s4H2LH")
_ZIP_END_MARK = b"PK\x05\x06"
MOST_LAST = 0xFFFF + _ZIP_END.size
"""Last bytes that a check keeps at most: zip's end record, and the longest comment behind it."""


class GzipCheck:
    """Every member ends with its CRC-32 and size (RFC 1952 §2.3.1), checked by decompressing and throwing away.

    Args:
        inner: a check of the decompressed content, which also supplies `rows`.
    """

    name = "gzip"
    evidence: Evidence = "strong"

    def __init__(self, inner: ContentCheck | None = None) -> None:
        self.inner = inner
        self._member = _member()
        self._in_member = False
        self._members = 0
        self._head = b""

    @property
    def rows(self) -> int | None:
        """The inner check's count."""
        return self.inner.rows if self.inner else None

    def snapshot(self) -> None:
        """None: zlib gives no state out."""

    def restore(self, state: object) -> None:
        """Raises ValueError: there is no such state."""
        raise ValueError("what is decompressed cannot be gone on with")

    def feed(self, data: bytes | memoryview) -> None:
        """Decompress the next bytes."""
        for piece in slices(data):
            if len(self._head) < HEAD:
                self._head += piece[: HEAD - len(self._head)]
            self._take(piece)

    def _take(self, piece: bytes) -> None:
        while piece:
            if not self._in_member:
                # Zeros between or after members are padding (RFC 1952 knows none, gzip and tar write it).
                piece = piece.lstrip(b"\0") if self._members else piece
                if not piece:
                    return
                self._member, self._in_member = _member(), True
            piece = self._decompress(piece)

    def _decompress(self, piece: bytes) -> bytes:
        """Put `piece` through the member; returns what follows the member's end."""
        try:
            output = self._member.decompress(piece, OUTPUT)
            while output or self._member.unconsumed_tail:
                if self.inner:
                    self.inner.feed(output)
                if self._member.eof:
                    break
                output = self._member.decompress(self._member.unconsumed_tail, OUTPUT)
        except zlib.error as error:
            self._refuse(error)
        if not self._member.eof:
            return b""
        self._in_member = False
        self._members += 1
        return self._member.unused_data

    def _refuse(self, error: zlib.error) -> None:
        if "incorrect header check" in str(error) and not self._members:
            refuse_markup(self._head, self.name)
            raise UnexpectedResponseError("The download was declared as gzip but is not.") from None
        raise ChecksumMismatchError(f"The gzip content is damaged: {error}.") from None

    def finish(self) -> None:
        """Judge the end; see `ContentCheck.finish`."""
        if self._in_member or not self._members:
            raise TruncatedDownloadError("The gzip content ends before its trailer.")
        if self.inner:
            self.inner.finish()


def _member() -> zlib._Decompress:
    return zlib.decompressobj(wbits=31)


class _Ends(Stateful):
    """Keeps the first and the last bytes of a stream."""

    FIELDS: ClassVar[Mapping[str, Field]] = {"_first": raw(HEAD), "_last": raw(MOST_LAST), "_size": COUNT}
    evidence: Evidence = "strong"

    def __init__(self, name: str, last: int) -> None:
        self.name = name
        self.rows: int | None = None
        self._keep = last
        self._first = b""
        self._last = b""
        self._size = 0

    def feed(self, data: bytes | memoryview) -> None:
        """Remember the ends."""
        view = memoryview(data).cast("B")
        self._size += len(view)
        if len(self._first) < HEAD:
            self._first += bytes(view[: HEAD - len(self._first)])
        self._last = (self._last + bytes(view[-self._keep :]))[-self._keep :]

    def _require_magic(self, *magics: bytes) -> None:
        if any(self._first.startswith(magic) for magic in magics):
            return
        if self._size < 4 and any(magic.startswith(self._first) for magic in magics):
            raise TruncatedDownloadError(f"The {self.name} content has only {self._size} bytes.")
        refuse_markup(self._first, self.name)
        raise UnexpectedResponseError(f"The download was declared as {self.name} but is not.")


class ZipCheck(_Ends):
    """Ends with the end-of-central-directory record, and the directory it names lies before it (APPNOTE 4.3.16)."""

    def __init__(self) -> None:
        super().__init__("zip", MOST_LAST)

    def snapshot(self) -> dict[str, object] | None:
        """The state as JSON, of the last bytes only those that may belong to the end record."""
        at = self._last.find(_ZIP_END_MARK)
        self._last = self._last[at if at >= 0 else -len(_ZIP_END_MARK) + 1 :]
        return super().snapshot()

    def finish(self) -> None:
        """Judge the end; see `ContentCheck.finish`."""
        self._require_magic(b"PK\x03\x04", _ZIP_END_MARK)
        at = self._last.rfind(_ZIP_END_MARK)
        while at >= 0:
            if self._fits(at):
                return
            at = self._last.rfind(_ZIP_END_MARK, 0, at)
        raise TruncatedDownloadError("The zip content ends before its central directory's end.")

    def _fits(self, at: int) -> bool:
        if len(self._last) - at < _ZIP_END.size:
            return False
        *_, size, offset, comment = _ZIP_END.unpack_from(self._last, at)
        if at + _ZIP_END.size + comment != len(self._last):
            return False
        position = self._size - len(self._last) + at
        # 0xFFFFFFFF: the true values stand in the zip64 record just before.
        return 0xFFFFFFFF in {size, offset} or bool(offset + size <= position)


class ParquetCheck(_Ends):
    """`PAR1` at both ends and a footer that fits in between (https://parquet.apache.org/docs/file-format/)."""

    def __init__(self) -> None:
        super().__init__("parquet", 8)

    def finish(self) -> None:
        """Judge the end; see `ContentCheck.finish`."""
        self._require_magic(b"PAR1", b"PARE")
        footer = int.from_bytes(self._last[:4], "little")
        if self._size < 12 or self._last[4:] != self._first[:4] or not 0 < footer <= self._size - 12:
            raise TruncatedDownloadError("The parquet content ends before its footer.")
