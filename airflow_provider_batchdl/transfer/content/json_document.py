"""JSON: one complete top-level value, judged by structure and never parsed as a whole.

Per-byte work is done by C functions over slices. Strings are cut out by splitting at quotes; `{0,0}` and `[0,0]` are
folded into `0` until only what crosses the slice's borders remains. Only at the first level of an object, where
members are recorded, is every token looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import ClassVar

from airflow_provider_batchdl.exceptions import TruncatedDownloadError, UnexpectedResponseError
from airflow_provider_batchdl.transfer.content.base import TextCheck
from airflow_provider_batchdl.transfer.content.json_nesting import Nesting, TooDeepError, UnbalancedError
from airflow_provider_batchdl.transfer.content.lines import JsonLinesCheck
from airflow_provider_batchdl.transfer.snapshots import (
    COUNT,
    FLAG,
    Field,
    choice,
    json_text,
    optional,
    part,
    raw,
)

MAX_VALUE = 256
"""Longest name and longest string recorded in `members`, in characters."""
MAX_MEMBERS = 1_000
"""Members looked at; of an object with more, the rest is only skipped over and `rows` stays unknown."""
MAX_TOKEN = 4096
"""Bytes of an unfinished token at the first level that are kept for the next chunk."""

_TOKEN = re.compile(
    rb'[ \t\r\n]*+(?:(?P<mark>[{}\[\],:])|(?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")|(?P<scalar>[^\s{}\[\],:"]++))',
    re.DOTALL,
)
_SPACE = b" \t\r\n"


class JsonCheck(TextCheck):
    """A complete JSON object or array and nothing but white space behind it.

    `members` holds the string (up to 256 characters), number, boolean and null members of a top-level object,
    wherever they stand. `rows` is the length of the top-level array, or of the only array directly in the object.
    A document of several values, one a line, is JSON lines under the wrong name: `name` becomes `jsonl`.
    """

    FIELDS: ClassVar[Mapping[str, Field]] = {
        **TextCheck.FIELDS,
        "name": choice("json", "jsonl"),
        "members": json_text(lambda value: isinstance(value, dict)),
        "_nesting": part(Nesting),
        "_lines": optional(part(JsonLinesCheck)),
        "_object": FLAG,
        "_after": optional(raw(2)),
        "_carry": raw(MAX_TOKEN),
        "_key": json_text(lambda value: value is None or isinstance(value, str)),
        "_value": FLAG,
        "_seen": COUNT,
        "_arrays": COUNT,
    }
    name = "json"

    def __init__(self) -> None:
        super().__init__()
        self.members: dict[str, object] = {}
        self.rows: int | None = None
        self._nesting = Nesting()
        self._lines: JsonLinesCheck | None = None
        self._object = False
        self._after: bytes | None = None
        self._carry = b""
        self._key: str | None = None
        self._value = False
        self._seen = 0
        self._arrays = 0

    def _text(self, piece: bytes) -> None:
        data = self._carry + piece
        self._carry = b""
        position = 0
        while position < len(data):
            if self._lines is not None:
                self._lines.feed(data[position:])
                return
            if self._after is not None:
                position = self._trail(data, position)
            elif self._nesting.depth == 0:
                position = self._start(data, position)
            else:
                position = self._inside(data, position)
                if position < 0:
                    return

    def _start(self, data: bytes, position: int) -> int:
        """Find the first value. A document of bare scalars is left to the line check, which parses them."""
        rest = data[position:].lstrip(_SPACE)
        if not rest:
            return len(data)
        position = len(data) - len(rest)
        if rest[:1] not in {b"{", b"["}:
            self._lines = JsonLinesCheck()
            return position
        self._object = rest[:1] == b"{"
        self._nesting.push(rest[0])
        if not self._object:
            self._nesting.count_rows()
        return position + 1

    def _inside(self, data: bytes, position: int) -> int:
        """Go on inside the value; returns the new position, negative where the rest waits for more."""
        watching = self._watching
        try:
            if watching and self._nesting.depth == 1 and not self._nesting.in_string:
                return self._member(data, position)
            position = self._nesting.skip(data, position, 1 if watching else 0)
        except UnbalancedError:
            raise UnexpectedResponseError("The download is not JSON: its brackets do not match.") from None
        except TooDeepError:
            raise UnexpectedResponseError("The download is not JSON we take: it is nested too deeply.") from None
        if self._nesting.depth == 0:
            self._after = b""
        return position

    @property
    def _watching(self) -> bool:
        return self._object and self._seen <= MAX_MEMBERS

    def _member(self, data: bytes, position: int) -> int:
        """Take one token directly inside the top-level object."""
        token = _TOKEN.match(data, position)
        if token is None or (token.end() == len(data) and token["scalar"]):
            return self._keep(data, position)
        if token["mark"]:
            self._mark(token["mark"])
        else:
            self._scalar(token["string"] or token["scalar"])
        return token.end()

    def _keep(self, data: bytes, position: int) -> int:
        """Keep the unfinished token. A long string is skipped over instead; it is too long to be recorded."""
        rest = data[position:].lstrip(_SPACE)
        if len(rest) <= MAX_TOKEN:
            self._carry = rest
            return -1
        if not rest.startswith(b'"'):
            raise UnexpectedResponseError("The download is not JSON: it holds an endless number or name.")
        self._nesting.in_string = True
        return len(data) - len(rest) + 1

    def _mark(self, mark: bytes) -> None:
        if mark == b":":
            self._value = True
        elif mark == b",":
            self._key, self._value = None, False
            self._seen += 1
        elif mark in b"}]":  # the second one is never right here, which `pop` tells
            self._nesting.pop(mark[0])
            self._after = b""
        else:
            self._nesting.push(mark[0])
            if mark == b"[":
                self._arrays += 1
                self._nesting.count_rows()

    def _scalar(self, token: bytes) -> None:
        try:
            value = json.loads(token)
        except ValueError:
            raise UnexpectedResponseError("The download is not JSON: a member's name or value is none.") from None
        if not self._value:
            self._key = value if isinstance(value, str) and len(value) <= MAX_VALUE else None
        elif self._key is not None and not (isinstance(value, str) and len(value) > MAX_VALUE):
            self.members[self._key] = value

    def _trail(self, data: bytes, position: int) -> int:
        """Behind the value: white space, or on a new line another value."""
        rest = data[position:].lstrip(_SPACE)
        space = data[position : len(data) - len(rest)]
        self._after = (self._after or b"")[-1:] + space[:1] if not space.count(b"\n") else b"\n"
        if rest:
            if b"\n" not in self._after:
                raise UnexpectedResponseError("The download is not JSON: something follows its end.")
            self._become_lines()
        return len(data) - len(rest)

    def _become_lines(self) -> None:
        self.name = "jsonl"
        self.members = {}
        self._lines = JsonLinesCheck()
        # The line just taken as a whole value counts; any stand-in keeps the count right.
        self._lines.feed(b"null\n")

    def _end(self) -> None:
        if self._lines is not None:
            self._lines.finish()
            self.evidence = self._lines.evidence
            several = self.name == "jsonl" or (self._lines.rows or 0) > 1
            self.name, self.rows = ("jsonl", self._lines.rows) if several else ("json", None)
        elif self._after is None or self._carry:
            raise TruncatedDownloadError("The JSON of the download ends before its last bracket.")
        elif not self._object or (self._arrays == 1 and self._watching):
            self.rows = self._nesting.rows
