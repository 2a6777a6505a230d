"""A result in pages of whole rows, each under the header of the whole.

A row is a line: no value of an emulated result holds a line break.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from airflow_provider_batchdl.emulator.content import Content

_LINES_PER_MARK = 1024


@dataclass(frozen=True)
class Page:
    """One page of a CSV.

    Attributes:
        content: the header and the page's rows.
        rows: number of rows.
        following: number of the first row of the next page, from 0; ``None`` on the last.
    """

    content: Content
    rows: int
    following: int | None


class Lines:
    """Lines of a content, and where they end. It remembers every thousandth end only.

    Attributes:
        count: number of lines; a last one without a line break is one, too.
    """

    def __init__(self, content: Content) -> None:
        self._marks = [0]
        self._size = content.size
        self.count = offset = 0
        last = b"\n"
        for piece in content.chunks():
            for end in _ends(piece, piece.count(b"\n")):
                self.count += 1
                if self.count % _LINES_PER_MARK == 0:
                    self._marks.append(offset + end)
            offset += len(piece)
            last = piece[-1:] or last
        self.count += last != b"\n"

    def end_of(self, content: Content, number: int) -> int:
        """Return the offset behind the first ``number`` lines."""
        mark, left = divmod(min(number, self.count), _LINES_PER_MARK)
        offset = self._marks[mark]
        for piece in content.chunks(offset) if left else ():
            found = piece.count(b"\n")
            if found >= left:
                *_, end = _ends(piece, left)
                return offset + end
            left -= found
            offset += len(piece)
        return self._size if left else offset


_KNOWN: WeakKeyDictionary[Content, Lines] = WeakKeyDictionary()


def lines_of(content: Content) -> Lines:
    """Return the lines of a content, read once."""
    if content not in _KNOWN:
        _KNOWN[content] = Lines(content)
    return _KNOWN[content]


def _ends(piece: bytes, count: int) -> Iterator[int]:
    """Yield the offsets behind the first ``count`` line breaks."""
    end = 0
    for _ in range(count):
        end = piece.index(b"\n", end) + 1
        yield end


class _Excerpt(Content):
    """The first bytes of a content, and a later piece of it."""

    def __init__(self, whole: Content, head: int, start: int, stop: int) -> None:
        self._whole = whole
        self._spans = ((0, head), (start, stop))
        self.size = head + stop - start
        self.content_type = whole.content_type

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of ``[start, stop)``."""
        left = (self.size if stop is None else stop) - start
        for low, high in self._spans:
            skipped = min(start, high - low)
            start -= skipped
            taken = min(left, high - low - skipped)
            if taken > 0:
                yield from self._whole.chunks(low + skipped, low + skipped + taken)
                left -= taken


def page_of(content: Content, first: int, rows: int) -> Page | None:
    """Return the page of at most ``rows`` rows that begins with row ``first``, counted from 0 behind the header.

    ``None`` where there is no such row; but the first page of a result without rows is its header alone.
    """
    lines = lines_of(content)
    total = max(0, lines.count - 1)
    if first and not 0 < first < total:
        return None
    last = min(first + rows, total)
    ends = (lines.end_of(content, number) for number in (1, first + 1, last + 1))
    return Page(_Excerpt(content, *ends), last - first, last if last < total else None)
