"""Results of any exact size, made on the fly: constant memory, random access, valid in their format.

A body is a prefix, then many rows, then a last row padded so that the whole has exactly the size asked for, then a
suffix. Rows come in blocks that differ from one another in one counter only, so a block is one ``bytes.replace``
away from its template.
"""

from __future__ import annotations

import hashlib
import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal, get_args

from airflow_provider_batchdl.emulator.content import CHUNK, Content
from airflow_provider_batchdl.emulator.rows import DEFAULT_FORMAT, MEDIA_TYPES, RowShape, row_shape

_COUNTER = b"~~~~~~~~~"
_TAG = b"^^^^^^^^"

Listing = Literal["files", "null", "missing"]


@dataclass(frozen=True)
class ResultSpec:
    """A result file (or several parts) to be made up rather than derived from an input.

    Args:
        bytes: exact size of all parts together; parts differ by one byte at most.
        format: ``csv``, ``jsonl``, ``json`` or ``parquet``; ``None`` is the vendor's usual one.
        parts: number of files; 0 makes Batch.com list none, ``"files": []``.
        seed: makes other content of the same size; added to the emulator's seed.
        part_numbers: the numbers that Batch.com gives the parts, in their order, right or wrong: ``(1, 1, 2)``,
            ``(2, None, 3)``; 1, 2, 3 … where left out.
        listing: whether Batch.com shows its ``files`` at all, or ``null`` in their place, or no such member.
        errors: exact size of OpenAI Batch's second file, that of the failed requests; 0 is no such file.
        page_rows: the most rows that Salesforce puts on a page of the result; ``None`` is as many as are asked for.

    Raises:
        ValueError: for a negative size, a negative number of parts, other than one number for each, an
            unknown format or listing, or pages without rows.
    """

    bytes: int = 100_000
    format: str | None = None
    parts: int = 1
    seed: int = 0
    part_numbers: Sequence[int | str | None] | None = None
    listing: Listing = "files"
    errors: int = 0
    page_rows: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be made."""
        if self.bytes < 0 or self.parts < 0 or self.errors < 0:
            raise ValueError(f"cannot make {self.bytes} bytes in {self.parts} parts, and {self.errors} of errors")
        if self.page_rows is not None and self.page_rows < 1:
            raise ValueError(f"cannot make pages of {self.page_rows} rows")
        if self.format is not None and self.format not in MEDIA_TYPES:
            raise ValueError(f"unknown format {self.format!r}; known: {', '.join(MEDIA_TYPES)}")
        if self.part_numbers is not None and len(self.part_numbers) != self.parts:
            raise ValueError(f"{self.parts} parts cannot have the numbers {self.part_numbers}")
        if self.listing not in get_args(Listing):
            raise ValueError(f"unknown listing {self.listing!r}; known: {', '.join(get_args(Listing))}")

    def part_size(self, part: int) -> int:
        """Return the size in bytes of a part, counted from 1; 0 is the file of failed requests."""
        if not part:
            return self.errors
        share, rest = divmod(self.bytes, self.parts or 1)
        return share + (1 if part <= rest else 0)

    def format_for(self, vendor: str) -> str:
        """Return the format, with the vendor's usual one where none was asked for."""
        return self.format or DEFAULT_FORMAT[vendor]


class SyntheticContent(Content):
    """Rows without end, cut to an exact size.

    Args:
        vendor: whose row shape to use.
        format: ``csv``, ``jsonl`` or ``json``.
        size: exact size in bytes; 0 gives an empty file.
        seed: contents of different seeds differ in every row.

    Raises:
        ValueError: where the size is smaller than the smallest valid file of the format.
    """

    def __init__(self, vendor: str, format: str, size: int, seed: str) -> None:
        self.size = size
        self.content_type = MEDIA_TYPES[format]
        self._form = form = _form(vendor, format)
        self._tag = hashlib.sha256(seed.encode()).hexdigest()[: len(_TAG)].encode()
        smallest = len(form.shape.prefix) + len(form.tail(0))
        if size and size < smallest:
            raise ValueError(f"a {format} result of {vendor} takes at least {smallest} bytes (asked for {size})")
        self._prefix = form.shape.prefix if size else b""
        self._blocks, room = divmod(size - smallest if size else 0, len(form.block))
        rows = bisect_right(form.ends, room)
        self._partial = form.ends[rows - 1] if rows else 0
        self._tail = form.tail(room - self._partial).replace(_TAG, self._tag) if size else b""

    def _spans(self, start: int) -> Iterator[_Span]:
        """Yield the pieces that lie at or behind the block in which ``start`` falls, and the prefix."""
        block = self._form.block.replace(_TAG, self._tag)
        origin = len(self._prefix)
        yield 0, origin, lambda: self._prefix
        for number in range(max(0, (start - origin) // len(block)), self._blocks):
            offset = origin + number * len(block)
            yield offset, offset + len(block), partial(_numbered, block, number)
        end = origin + self._blocks * len(block)
        yield end, end + self._partial, lambda: _numbered(block, self._blocks)[: self._partial]
        yield end + self._partial, self.size, lambda: self._tail

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of ``[start, stop)``."""
        stop = self.size if stop is None else min(stop, self.size)
        for span_start, span_stop, make in self._spans(start):
            if span_start >= stop:
                return
            low, high = max(start, span_start), min(stop, span_stop)
            if low < high:
                piece = make()
                whole = low == span_start and high == span_stop
                yield piece if whole else piece[low - span_start : high - span_start]


_Span = tuple[int, int, Callable[[], bytes]]


@dataclass(frozen=True)
class _Form:
    """A shape with a block of its rows; `_COUNTER` and `_TAG` hold the places of the block's number and the seed."""

    shape: RowShape
    block: bytes
    ends: list[int]

    def tail(self, padding: int) -> bytes:
        """Return the last row and the suffix."""
        return self.shape.row("9" * len(_COUNTER), "9999", _TAG.decode(), "x" * padding) + self.shape.suffix


@lru_cache
def _form(vendor: str, format: str) -> _Form:
    shape = row_shape(vendor, format)
    rows, length = [], 0
    for index in itertools.count():
        row = shape.row(_COUNTER.decode(), f"{index:04d}", _TAG.decode(), "") + shape.separator
        if length + len(row) > CHUNK:
            break
        rows.append(row)
        length += len(row)
    return _Form(shape, b"".join(rows), list(itertools.accumulate(map(len, rows))))


def _numbered(block: bytes, number: int) -> bytes:
    return block.replace(_COUNTER, b"%0*d" % (len(_COUNTER), number))
