"""JSON lines (NDJSON): counted where something else proves the file, each one parsed where nothing does."""

from __future__ import annotations

import json

import msgspec

from airflow_provider_batchdl.exceptions import TruncatedDownloadError, UnexpectedResponseError
from airflow_provider_batchdl.transfer.content.base import MOST, Blocks, ContentReport

# All but what lines are counted by: one of which nothing else is left is blank, or no more than a scalar.
_DROP = bytes(each for each in range(256) if each not in b"\n{[")
_VALUE = msgspec.json.Decoder(msgspec.Raw)
INVALID = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""msgspec's exceptions for content that is not JSON, not UTF-8, or nested too deeply."""


class JsonLinesCheck(Blocks):
    """One JSON value a line.

    Its word is `jsonl-end`: the last line is a whole value. A cut exactly at a line's end does not show.

    Args:
        proven: whether something else proves the file. Then lines are counted, and the first and last one of each
            block are parsed; all, of the first block and of each where a line has no bracket.
    """

    def __init__(self, *, proven: bool) -> None:
        super().__init__()
        self._proven = proven
        self._rows: int | None = 0
        self._long = False  # in a line of which no more is held

    def _block(self, block: bytes) -> None:
        if self._long:
            _, found, block = block.partition(b"\n")
            if not found:
                return
            self._long = False
            self._count(1)
        lines = self._whole_lines(block)
        if lines and self._rows is not None:
            self._count(self._counted(lines))
        if len(self._tail) > MOST:
            self._tail, self._long = b"", True

    def _count(self, rows: int | None) -> None:
        self._rows = None if self._rows is None or rows is None else self._rows + rows

    def _counted(self, lines: bytes) -> int | None:
        filled, plain = _filled(lines)
        if not self._proven or not self._rows or plain:
            count = _parsed(lines)
            return count if count == filled else None  # a value may have several lines, and is no line
        first, last = lines[: lines.find(b"\n")], lines[lines.rfind(b"\n", 0, -1) + 1 :]
        return filled if _parsed(first) == _parsed(last) == 1 else None

    def finish(self) -> ContentReport:
        """The report on the lines."""
        self._flush()
        if self._long:
            self._count(1)
            return ContentReport(rows=self._rows, end="open")
        last = self._tail.strip()
        if last:
            if not is_value(last):
                return ContentReport(error=_cut(last))
            self._count(1)
        error = None
        if self._rows is None and self._proven:
            error = UnexpectedResponseError("The download was declared as JSON lines, and not each of them is JSON.")
        return ContentReport("jsonl-end" if self._rows else None, self._rows, end="open", error=error)


def is_value(text: bytes) -> bool:
    """True where `text` is one JSON value; NaN and other things that Python accepts are no cut."""
    try:
        json.loads(text, parse_int=float)  # Python reads no whole number of more than some thousand digits
    except (ValueError, RecursionError):
        return False
    return True


def _parsed(text: bytes) -> int | None:
    """The number of values in whole lines; None where one of them is none."""
    try:
        return len(_VALUE.decode_lines(text))
    except INVALID:
        return None


def _filled(body: bytes) -> tuple[int, bool]:
    """The lines that are not blank; and True where one of all has no bracket."""
    kept = body.translate(None, _DROP)
    if kept[:1] == b"\n" or b"\n\n" in kept:
        return sum(1 for line in body.split(b"\n") if line and not line.isspace()), True
    return kept.count(b"\n"), False


def _cut(line: bytes) -> TruncatedDownloadError:
    """The error for an incomplete line. Lines hold people's data: only the structure is shown, not the values."""
    text = line[-60:].decode("utf-8", "replace")
    shown = repr("".join("x" if char.isalnum() else char for char in text))
    return TruncatedDownloadError(f"The last JSON line of the download is incomplete; it ends in {shown}.")
