"""CSV: quotes across chunk borders, the last record complete, records counted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from airflow_provider_batchdl.exceptions import TruncatedDownloadError, UnexpectedResponseError
from airflow_provider_batchdl.transfer.content.base import TextCheck
from airflow_provider_batchdl.transfer.snapshots import COUNT, FLAG, Field, buffer, optional, raw

DELIMITERS = b",;\t|"
MAX_QUOTES = 64 << 10
"""Longest run of nothing but quotes that is taken for CSV."""
MAX_RECORD = 4 << 20
"""Longest header line in bytes, and most fields in a record."""

# A quote opens a field only where the field begins (RFC 4180 §2.5); elsewhere, as in `5" pipe`, it is text.
_OPENING = re.compile(rb'(?<![^,;\t|\r\n])"')
_QUOTED = re.compile(rb'(?<![^,;\t|\r\n])"[^"]*+(?:""[^"]*+)*+"')
_INSIDE = re.compile(rb'[^"]*+(?:""[^"]*+)*+')


class CsvCheck(TextCheck):
    """RFC 4180 with any of the four usual delimiters, line breaks with or without a carriage return.

    Complete means: no quote is open, and the file ends with a line break or its last record has as many fields as
    the header. A cut exactly at a line's end cannot be seen, nor, where the last record has no line break, one
    inside its last field: `evidence` tells these apart.
    """

    FIELDS: ClassVar[Mapping[str, Field]] = {
        **TextCheck.FIELDS,
        "_records": COUNT,
        "_inside": FLAG,
        "_before": raw(1),
        "_held": raw(MAX_QUOTES, only=b'"'),
        "_header": optional(raw(MAX_RECORD)),
        "_tail": buffer(MAX_RECORD),
    }
    name = "csv"

    def __init__(self) -> None:
        super().__init__()
        self.rows: int | None = None
        self._records = 0
        self._inside = False
        self._before = b"\n"
        self._held = b""
        # Of the header, as of the record that has not ended, no more is kept than what counts its fields.
        self._header: bytes | None = None
        self._tail = bytearray()

    def _open(self) -> None:
        if bytes(self._head or b"").lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b'{"', b'[{"')):
            raise UnexpectedResponseError("The download was declared as csv but is JSON (an error message?).")
        super()._open()

    def _text(self, piece: bytes) -> None:
        data = self._held + piece
        # Whether a quote at the end closes a field or is the first of an escaped pair, the next bytes tell.
        body = data.rstrip(b'"')
        self._held = data[len(body) :]
        if len(self._held) > MAX_QUOTES:
            raise UnexpectedResponseError("The download was declared as csv but holds nothing but quotes for long.")
        self._scan(body)

    def _scan(self, data: bytes) -> None:
        """Take `data`, at whose end no quote is undecided."""
        if self._inside:
            found = _INSIDE.match(data)
            end = found.end() if found else 0
            if end == len(data):
                return
            self._inside = False
            self._before = b"0"
            data = data[end + 1 :]
        if not data:
            return
        text = self._before + data
        if b'"' in data:
            text = _QUOTED.sub(b"0", text)
            opening = _OPENING.search(text)
            if opening:
                self._inside = True
                # The open field stands as a character, so that a record of that field alone is no blank line.
                text = text[: opening.start()] + b"0"
        self._before = data[-1:]
        self._take(text[1:])

    def _take(self, text: bytes) -> None:
        """Take text free of quoted fields: every line break ends a record, every delimiter a field."""
        lines = text.split(b"\n")
        last = lines.pop()
        if lines:
            lines[0] = bytes(self._tail) + lines[0]
            self._records += _filled(lines)
            if self._header is None:
                first = next((line for line in lines if line.strip(b"\r")), None)
                self._header = None if first is None else bytes(_fields_only(first))
            self._tail.clear()
        self._tail += last if self._header is None else _fields_only(last)
        if len(self._tail) > MAX_RECORD:
            raise UnexpectedResponseError("The download was declared as csv but goes on without a line break.")

    def _end(self) -> None:
        held, self._held = self._held, b""
        # At the end a run of quotes is decided; any character that means nothing to CSV says so to the scan.
        self._scan(held + b"0" if held else b"")
        if self._inside:
            raise TruncatedDownloadError(
                "The download ends inside a quoted CSV field: it was cut, or its quoting is broken."
            )
        self.evidence = "line"
        if self._tail.strip(b"\r"):
            self.evidence = "line" if held else "weak"
            self._judge_last_record()
            self._records += 1
        self.rows = max(0, self._records - 1)

    def _judge_last_record(self) -> None:
        if self._header is None:
            return
        expected, found = _field_count(self._header, self._header), _field_count(bytes(self._tail), self._header)
        if found != expected:
            raise TruncatedDownloadError(
                f"The last CSV record of the download has {found} of {expected} fields and no line break."
            )


def _filled(lines: list[bytes]) -> int:
    return len(lines) - lines.count(b"") - lines.count(b"\r")


def _fields_only(text: bytes) -> bytearray:
    """A line of any length kept as its delimiters and one character where there is anything at all.

    A carriage return alone stays one: whether it is all that the line holds, the next bytes tell.
    """
    if not text.strip(b"\r"):
        return bytearray(text)
    return bytearray(b"0" + text.translate(None, _OTHERS))


def _field_count(line: bytes, header: bytes) -> int:
    delimiter = max(DELIMITERS, key=header.count)
    return line.count(delimiter) + 1


_OTHERS = bytes(set(range(256)) - set(DELIMITERS))
