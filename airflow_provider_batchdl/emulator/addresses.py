"""Address lists in CSV, JSON and text, and Revenuebase's results made from them row by row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from airflow_provider_batchdl.emulator.results import Recipe, Upload, as_text
from airflow_provider_batchdl.emulator.rows import MEDIA_TYPES
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


def price_of(upload: Upload, seed: int) -> tuple[int, str | None]:
    """Return the credits a file will take, one per Valid or Invalid, and why it will fail, if it will."""
    try:
        statuses = (revenuebase_status(address, seed) for address in addresses_in(upload.path, upload.filename))
        return sum(status != "Unknown" for status in statuses), None
    except UnreadableInputError as error:
        return 0, f"The file could not be read: {error}"


def revenuebase_recipe(upload: Upload, *, metadata: bool, seed: int) -> Recipe:
    """Return the recipe of the input with a ``status`` column added, and the metadata fields on request.

    That the output is the input's columns plus these is an inference from the official SDK's test fixtures
    (``email,status``).
    """
    is_json = upload.filename.lower().endswith(".json")

    def write_json(file: BinaryIO, revision: int, share: float) -> None:
        rows = json_rows(upload.path)
        for row in rows:
            row.update(_columns(str(row.get("email", "")), metadata, seed, revision))
        file.write(json.dumps(rows[: int(len(rows) * share)]).encode())

    def write_csv(file: BinaryIO, revision: int, share: float) -> None:
        limit = int(sum(1 for _ in _csv_rows(upload.path)) * share) if share < 1 else None
        input_rows = _csv_rows(upload.path)
        header = next(input_rows, ["email"])
        column = _email_column(header)
        with as_text(file, "surrogateescape") as text:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow([*header, "status", *(METADATA if metadata else ())])
            for line in islice(input_rows, limit):
                added = _columns(line[column] if column < len(line) else "", metadata, seed, revision)
                writer.writerow([*line, *(str(value) for value in added.values())])

    return Recipe(MEDIA_TYPES["json" if is_json else "csv"], write_json if is_json else write_csv)


def _columns(address: str, metadata: bool, seed: int, revision: int) -> dict[str, Any]:
    status = revenuebase_status(address, seed, revision)
    return {"status": status, **(revenuebase_metadata(address, status, seed) if metadata else {})}
