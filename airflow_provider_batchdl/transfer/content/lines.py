"""JSON lines (NDJSON): the first and the last line parse, the others are counted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from airflow_provider_batchdl.exceptions import TruncatedDownloadError, UnexpectedResponseError
from airflow_provider_batchdl.transfer.content.base import TextCheck
from airflow_provider_batchdl.transfer.snapshots import COUNT, Field, buffer, raw

MAX_LINE = 8 << 20
"""Longest line that is kept to be parsed; of a longer one only the last byte is judged."""
_WHOLE = b"null"


class JsonLinesCheck(TextCheck):
    """One JSON value a line.

    Weak evidence: a cut exactly at a line's end cannot be seen; the lines between the first and the last are
    counted, not parsed.
    """

    FIELDS: ClassVar[Mapping[str, Field]] = {
        **TextCheck.FIELDS,
        "_count": COUNT,
        "_open_line": buffer(MAX_LINE),
        "_open_length": COUNT,
        "_last": raw(MAX_LINE),
        "_last_length": COUNT,
    }
    name = "jsonl"

    def __init__(self) -> None:
        super().__init__()
        self.rows: int | None = None
        self._count = 0
        self._open_line = bytearray()
        self._open_length = 0
        self._last = b""
        self._last_length = 0

    def snapshot(self) -> dict[str, object] | None:
        """The state as JSON; without the last whole line where that parses, as it then does at the end too."""
        if self._count and _parses(self._last, self._last_length):
            self._last, self._last_length = _WHOLE, len(_WHOLE)
        return super().snapshot()

    def _text(self, piece: bytes) -> None:
        first, newline, rest = piece.partition(b"\n")
        self._extend(first)
        if not newline:
            return
        self._close_line()
        lines = rest.split(b"\n")
        tail = lines.pop()
        if lines:
            self._close_whole_lines(lines)
        self._extend(tail)

    def _extend(self, data: bytes) -> None:
        self._open_length += len(data)
        # The end matters where a line is too long to keep: its last byte is judged.
        self._open_line += data
        if len(self._open_line) > MAX_LINE:
            del self._open_line[: -MAX_LINE // 2]

    def _close_line(self) -> None:
        line, length = bytes(self._open_line), self._open_length
        self._open_line.clear()
        self._open_length = 0
        if not line.strip():
            return
        if self._count == 0 and not _parses(line, length):
            raise UnexpectedResponseError(f"The first line of the download is not JSON: {_shown(line)}.")
        self._count += 1
        self._last, self._last_length = line, length

    def _close_whole_lines(self, lines: list[bytes]) -> None:
        if self._count == 0:
            for number, line in enumerate(lines):
                self._extend(line)
                self._close_line()
                if self._count:
                    self._close_whole_lines(lines[number + 1 :])
                    return
            return
        filled = [line for line in lines if line and not line.isspace()]
        if filled:
            self._count += len(filled)
            self._last = filled[-1]
            self._last_length = len(self._last)

    def _end(self) -> None:
        # A number without a line break may have lost digits; every other value shows its own end.
        self.evidence = "weak" if self._open_line.rstrip()[-1:].isdigit() else "line"
        if self._count == 0 and self._open_line.strip() and not _parses(bytes(self._open_line), self._open_length):
            raise _looks_cut(bytes(self._open_line))
        self._close_line()
        if self._count == 0:
            raise TruncatedDownloadError("The download holds no JSON line.")
        if not _parses(self._last, self._last_length):
            raise _looks_cut(self._last)
        self.rows = self._count


def _looks_cut(line: bytes) -> TruncatedDownloadError:
    return TruncatedDownloadError(f"The last JSON line of the download is incomplete; it ends in {_shown(line, -60)}.")


def _parses(line: bytes, length: int) -> bool:
    if length > len(line):
        return line.rstrip()[-1:] in b'}]"'
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _shown(line: bytes, start: int = 0) -> str:
    """A short piece for a message. Result lines hold people's data: only the structure is shown, not the values."""
    text = line.strip()[start:][:60].decode("utf-8", "replace")
    return repr("".join("x" if char.isalnum() else char for char in text))
