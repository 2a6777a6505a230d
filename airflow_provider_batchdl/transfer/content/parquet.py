"""Parquet: its two marks, and the number of rows from its footer."""

from __future__ import annotations

from airflow_provider_batchdl.exceptions import TruncatedDownloadError
from airflow_provider_batchdl.transfer.content.base import ContentReport, Ends

_NUM_ROWS = 3


class ParquetCheck(Ends):
    """`PAR1` at both ends and a footer that fits in between (https://parquet.apache.org/docs/file-format/)."""

    KEPT = 1 << 20
    """Bytes at the end of the file that are held: of a file with a larger footer, rows are not counted."""

    def finish(self) -> ContentReport:
        """The report: `own` and the footer's rows, where the marks and the footer fit."""
        last = self._last
        size = int.from_bytes(last[-8:-4], "little")
        if self._size < 12 or last[-4:] != self._first or not 0 < size <= self._size - 12:
            return ContentReport(error=TruncatedDownloadError("The parquet content ends before its footer."))
        readable = self._first == b"PAR1" and size + 8 <= len(last)
        return ContentReport("parquet", rows_of(last[-8 - size : -8]) if readable else None, end="own")


def rows_of(footer: bytes) -> int | None:
    """`num_rows` of a `FileMetaData` (https://github.com/apache/parquet-format); None where it cannot be read."""
    try:
        rows = _Thrift(footer).number(_NUM_ROWS)
    except (IndexError, ValueError, RecursionError):
        return None
    return rows if rows is not None and rows >= 0 else None


class _Thrift:
    """Reads a struct of Thrift's compact protocol; what is not wanted is skipped.

    https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, wanted: int | None) -> int | None:
        """The integer in the field `wanted` of the struct that begins here; None where there is none."""
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self._signed()
            if field == wanted:
                return self._signed()
            if head & 15 > 2:  # of a boolean in a struct, the type is the value
                self._skip(head & 15)
        return None

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _unsigned(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def _signed(self) -> int:
        value = self._unsigned()
        return value >> 1 ^ -(value & 1)

    def _skip(self, kind: int) -> None:
        match kind:
            case 1 | 2 | 3:  # a boolean in a list, a byte
                self._at += 1
            case 4 | 5 | 6:
                self._unsigned()
            case 7:  # a double
                self._at += 8
            case 8:
                size = self._unsigned()
                self._at += size
            case 9:
                head = self._byte()
                size = head >> 4 if head >> 4 < 15 else self._unsigned()
                if size > len(self._data):  # each element has a byte at least
                    raise ValueError("no such list fits")
                for _ in range(size):
                    self._skip(head & 15)
            case 12:
                self.number(wanted=None)
            case _:  # sets and maps: nothing before the number of rows is one
                raise ValueError("no such type is expected")
