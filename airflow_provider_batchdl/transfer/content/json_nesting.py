"""Where a JSON text's brackets and strings stand, slice by slice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from airflow_provider_batchdl.transfer.snapshots import COUNT, FLAG, Field, Stateful, buffer, whole

MAX_DEPTH = 10_000
"""Brackets open at once; Python's own parser gives up at a tenth of it."""
FOLDS = 24
"""Passes that fold innermost brackets away; what is nested deeper inside one slice is walked instead."""
STEPS = 256
"""Tokens walked singly before a slice is folded: a short value is cheaper to walk."""
WALKED = 1 << 10
"""Bytes around the place where the floor is reached that are walked; what comes before it is folded, half by half."""

_STRING_REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_STEP = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],]|[^\s{}\[\],:"]++|"', re.DOTALL)
_GROUP = re.compile(rb"\{[0,]*+\}|\[[0,]*+\]")
_RUN = re.compile(rb"[{}\[\]]|[0,]++")
_CLOSES = {ord("}"): ord("{"), ord("]"): ord("[")}

# White space and colons say nothing about nesting; every other byte outside strings is part of some scalar.
_DROPPED = b" \t\r\n:"
_TO_SHAPE = bytes(byte if byte in b"{}[]," else ord("0") for byte in range(256))


class UnbalancedError(Exception):
    """A closing bracket does not match the one that is open."""


class TooDeepError(Exception):
    """More than `MAX_DEPTH` brackets are open."""


class Nesting(Stateful):
    """The open brackets, whether a string is open, and the items of the one array whose rows are counted."""

    FIELDS: ClassVar[Mapping[str, Field]] = {
        "in_string": FLAG,
        "_escape": FLAG,
        "_stack": buffer(MAX_DEPTH, only=b"{["),
        "_counted": whole(-1),
        "_commas": COUNT,
        "_filled": FLAG,
    }

    def __init__(self) -> None:
        self.in_string = False
        self._escape = False
        self._stack = bytearray()
        self._counted = 0
        self._commas = 0
        self._filled = False

    @property
    def depth(self) -> int:
        """Brackets open."""
        return len(self._stack)

    @property
    def rows(self) -> int:
        """Items of the counted array."""
        return self._commas + 1 if self._filled else 0

    def count_rows(self) -> None:
        """Count the items of the array just opened (again from zero)."""
        self._counted, self._commas, self._filled = self.depth, 0, False

    def push(self, bracket: int) -> None:
        """Open a bracket."""
        if self.depth == self._counted:
            self._filled = True
        if self.depth >= MAX_DEPTH:
            raise TooDeepError
        self._stack.append(bracket)

    def pop(self, bracket: int) -> None:
        """Close a bracket. The count of a closed array is kept."""
        if not self._stack or self._stack[-1] != _CLOSES[bracket]:
            raise UnbalancedError
        if self.depth == self._counted:
            self._counted = -1
        self._stack.pop()

    def skip(self, data: bytes, position: int, floor: int) -> int:
        """Go on until `floor` brackets are open or `data` ends; returns the position behind what was taken."""
        if self.in_string:
            return self._skip_string(data, position)
        position, finished = self._walk(data, position, floor, STEPS)
        if finished or position == len(data):
            return position
        size = len(data) - position
        while size > WALKED:
            if self._fold(data[position : position + size], floor):
                return position + size
            size //= 2
        position, _ = self._walk(data, position, floor, len(data))
        return position

    def _skip_string(self, data: bytes, position: int) -> int:
        if self._escape:
            self._escape = False
            return position + 1
        found = _STRING_REST.match(data, position)
        end = found.end() if found else position
        if end == len(data):
            return end
        # Stopped at the closing quote, or at a backslash whose partner has not come yet.
        self._escape = data[end] == ord("\\")
        self.in_string = self._escape
        return end + 1

    def _walk(self, data: bytes, position: int, floor: int, steps: int) -> tuple[int, bool]:
        """Take token by token; True where the floor was reached or an unfinished string was opened."""
        for _, token in zip(range(steps), _STEP.finditer(data, position), strict=False):
            position = token.end()
            if self._step(data[token.start()], token.end() - token.start()):
                return position, True
            if self.depth == floor:
                return position, True
        return (position, False) if _STEP.search(data, position) else (len(data), True)

    def _step(self, first: int, length: int) -> bool:
        """Take one token by its first byte; True where it is a quote with no partner in this slice."""
        if first in b"{[":
            self.push(first)
        elif first in b"}]":
            self.pop(first)
        elif first == ord('"') and length == 1:
            self.in_string = True
            self._run(b"0")
            return True
        else:
            self._run(b"," if first == ord(",") else b"0")
        return False

    def _run(self, run: bytes) -> None:
        if self.depth == self._counted:
            self._commas += run.count(b",")
            self._filled = self._filled or b"0" in run

    def _fold(self, data: bytes, floor: int) -> bool:
        """Take all of `data` at once; False, and nothing taken, where the floor would be reached inside it."""
        shape, in_string, escape = _shape(data)
        for _ in range(FOLDS):
            shape, folded = _GROUP.subn(b"0", shape)
            if not folded:
                break
        if self.depth + _lowest(shape) <= floor:
            return False
        for run in _RUN.finditer(shape):
            token = run[0]
            if token[0] in b"0,":
                self._run(token)
            elif token[0] in b"{[":
                self.push(token[0])
            else:
                self.pop(token[0])
        self.in_string, self._escape = in_string, escape
        return True


def _shape(data: bytes) -> tuple[bytes, bool, bool]:
    """The text as `{}[],` and `0` for scalars, and whether it ends inside a string, and behind a lone backslash."""
    escape = False
    if b"\\" in data:
        run = len(data) - len(data.rstrip(b"\\"))
        escape = run % 2 == 1
        data = data[: len(data) - run].replace(b"\\\\", b"").replace(b'\\"', b"")
    segments = data.split(b'"')
    outside = b"0".join(segments[::2])
    return outside.translate(_TO_SHAPE, _DROPPED), len(segments) % 2 == 0, escape


def _lowest(shape: bytes) -> int:
    """How far below the start's depth the shape goes (0 or less)."""
    level = lowest = 0
    for bracket in shape.translate(None, b"0,"):
        level += 1 if bracket in b"{[" else -1
        lowest = min(lowest, level)
    return lowest
