"""Compressed files and zip, where nothing but their own end can prove them, or the rows inside are asked for."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from airflow_provider_batchdl.client.inflating import Decompressor, Inflater
from airflow_provider_batchdl.exceptions import BatchDlError, ChecksumMismatchError, TruncatedDownloadError
from airflow_provider_batchdl.transfer.content.base import ContentCheck, ContentReport, Ends

try:
    from isal import isal_zlib as fastest  # zlib's interface at a third of the cost
except ImportError:
    import zlib as fastest  # type: ignore[no-redef]

if TYPE_CHECKING:
    from airflow_provider_batchdl.transfer.content import Content

_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\x05\x06"
# Zip64: where the end record with the true values is, and that record's mark and size (APPNOTE 4.3.14 and 4.3.15).
_LOCATOR = struct.Struct("<4s4xQ4x")
_END64 = struct.Struct("<4sQ")
_WRAPS = 1 << 32  # Apple's Archive Utility writes larger offsets so, without zip64


def gunzip() -> Decompressor:
    """A decompressor of one gzip member."""
    decompressor: Decompressor = fastest.decompressobj(wbits=31)
    return decompressor


class PackedCheck(ContentCheck):
    """A compressed file: its members or streams mark their own end, with checksums; checked by decompressing.

    gzip: CRC-32 and size (RFC 1952, section 2.3.1). A cut between two members does not show. ``inner`` sees the
    decompressed content, as if it were proven; nothing of it is stored.
    """

    def __init__(self, name: str, decompressor: Callable[[], Decompressor], inner: Content) -> None:
        super().__init__()
        self._name = name
        self._inner = inner
        self._inflater = Inflater(decompressor)
        self._error: BatchDlError | None = None

    def feed(self, data: bytes) -> None:
        """Decompress the next bytes."""
        for piece in self._unpacked(data) if self._error is None else ():
            self._inner.feed(piece)

    def finish(self) -> ContentReport:
        """The report: `own`, where the last member is whole."""
        if self._error is not None:
            return ContentReport(error=self._error)
        if not self._inflater.ended:
            error = TruncatedDownloadError(f"The {self._name} content ends before its trailer.")
            return ContentReport(error=error)
        return ContentReport(self._name, self._inner.finish().rows, end="own")

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        try:
            yield from self._inflater.feed(data)
        except Exception as error:  # noqa: BLE001  every library has its own
            self._error = ChecksumMismatchError(f"The {self._name} content is damaged: {error}.")


class ZipCheck(Ends):
    """Ends with the end-of-central-directory record, right behind the directory that it names (APPNOTE 4.3.16).

    Right behind: one of a zip that is stored inside names its own directory, counted from its own start.
    """

    KEPT = 0xFFFF + _END.size + 4096
    """The end record, the longest comment behind it, and before it the records of zip64."""

    def finish(self) -> ContentReport:
        """The report: `own`, where the end record fits."""
        last = self._last
        at = last.rfind(_END_MARK)
        while at >= 0:
            if self._fits(last, at):
                return ContentReport("zip", end="own")
            at = last.rfind(_END_MARK, 0, at)
        return ContentReport(error=TruncatedDownloadError("The zip content ends before its central directory's end."))

    def _fits(self, last: bytes, at: int) -> bool:
        if len(last) - at < _END.size:
            return False
        *_, size, offset, comment = _END.unpack_from(last, at)
        if at + _END.size + comment != len(last):
            return False
        before = self._size - len(last)
        return (before + at - offset - size) % _WRAPS == 0 or self._fits64(last, at - _LOCATOR.size, before)

    @staticmethod
    def _fits64(last: bytes, at: int, before: int) -> bool:
        """True where zip64's locator is at `at`, and right before it the end record that it names."""
        if at < 0:
            return False
        mark, offset = _LOCATOR.unpack_from(last, at)
        start = offset - before
        if mark != b"PK\x06\x07" or not 0 <= start <= at - _END64.size:
            return False
        mark, size = _END64.unpack_from(last, start)
        return bool(mark == b"PK\x06\x06" and start + _END64.size + size == at)
