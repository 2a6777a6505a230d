"""CSV: records counted and the last one judged, as Python's `csv` reads them.

Almost all of the work is done on what `bytes.translate` leaves of a block: quotes, line breaks and delimiters. Where
quotes stand only where RFC 4180 has them, a line with an even number of them begins and ends in the same field, and
one with an odd number is the first or the last of a field of several lines. A block with another line is read by `csv`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from airflow_provider_batchdl.exceptions import TruncatedDownloadError
from airflow_provider_batchdl.transfer.content.base import MOST, Blocks, ContentReport

DELIMITERS = b",;\t|"
SMALL = 32 << 10
"""Bytes of a file with quotes that `csv` reads as a whole, broken quoting and all."""
HEADER = 64 << 10
"""Bytes in which the header is searched for."""

# Excel's first line, which names the delimiter.
_SEP_LINE = re.compile(rb'(?i)\A"?sep=([!#-/:-@[-`{-~\t])"?(?:\r\n?|\n)')
_QUOTED = re.compile(rb'"[^"]*(?:"|$)')
_RETURNS = bytes.maketrans(b"\r", b"\n")


class CsvCheck(Blocks):
    """RFC 4180 with any of the four usual delimiters and line breaks of any kind.

    Its word is `csv-end`: no quote is open, and the file ends with a line break or its last record has as many fields
    as the header. A cut exactly at a line's end shows nowhere, nor one inside the last field.
    """

    def __init__(self) -> None:
        super().__init__()
        self._records = 0
        self._inside = False
        self._lost = False  # a record or a field is longer than is held
        self._by_csv = False  # the file is small, or a quote stands where RFC 4180 has none: `csv` reads all lines
        self._returns = False  # lines end with a carriage return alone
        self._checked = False  # whether each quote of the first block was checked
        self._before = (b"", 0, False)  # the lines before these, and what was found when they began
        self._delimiter = ","
        self._fields: int | None = 0  # of the header; None if it is longer than is read
        self._drop = b""  # all bytes but those that make the structure
        self._row = b""  # the quotes of a row and its line break
        self._alike = False  # whether the rows of the last block all had these

    def _begin(self, first: bytes) -> None:
        self._returns = b"\n" not in first and b"\r" in first
        self._delimiter = delimiter_of(first[:HEADER])
        self._records = -bool(sep_line(first))
        self._before = (b"", self._records, False)
        self._drop = bytes(range(256)).translate(None, b'"\r\n' + self._delimiter.encode())
        records = (record for record in _reader(_SEP_LINE.sub(b"", first[:HEADER]), self._delimiter) if record)
        try:
            self._fields = len(next(records, []))
            if len(first) > HEADER and next(records, None) is None:
                self._fields = None
        except csv.Error:
            self._fields = 0

    def _block(self, block: bytes) -> None:
        if self._lost:
            return
        # Of "\r\n" it makes a line break and a blank line, which is no record.
        lines = self._whole_lines(block.translate(_RETURNS) if self._returns else block)
        if lines and not self._by_csv:
            before = lines, self._records, self._inside
            self._body(lines)
            self._before = before
        elif lines:
            self._scan(lines)
        if len(self._tail) > MOST:
            self._lost = True

    def finish(self) -> ContentReport:
        """The report on the table."""
        self._by_csv = self._by_csv or (self._is_first and len(self._waiting) <= SMALL and b'"' in self._waiting)
        self._flush()
        whole = self._lost or not self._tail.strip(b"\r") or self._judge_tail()
        if self._lost:
            return ContentReport(end="open")
        if self._inside:
            return ContentReport(
                error=TruncatedDownloadError("The download ends inside a quoted CSV field, or one is broken.")
            )
        word, error = "csv-end" if self._records > 0 and whole else None, None
        if whole is False:
            error = TruncatedDownloadError(
                "The last CSV record has no line break and not as many fields as the header."
            )
        return ContentReport(word, max(0, self._records - 1), end="open", error=error)

    def _judge_tail(self) -> bool | None:
        """Count the last record, which has no line break; False where it has another number of fields than the header.

        None where that is not known.
        """
        began_here = not self._inside
        self._scan(self._tail)
        if not began_here or self._inside or self._lost:
            return True
        last = [record for record in _reader(self._tail, self._delimiter) if record]
        return None if self._fields is None else len(last[-1]) == self._fields

    def _body(self, body: bytes) -> None:
        """Take whole lines."""
        if not self._checked:
            self._checked = True
            self._by_csv = b'"' in body and not self._opens_only_at_starts(body)
        if self._by_csv:
            self._scan(body)
            return
        if self._alike and not self._inside and self._count_alike(body):
            return
        kept = body.translate(None, self._drop)
        if b"\r" in kept:
            if body.count(b"\r\n") != kept.count(b"\r"):
                self._scan(body)
                return
            kept = kept.replace(b"\r\n", b"\n")
        may_be_blank = kept[:1] == b"\n" or b"\n\n" in kept
        quotes = kept.translate(None, self._delimiter.encode()) if b'"' in kept else b""
        odd = self._odd_lines(quotes).split(b'"')
        self._alike = bool(self._row) and quotes == self._row * (len(quotes) // len(self._row))
        if len(odd) == 1:
            if not self._inside:
                self._records += kept.count(b"\n") - (_blank_in(body) if may_be_blank else 0)
            return
        found = self._between(body.split(b"\n"), odd, may_be_blank=may_be_blank)
        if found is None:
            # A field that seemed to end in the lines before may have continued.
            self._by_csv = True
            lines, self._records, self._inside = self._before
            self._scan(lines + body)
            return
        self._records += found
        self._inside ^= len(odd) % 2 == 0

    def _count_alike(self, body: bytes) -> bool:
        """Count the rows, where each has the quotes of the last one before: then none is blank."""
        quotes = body.translate(None, self._drop + self._delimiter.encode())
        pairs = b"\r" in quotes
        row = self._row[:-1] + b"\r\n" if pairs else self._row
        rows, rest = divmod(len(quotes), len(row))
        self._alike = not rest and quotes == row * rows and (not pairs or body.count(b"\r\n") == rows)
        self._records += rows * self._alike
        return self._alike

    def _opens_only_at_starts(self, body: bytes) -> bool:
        """Check that each quote that opens a field by the number of those before it does: then counting suffices.

        It stands at the field's start, or continues the field as the second of a doubled one. A file of broken
        quoting mostly shows it here, where lines with an even number of quotes open and close fields of several.
        """
        outside = body.split(b'"')[0:-1:2]
        starts = ("\r\n" + self._delimiter).encode()
        return all(not text or text[-1] in starts for text in outside)

    def _odd_lines(self, quotes: bytes) -> bytes:
        """Line breaks, and one quote for each line with an odd number of them."""
        if not quotes:
            return quotes
        if self._row and self._row in quotes:
            quotes = quotes.replace(self._row, b"\n")
        else:
            row = quotes[quotes.rfind(b"\n", 0, -1) + 1 :]
            self._row = row if len(row) % 2 and len(row) > 1 else b""
        return quotes.replace(b'""', b"")

    def _between(self, lines: list[bytes], odd: list[bytes], *, may_be_blank: bool) -> int | None:
        """Records that end outside of quotes; None where an odd line neither opens nor closes a field of several."""
        at, found, inside = 0, 0, self._inside
        for number, breaks in enumerate(odd):
            end = at + len(breaks)
            if not inside:
                found += len(breaks) - (_blank(lines[at:end]) if may_be_blank else 0)
            at = end
            if number < len(odd) - 1 and not self._toggles(lines[at], inside):
                return None
            inside = not inside
        return found

    def _toggles(self, line: bytes, inside: bool) -> bool:
        if inside:
            end = line.find(b'"') + 1
            if line[end : end + 1] in (b"", b"\r", self._delimiter.encode()):
                return True
        else:
            start = line.rfind(b'"')
            if not start or line[start - 1 : start] == self._delimiter.encode():
                return True
        try:
            return _read(line, self._delimiter, inside)[1] is not inside
        except csv.Error:
            return False

    def _scan(self, text: bytes) -> None:
        """Let `csv` read whole lines, or the last one."""
        try:
            found, self._inside = _read(text, self._delimiter, self._inside)
        except csv.Error:  # a field above the limit of 128 KiB, which is global to the process
            self._lost = True
        else:
            self._records += found


def sep_line(start: bytes) -> bytes:
    """The first line where it names the delimiter, as Excel has it: ``sep=;``; else empty. The header follows it."""
    named = _SEP_LINE.match(start)
    return named[0] if named else b""


def delimiter_of(start: bytes) -> str:
    """The delimiter of a table that begins so: that of `sep_line`, else what its header has most of."""
    if (named := _SEP_LINE.match(start)) is not None:
        return named[1].decode()
    header = _QUOTED.sub(b"0", start).lstrip(b"\r\n").replace(b"\r", b"\n").partition(b"\n")[0]
    most = max(DELIMITERS, key=lambda each: (header.count(each), each == 9 and 9 in header))  # 9: the tab
    return chr(most)


def _blank_in(body: bytes) -> int:
    """Blank lines of whole ones; searching for one is cheaper than splitting, and mostly there is none."""
    if body[:1] not in b"\r\n" and b"\n\n" not in body and (b"\r" not in body or b"\n\r" not in body):
        return 0
    return _blank(body.split(b"\n")[:-1])


def _blank(lines: list[bytes]) -> int:
    return lines.count(b"") + lines.count(b"\r")


def _reader(text: bytes, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text.decode("latin-1"), newline=""), delimiter=delimiter)


def _read(text: bytes, delimiter: str, inside: bool) -> tuple[int, bool]:
    """The number of records that end in `text`; and True where a quoted field is open behind it."""
    # A quote in front stands for the field that is open there, and a delimiter behind is a record of two empty fields,
    # unless it is read as the end of an open one.
    lines = io.StringIO('"' * inside + text.decode("latin-1") + "\n" + delimiter, newline="")
    found, last = 0, [""]
    for last in csv.reader(lines, delimiter=delimiter):
        found += bool(last)
    return found - 1, last[-1] != ""
