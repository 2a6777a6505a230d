"""Undoing the escapes that a text went through, without losing where each of its characters stands.

JSON, HTML, URLs and Python's ``repr`` each write a character in several ways, and one inside another. Rather than
know all the spellings of a secret, a text is read as its last reader would see it.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property

# Each deeper level is one kind of escape inside another; a kind inside itself is undone at once.
DEEPEST = 4

_HEX = "[0-9a-fA-F]"
_ESCAPE = re.compile(
    # Each begins with its sign, see secret_places. A letter beyond ASCII is several bytes, decoded together.
    rf"%(?P<bytes>(?:25)*[89a-fA-F]{_HEX}(?:%(?:25)*[89a-fA-F]{_HEX})*)"
    rf"|\\(?P<raw>\\*x[89a-fA-F]{_HEX}(?:\\+x[89a-fA-F]{_HEX})*)"
    rf"|%(?:25)*(?:(?P<percent>[0-7]{_HEX})|u(?P<old>{_HEX}{{4}}))"
    rf"|&(?:amp;)*(?P<entity>#[0-9]{{1,7}};?|#[xX]{_HEX}{{1,6}};?|[A-Za-z][A-Za-z0-9]{{1,31}};)"
    rf"|\\+(?:(?P<pair>u[dD][89abAB]{_HEX}{{2}}\\+u[dD][c-fC-F]{_HEX}{{2}})|(?P<code>u{_HEX}{{4}}|x{_HEX}{{2}}"
    rf"|U000{_HEX}{{5}}|u\{{{_HEX}{{1,6}}\}})|(?P<letter>[\"'/bfnrtv0]))"
    r"|\\{2,}"
)
_BYTE = re.compile(rf"{_HEX}{{2}}(?=[%\\]|\Z)")
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
# What "+" stands for in a form, and what becomes of anything unprintable when a message is put on one line.
_BLANKS = re.compile("[\\s+\\x00-\\x20\\x7f-\\xa0\\xad\u200b-\u200f\u2028-\u202f\ufeff]+")
_ASCII_BLANKS = dict.fromkeys((*range(0x21), ord("+"), 0x7F))


class View:
    """A text as it is, or as it reads once what ``pattern`` finds in the text ``below`` was replaced."""

    def __init__(
        self,
        text: str,
        below: View | None = None,
        pattern: re.Pattern[str] = _ESCAPE,
        replace: Callable[[re.Match[str]], str] = lambda match: match[0],
    ) -> None:
        self.text = text
        self.below = below
        self._pattern, self._replace = pattern, replace

    def unescaped(self) -> View | None:
        """The text without its escapes, None where it has none."""
        if not any(sign in self.text for sign in "%&\\"):
            return None
        text = _ESCAPE.sub(_unescaped, self.text)
        return View(text, self, _ESCAPE, _unescaped) if text != self.text else None

    def without_blanks(self) -> View:
        """The text without what is, or may stand for, a blank."""
        text = without_blanks(self.text)
        return View(text, self, _BLANKS, lambda _: "") if len(text) != len(self.text) else self

    def down(self, start: int, end: int) -> tuple[int, int]:
        """Position in the text below of a part of this text; an escape counts whole."""
        if self.below is None:
            return start, end
        return self._down(start)[0], self._down(end - 1)[1] if end > start else self._down(start)[0]

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Position in the original of a part of this text."""
        view = self
        while view.below is not None:
            start, end = view.down(start, end)
            view = view.below
        return start, end

    def _down(self, at: int) -> tuple[int, int]:
        """Position below of the character ``at``, from and to."""
        nearest = bisect_right(self._pieces[0], at) - 1
        if nearest < 0:
            return at, at + 1
        _, to, source_from, source_to = (column[nearest] for column in self._pieces)
        if at < to:
            return source_from, source_to
        return source_to + at - to, source_to + at - to + 1

    @cached_property
    def _pieces(self) -> tuple[list[int], list[int], list[int], list[int]]:
        """The replacements: from and to in this text, from and to below. Computed only after a match."""
        columns: tuple[list[int], list[int], list[int], list[int]] = [], [], [], []
        if self.below is not None:
            shift = 0
            for match in self._pattern.finditer(self.below.text):
                start, end = match.span()
                length = len(self._replace(match))
                for column, value in zip(columns, (start + shift, start + shift + length, start, end), strict=True):
                    column.append(value)
                shift += length - (end - start)
        return columns


def levels(text: str) -> Iterator[View]:
    """``text`` as it is, and as it reads without one level of escapes after another."""
    view: View | None = View(text)
    for _ in range(DEEPEST + 1):
        if view is None:
            return
        yield view
        view = view.unescaped()


def without_blanks(text: str) -> str:
    """``text`` without what is, or may stand for, a blank."""
    return text.translate(_ASCII_BLANKS) if text.isascii() else _BLANKS.sub("", text)


def _unescaped(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind is None:
        return "\\"
    text = match[kind]
    if kind in ("bytes", "raw"):
        raw = bytes(int(byte, 16) for byte in _BYTE.findall(text))
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw.decode("latin-1")
    if kind == "entity":
        return html.unescape(f"&{text}")
    if kind == "letter":
        return _LETTERS.get(text, text)
    if kind == "pair":
        high, low = int(text[1:5], 16), int(text[-4:], 16)
        return chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00)
    code = int(text.strip("uUx{}"), 16)
    return chr(code) if code <= 0x10FFFF else match[0]
