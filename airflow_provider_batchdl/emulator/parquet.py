"""Parquet results: derived ones, and made-up ones of an exact size."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO

from airflow_provider_batchdl.emulator.rows import synthetic_record

_GROUP_ROWS = 16_384
_MAGIC = b"PAR1"


def write_parquet(file: BinaryIO, batches: Iterable[Sequence[Mapping[str, Any]]]) -> None:
    """Write rows as an uncompressed Parquet file, one row group per batch.

    Raises:
        ModuleNotFoundError: where pyarrow is not installed.
    """
    import pyarrow as pa

    _write_tables(file, (pa.Table.from_pylist(list(batch)) for batch in batches))


def _write_tables(file: BinaryIO, tables: Iterable[Any]) -> None:
    """Write pyarrow tables of one schema, one row group each."""
    import pyarrow.parquet as pq

    writer = None
    try:
        for table in tables:
            writer = writer or pq.ParquetWriter(file, table.schema, compression="NONE", use_dictionary=False)
            writer.write_table(table)
    finally:
        if writer:
            writer.close()


@lru_cache(maxsize=4)
def _group(vendor: str, rows: int, seed: str) -> Any:
    """Return one row group as a pyarrow table."""
    import pyarrow as pa

    return pa.Table.from_pylist([synthetic_record(vendor, number, seed) for number in range(rows)])


def write_synthetic_parquet(path: Path, vendor: str, size: int, seed: str) -> None:
    """Write a valid Parquet file of exactly ``size`` bytes.

    The rows fill most of it. The rest is a gap between the last row group and the footer: readers find everything by
    the footer's offsets, so bytes that no offset points to are legal (Parquet format, "File format").

    Args:
        path: where to write.
        vendor: whose columns to use.
        size: exact size in bytes.
        seed: other seeds give other rows.

    Raises:
        ValueError: where the size is below the smallest file with one row.
    """
    rows = _GROUP_ROWS
    one = _size(path, vendor, rows, 1, seed)
    while one > size and rows > 1:
        rows //= 4
        one = _size(path, vendor, rows, 1, seed)
    if one > size:
        raise ValueError(f"a parquet result of {vendor} takes at least {one} bytes (asked for {size})")
    two = _size(path, vendor, rows, 2, seed)
    # A group's metadata grows a little with its offsets, hence the margin.
    groups = max(1, (size - one) // (two - one + 256))
    written = _size(path, vendor, rows, groups, seed)
    _widen(path, size - written)


def _size(path: Path, vendor: str, rows: int, groups: int, seed: str) -> int:
    with path.open("wb") as file:
        _write_tables(file, repeat(_group(vendor, rows, seed), groups))
    return path.stat().st_size


def _widen(path: Path, gap: int) -> None:
    """Insert ``gap`` zero bytes before the footer."""
    with path.open("r+b") as file:
        file.seek(-8, 2)
        (length,) = struct.unpack("<I", file.read(4))
        file.seek(-8 - length, 2)
        footer_at = file.tell()
        footer = file.read()
        if not footer.endswith(_MAGIC):
            raise ValueError("not a Parquet file")
        file.seek(footer_at)
        left = gap
        while left:
            left -= file.write(bytes(min(left, 1 << 20)))
        file.write(footer)
