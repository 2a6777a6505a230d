"""JSON: one value, validated in full by msgspec, of a large array block by block.

A block ends before an item that begins as the first one does (`{"first key"`), behind a comma. Whether that comma is
the array's own, msgspec says: in brackets, the block is an array or none. So what is counted is exact.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping

import msgspec

from airflow_provider_batchdl.exceptions import TruncatedDownloadError, UnexpectedResponseError
from airflow_provider_batchdl.transfer.content.base import BLOCK, MOST, Blocks, ContentReport
from airflow_provider_batchdl.transfer.content.lines import INVALID, JsonLinesCheck, is_value

_CUT = "The JSON of the download ends before its last bracket."
TRIES = 8
"""Ends of a block that are tried before it grows."""

_VALUE = msgspec.json.Decoder(msgspec.Raw)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SPACE = b" \t\r\n"

_SHOWN = 4096
"""Bytes of a list or an object in a member that the vendor sees as it is; of a larger one it sees a part."""
_MOST_SHOWN = 64
"""Members of an object that may be an error or a job's state; of one with more, only scalars are shown."""
_DEEPEST_SHOWN = 3
_OPEN, _CLOSE, _COMMA = b"[],"
_STRING = rb'"(?:[^"\\]|\\.)*+"'
_SCALAR = rb"(?:" + _STRING + rb"|[-+.\w]++)"
# An object's scalar members up to its first array, or the array alone.
_START = re.compile(
    rb"\s*(?:\{\s*(?:" + _STRING + rb"\s*:\s*" + _SCALAR + rb"\s*,\s*)*+" + _STRING + rb"\s*:\s*)?\[\s*", re.DOTALL
)
_FIRST = re.compile(rb"\{\s*" + _STRING + rb"|\[|\{")


class JsonCheck(Blocks):
    """One JSON value and nothing but white space behind it; of several, one a line, JSON lines under a wrong name.

    Its word is `json`: the whole is valid, by RFC 8259 (no NaN); that its strings are UTF-8 is not checked. `rows` is
    the length of the array, or of the only array directly in the object. Of what is larger than a few MiB and no such
    array, only the last byte is known.

    Args:
        proven: whether something else proves the file.
        records: whether one object is a record: a line, which others may have followed.
    """

    def __init__(self, *, proven: bool, records: bool = False) -> None:
        super().__init__()
        self._proven = proven
        self._records = records
        self._rest = bytearray()
        self._start: bytes | None = None  # all that comes before the array's first item
        self._item = b""  # what each item begins with
        self._rows = 0
        self._lost = False
        self._last = b""
        self._lines: JsonLinesCheck | None = None

    @property
    def may_be_object(self) -> bool:
        """False once it is certain that there are no members to show: it is JSON lines, or larger than is held."""
        return self._lines is None and not self._lost

    def _block(self, block: bytes) -> None:
        if self._lines is not None:
            self._lines.feed(block)
            return
        self._last = block.rstrip(_SPACE)[-1:] or self._last
        if self._lost:
            return
        self._rest += block
        if self._start is None and not self._open():
            return
        while len(self._rest) >= len(block) and self._take():
            pass
        self._lost = len(self._rest) > MOST
        if self._lost:
            self._rest.clear()

    def _open(self) -> bool:
        """Find the array; else the value waits for its end, as long as it is small."""
        start = bytes(self._rest)
        if _is_lines(start):
            self._lines = self._as_lines(start)
            return False
        found = _START.match(start)
        first = _FIRST.match(start, found.end()) if found else None
        self._start = start[: found.end()] if found else b""
        self._item = first[0] if first else b","
        if self._start:
            del self._rest[: len(self._start) - 1]
            self._rest[0] = _OPEN  # so that what follows is an array of its own
        return True

    def _as_lines(self, start: bytes) -> JsonLinesCheck:
        check = JsonLinesCheck(proven=self._proven)
        check.feed(start)
        return check

    def _take(self) -> bool:
        """Take items off the rest, as many as are whole; False where none is."""
        if not self._start:
            return False
        rest = self._rest
        for at in itertools.islice(_places(rest, self._item), TRIES):
            end = at + (self._item == b",")
            comma = end - 1
            while rest[comma] in _SPACE:
                comma -= 1
            if rest[comma] != _COMMA:
                continue
            rest[comma] = _CLOSE
            count = _count(memoryview(rest)[: comma + 1])
            rest[comma] = _COMMA
            if count is not None:
                self._rows += count
                del rest[: end - 1]
                rest[0] = _OPEN
                return True
        return False

    def finish(self) -> ContentReport:
        """The report on the document."""
        self._flush()
        if self._lines is not None:
            return self._lines.finish()
        if self._lost:
            cut = self._last not in (b"}", b"]", b'"')
            return ContentReport(end="open", error=TruncatedDownloadError(_CUT) if cut else None)
        rest = bytes(self._rest[1:] if self._start else self._rest)
        if self._rows and rest.lstrip(_SPACE)[:1] == b"]":  # behind the last comma there is no item
            return self._invalid(b"," + rest, "")
        try:
            return self._valid(rest)
        except INVALID as error:
            return self._invalid(rest, str(error))

    def _valid(self, rest: bytes) -> ContentReport:
        whole = (self._start or b"") + rest
        kind = whole.lstrip(_SPACE)[:1]
        if kind == b"[":
            return ContentReport("json", self._rows + len(_ITEMS.decode(whole)), end="own")
        if kind != b"{":
            _VALUE.decode(whole)
            # A number may have lost its last digits.
            return ContentReport("json", end="open" if whole.rstrip(_SPACE)[-1:].isdigit() else "own")
        values = _members_of(whole)
        members = _for_vendor(values)
        if self._records and not self._rows:
            return ContentReport("jsonl-end", 1, members, end="open")
        arrays = [value for value in values.values() if value[:1] == b"["]
        rows = len(_ITEMS.decode(arrays[0])) if len(arrays) == 1 else None
        # Of a name that is there twice, the last value counts, as in Python.
        if self._start and rows is not None and whole.startswith(arrays[0], self._start.rindex(b"[")):
            rows += self._rows
        return ContentReport("json", rows, members, end="own")

    def _invalid(self, rest: bytes, why: str) -> ContentReport:
        whole = (self._start or b"") + rest
        if not self._rows and _is_lines(whole):  # its first line is as long as a block
            return self._as_lines(whole).finish()
        if is_value(whole):  # to Python it is, with NaN in it
            return ContentReport(end="open")
        at_its_end = why.endswith(f"(byte {len(whole)})") and "trailing" not in why
        if at_its_end or why.startswith("Input data was truncated"):
            return ContentReport(error=TruncatedDownloadError(_CUT))
        return ContentReport(error=UnexpectedResponseError("The download was declared as JSON but is not valid."))


def _members_of(whole: bytes) -> dict[str, bytes]:
    return {name: bytes(value) for name, value in _MEMBERS.decode(whole).items()}


def _for_vendor(values: Mapping[str, bytes], depth: int = 0) -> dict[str, object]:
    """The members of an object, for the vendor to judge: each by its name, and as much of it as an error needs."""
    scalars_only = len(values) > _MOST_SHOWN or depth > _DEEPEST_SHOWN
    return {
        name: None if scalars_only and value[:1] in (b"[", b"{") else _shown(value, depth)
        for name, value in values.items()
    }


def _shown(value: bytes, depth: int) -> object:
    """A member's value; of a large list its first item, of a large object what `_for_vendor` leaves of it."""
    is_large = len(value) > _SHOWN
    try:
        if is_large and value[:1] == b"{":
            return _for_vendor(_members_of(value), depth + 1)
        if is_large and value[:1] == b"[":
            start = value[1:_SHOWN].decode("utf-8", "replace").lstrip()
            return [json.JSONDecoder().raw_decode(start)[0]]
        return json.loads(value.decode("utf-8", "replace"))
    except (ValueError, *INVALID):  # an item that is large itself, a number of thousands of digits, deep nesting
        return [None] if value[:1] == b"[" else None


def _places(rest: bytearray, item: bytes) -> Iterator[int]:
    """The last place of an item in the last two blocks, then each before it that is less nested than all behind it.

    Items within an item often begin as it does. Brackets in strings are counted, too: msgspec decides.
    """
    at, least, depth = len(rest), 1, 0
    while (before := rest.rfind(item, max(2, len(rest) - 2 * BLOCK), at)) >= 0:
        piece = rest[before:at]
        depth -= piece.count(b"{") + piece.count(b"[") - piece.count(b"}") - piece.count(b"]")
        if at == len(rest) or depth < least or item == b",":
            least = depth
            yield before
        at = before


def _count(array: memoryview) -> int | None:
    try:
        return len(_ITEMS.decode(array))
    except INVALID:
        return None


def _is_lines(start: bytes) -> bool:
    """True where the first line is a JSON value of its own, and more follows."""
    line, _, more = start.lstrip(_SPACE).partition(b"\n")
    return bool(more.strip()) and is_value(line)
