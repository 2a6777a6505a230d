"""Address lists in CSV, JSON and text, and Revenuebase's results made from them row by row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from airflow_provider_batchdl.emulator.verdicts import revenuebase_metadata, revenuebase_status

METADATA = tuple(revenuebase_metadata("a@b.c", "Valid", 0))


class UnreadableInputError(ValueError):
    """An uploaded file that isn't what its name says."""


def _text(path: Path) -> io.TextIOWrapper:
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _csv_rows(path: Path) -> Iterator[list[str]]:
    try:
        with _text(path) as file:
            yield from (row for row in csv.reader(file) if row)
    except csv.Error as error:
        raise UnreadableInputError(str(error)) from None


def _email_column(header: list[str]) -> int:
    """Return the address column: the one named ``email``, else the first (an inference: no page names it)."""
    names = [name.strip().lower() for name in header]
    return names.index("email") if "email" in names else 0


def json_rows(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a JSON upload: a list of objects with ``email``, or of addresses.

    Raises:
        UnreadableInputError: for anything else.
    """
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnreadableInputError(str(error)) from None
    if not isinstance(document, list):
        raise UnreadableInputError("the document is not a list")
    rows = [{"email": row} if isinstance(row, str) else row for row in document]
    if not all(isinstance(row, dict) for row in rows):
        raise UnreadableInputError("the list holds something that is neither an object nor an address")
    return rows


def addresses_in(path: Path, filename: str) -> Iterator[str]:
    """Yield the addresses of an upload, by its name: ``.json``, ``.csv`` or plain lines.

    Raises:
        UnreadableInputError: where the content is not in the format of its name.
    """
    if filename.lower().endswith(".json"):
        yield from (str(row.get("email", "")) for row in json_rows(path))
        return
    if filename.lower().endswith(".csv"):
        rows = _csv_rows(path)
        column = _email_column(next(rows, ["email"]))
        yield from (row[column] if column < len(row) else "" for row in rows)
        return
    with _text(path) as file:
        yield from (line.strip() for line in file if line.strip())


def write_revenuebase_result(
    file: BinaryIO, path: Path, filename: str, *, metadata: bool, seed: int, revision: int, share: float
) -> None:
    """Write the input with a ``status`` column added, and the metadata fields on request.

    That the output is the input's columns plus these is an inference from the official SDK's test fixtures
    (``email,status``).

    Args:
        file: where to write.
        path: the upload.
        filename: its name; decides the format.
        metadata: add the metadata fields.
        seed: the emulator's seed.
        revision: see `EmulatedJob.revision`.
        share: part of the rows to write, from the top (0 to 1).
    """
    if filename.lower().endswith(".json"):
        rows = json_rows(path)
        for row in rows:
            row.update(_columns(str(row.get("email", "")), metadata, seed, revision))
        file.write(json.dumps(rows[: int(len(rows) * share)]).encode())
        return
    limit = int(sum(1 for _ in _csv_rows(path)) * share) if share < 1 else None
    text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="", write_through=False)
    writer = csv.writer(text, lineterminator="\n")
    input_rows = _csv_rows(path)
    header = next(input_rows, ["email"])
    column = _email_column(header)
    writer.writerow([*header, "status", *(METADATA if metadata else ())])
    for line in islice(input_rows, limit):
        added = _columns(line[column] if column < len(line) else "", metadata, seed, revision)
        writer.writerow([*line, *(str(value) for value in added.values())])
    text.flush()
    text.detach()


def _columns(address: str, metadata: bool, seed: int, revision: int) -> dict[str, Any]:
    status = revenuebase_status(address, seed, revision)
    return {"status": status, **(revenuebase_metadata(address, status, seed) if metadata else {})}
