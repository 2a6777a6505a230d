"""Results of any exact size, made on the fly: constant memory, random access, valid in their format.

A body is a prefix, then many rows, then a last row padded so that the whole has exactly the size asked for, then a
suffix. Rows come in blocks that differ from one another in one counter only, so a block is one ``bytes.replace``
away from its template.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from airflow_provider_batchdl.emulator.content import CHUNK, Content
from airflow_provider_batchdl.emulator.rows import DEFAULT_FORMAT, MEDIA_TYPES, RowShape, row_shape

_COUNTER = b"~~~~~~~~~"
_DIGITS = len(_COUNTER)


@dataclass(frozen=True)
class ResultSpec:
    """A result file (or several parts) to be made up rather than derived from an input.

    Args:
        bytes: exact size of all parts together; parts differ by one byte at most.
        format: ``csv``, ``jsonl``, ``json`` or ``parquet``; ``None`` is the vendor's usual one.
        parts: number of files.
        seed: makes other content of the same size; added to the emulator's seed.

    Raises:
        ValueError: for a negative size, fewer than one part or an unknown format.
    """

    bytes: int = 100_000
    format: str | None = None
    parts: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be made."""
        if self.bytes < 0 or self.parts < 1:
            raise ValueError(f"cannot make {self.bytes} bytes in {self.parts} parts")
        if self.format is not None and self.format not in MEDIA_TYPES:
            raise ValueError(f"unknown format {self.format!r}; known: {', '.join(MEDIA_TYPES)}")

    def part_size(self, part: int) -> int:
        """Return the size in bytes of a part, counted from 1."""
        share, rest = divmod(self.bytes, self.parts)
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
        shape = row_shape(vendor, format)
        self._prefix = shape.prefix
        self._template, self._ends = _template(shape, seed)
        smallest = len(shape.prefix) + len(_tail(shape, seed, 0))
        if size and size < smallest:
            raise ValueError(f"a {format} result of {vendor} takes at least {smallest} bytes (asked for {size})")
        room = size - smallest if size else 0
        self._blocks, room = divmod(room, len(self._template))
        rows = bisect_right(self._ends, room)
        self._partial = self._ends[rows - 1] if rows else 0
        self._tail = _tail(shape, seed, room - self._partial) if size else b""
        if not size:
            self._prefix = b""

    def _pieces(self) -> list[tuple[int, int, Callable[[], bytes]]]:
        """Return (start, stop, maker) of everything that is not a whole block."""
        block_start = len(self._prefix)
        block_stop = block_start + self._blocks * len(self._template)
        partial_stop = block_stop + self._partial
        return [
            (0, block_start, lambda: self._prefix),
            (block_stop, partial_stop, lambda: self._block(self._blocks)[: self._partial]),
            (partial_stop, self.size, lambda: self._tail),
        ]

    def _block(self, number: int) -> bytes:
        return self._template.replace(_COUNTER, b"%0*d" % (_DIGITS, number))

    def _spans(self, start: int) -> Iterator[tuple[int, int, Callable[[], bytes]]]:
        head, *rest = self._pieces()
        yield head
        length = len(self._template)
        first = max(0, (start - head[1]) // length)
        for number in range(first, self._blocks):
            offset = head[1] + number * length
            yield offset, offset + length, lambda number=number: self._block(number)  # type: ignore[misc]
        yield from rest

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


def _template(shape: RowShape, seed: str) -> tuple[bytes, list[int]]:
    """Return a block of rows with the counter's place held, and the offset at which each row ends."""
    rows, length = [], 0
    for index in itertools.count():
        row = shape.row(_COUNTER.decode(), f"{index:04d}", seed, "") + shape.separator
        if length + len(row) > CHUNK:
            break
        rows.append(row)
        length += len(row)
    return b"".join(rows), list(itertools.accumulate(map(len, rows)))


def _tail(shape: RowShape, seed: str, padding: int) -> bytes:
    return shape.row("9" * _DIGITS, "9999", seed, "x" * padding) + shape.suffix
