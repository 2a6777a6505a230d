"""Files of every format that results have, of any size, made of rows that are alike but not equal."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROWS = 20_000
"""Rows of a block, which the file repeats."""


@dataclass(frozen=True)
class Format:
    """One format.

    Args:
        suffix: of the file's name.
        row: makes a row by its number.
        head: what comes before the rows.
        tail: what comes behind them, in place of the last comma.
    """

    suffix: str
    row: Callable[[int], str]
    head: str = ""
    tail: str = ""

    def chunks(self, size: int) -> Iterator[bytes]:
        """A file of about `size` bytes."""
        block = "".join(map(self.row, range(ROWS))).encode()
        yield self.head.encode()
        for _ in range(max(1, size // len(block)) - 1):
            yield block
        yield (block.rstrip(b", \n") if self.tail else block) + self.tail.encode()


def _csv(n: int, quote: str = "", note: str = "some, longer text") -> str:
    cells = [str(n), f"user{n}@corp.example", "Valid", note if quote else note.replace(",", ""), "2026-01-01"]
    return ",".join(f"{quote}{cell}{quote}" for cell in cells) + "\n"


def _one_quoted(n: int) -> str:
    return f'{n},user{n}@corp.example,Valid,"some, longer text",2026-01-01\n'


def _with_breaks(n: int) -> str:
    return _csv(n, '"', "some,\nlonger text" if n % 100 == 0 else "some, longer text")


def _record(n: int) -> dict[str, object]:
    return {
        "id": n,
        "email": f"user{n}@corp.example",
        "status": "Valid",
        "note": "some longer text",
        "tags": [str(n), "x"],
    }


_HEADER = "id,email,status,note,date\n"
FORMATS = {
    "CSV, no quotes": Format("csv", _csv, _HEADER),
    "CSV, one quoted field a row": Format("csv", _one_quoted, _HEADER),
    "CSV, all quoted": Format("csv", lambda n: _csv(n, '"'), _HEADER),
    "CSV, all quoted, breaks inside 1 %": Format("csv", _with_breaks, _HEADER),
    "JSON lines": Format("jsonl", lambda n: json.dumps(_record(n)) + "\n"),
    "JSON array, compact": Format("json", lambda n: json.dumps(_record(n), separators=(",", ":")) + ",", "[", "]"),
    "JSON array, pretty": Format("json", lambda n: json.dumps(_record(n), indent=2) + ",\n", "[\n", "\n]\n"),
}
PACKED = ("CSV, gzip", "zip", "Parquet")


def write(path: Path, name: str, size: int) -> None:
    """Write a file of about `size` bytes in the format `name`; a packed one repeats a small one's inside."""
    with path.open("wb") as file:
        if name in FORMATS:
            file.writelines(FORMATS[name].chunks(size))
        elif name == "CSV, gzip":
            member = gzip.compress(b"".join(FORMATS["CSV, no quotes"].chunks(8 << 20)), 6)
            file.writelines(member for _ in range(max(1, size // len(member))))
        elif name == "zip":
            with (
                zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
                archive.open("x.csv", "w", force_zip64=True) as entry,
            ):
                for chunk in FORMATS["CSV, no quotes"].chunks(size):
                    entry.write(chunk)
        else:
            _write_parquet(file, size)


def _write_parquet(file: io.BufferedWriter, size: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([_record(n) for n in range(ROWS)])
    with pq.ParquetWriter(file, table.schema, compression="none", use_dictionary=False) as writer:
        while file.tell() < size:
            writer.write_table(table)


def suffix_of(name: str) -> str:
    """What the file's name ends in."""
    others = {"CSV, gzip": "csv.gz", "zip": "zip", "Parquet": "parquet"}
    return FORMATS[name].suffix if name in FORMATS else others[name]
