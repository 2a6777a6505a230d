"""A result in pages of whole rows, each under the header of the whole.

A row is a line: no value of an emulated result holds a line break.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airflow_provider_batchdl.emulator.content import Content


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
    lines = content.lines
    total = max(0, lines.count - 1)
    if first and not 0 < first < total:
        return None
    last = min(first + rows, total)
    ends = (lines.end_of(number) for number in (1, first + 1, last + 1))
    return Page(_Excerpt(content, *ends), last - first, last if last < total else None)
