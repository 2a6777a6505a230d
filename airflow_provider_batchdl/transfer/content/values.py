"""Python values of a file's text: CSV, JSON and JSON lines."""

from __future__ import annotations

import csv
import io
import json

from airflow_provider_batchdl.exceptions import UnexpectedResponseError, UnstorableResultError
from airflow_provider_batchdl.transfer.content.delimited import HEADER, delimiter_of, sep_line

REST = "_rest"
"""Key under which the fields beyond the header of a CSV row stand, as a list."""


def json_value(text: str) -> object:
    """The value of a JSON text; a list of those of its lines where it is JSON lines."""
    try:
        return _loads(text)
    except ValueError as error:
        # "JSON files" that hold one value a line are common enough to be recognised by their shape alone.
        if getattr(error, "msg", "") == "Extra data":
            return lines(text)
        raise _not_json(error) from None


def _loads(text: str) -> object:
    try:
        value: object = json.loads(text)
    except RecursionError:
        raise UnstorableResultError("The JSON is nested too deeply to be parsed.") from None
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python reads no number of more than some thousand digits
        raise UnstorableResultError("The JSON has a number of thousands of digits.") from None
    return value


def lines_or_array(text: str) -> list[object]:
    """The values of JSON lines, or of one JSON array; any other single value as a list of one."""
    try:
        value = _loads(text)
    except ValueError:
        return lines(text)
    return value if isinstance(value, list) else [value]


def lines(text: str) -> list[object]:
    """The values of JSON lines. Blank ones are skipped."""
    try:
        # Only line feeds end a line: U+2028 and others that `splitlines` knows may stand inside JSON strings.
        return [_loads(line) for line in text.split("\n") if line.strip()]
    except ValueError as error:
        raise _not_json(error) from None


def _not_json(error: ValueError) -> UnexpectedResponseError:
    # Only the position: the message's text would show people's data in a log.
    where = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
    return UnexpectedResponseError(f"The result was declared as JSON but does not parse{where}.")


def rows(text: str) -> list[dict[str, object]]:
    """The records of a CSV as dicts of strings, by its header."""
    start = text[:HEADER].encode("utf-8", "replace")
    delimiter = delimiter_of(start)
    try:
        # Python's limit of 128 KiB a field stands: raising it is global to the process.
        records = [record for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if record]
    except csv.Error as error:
        raise UnstorableResultError(f"The CSV does not parse: {error}.") from None
    last = records[-1][-1] if records else ""
    if any(sign in last for sign in (delimiter, "\r", "\n")) and not text.rstrip().endswith('"'):
        raise UnstorableResultError("The CSV does not parse: a quote is not closed.")
    records = records[bool(sep_line(start)) :]
    header = _header(records[0]) if records else []
    return [_row(header, record) for record in records[1:]]


def _header(names: list[str]) -> list[str]:
    """The column names, all different and none empty."""
    taken: dict[str, None] = {REST: None}  # in their order
    numbers: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        base = name.strip() or f"column_{position}"
        unique, number = base, numbers.get(base, 1)
        while unique in taken:
            number += 1
            unique = f"{base}_{number}"
        numbers[base] = number
        taken[unique] = None
    return list(taken)[1:]


def _row(header: list[str], record: list[str]) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(header)
    row.update(zip(header, record, strict=False))
    if len(record) > len(header):
        row[REST] = record[len(header) :]
    return row
