"""A small result as Python values, for XCom."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib

from airflow_provider_batchdl.exceptions import ResultTooLargeError, UnexpectedResponseError
from airflow_provider_batchdl.transfer.content import head, kind_of, suffix_of
from airflow_provider_batchdl.transfer.content.base import BOM
from airflow_provider_batchdl.transfer.content.delimited import HEADER, delimiter_of

REST = "_rest"
"""Key under which the fields beyond the header of a CSV row stand, as a list."""
_DESTINATION = "Set a destination, so that the file goes to storage as it is."
_BINARY_TYPES = ("image/", "audio/", "video/", "font/", "application/pdf", "application/vnd.", "application/msword")
_BINARY_SUFFIXES = frozenset({
    "7z", "avro", "bz2", "doc", "docx", "feather", "jpeg", "jpg", "orc", "pdf", "png", "ppt", "pptx", "rar", "sqlite",
    "tar", "tgz", "xls", "xlsx", "xz", "zst",
})  # fmt: skip


def parse_result(
    data: bytes, *, content_type: str | None, filename: str | None, max_bytes: int, expected: str | None = None
) -> object:
    """Parse a whole, small result.

    Args:
        data: the file's bytes. UTF-8, with or without a byte order mark; `.gz` is unpacked first.
        content_type: the response's Content-Type.
        filename: the file's name; its suffix goes before the type.
        max_bytes: the most that a gzip file may unpack to; packed, it may have had a thousandth of that.
        expected: what the vendor says that its files are, where name and type tell less: with `jsonl`, a `.json` or
            undeclared file is a list of its lines however many there are, or the array that it consists of.

    Returns:
        JSON as it is; JSON lines, also those inside a `.json`, as a list; CSV as a list of dicts of strings by
        header. A nameless column becomes `column_3`, a repeated one `email_2`, surplus fields go to `_rest`, missing
        ones are None. Where nothing declares the format, JSON is tried, then CSV. Never bytes.

    Raises:
        ResultTooLargeError: a gzip file unpacks to more than `max_bytes`.
        UnexpectedResponseError: the data is not what it is declared to be, or no text (PDF, Parquet, zip, …).
    """
    kind = kind_of(content_type, filename)
    if kind == "gzip":
        name = (filename or "").removesuffix(".gz")
        unpacked = _unpacked(data, max_bytes)
        declared = "." in name or kind_of(content_type, None) == "gzip"  # what is inside its name says, if anything
        inner = None if declared else content_type
        return parse_result(unpacked, content_type=inner, filename=name, max_bytes=max_bytes, expected=expected)
    _refuse_binary(data, kind, content_type, filename)
    if kind is None and expected in ("csv", "json") and not suffix_of(filename):
        kind = expected
    head.refuse_page(data)
    text = _text(data)
    if kind == "csv" and not head.is_table(data[: head.HEAD]):
        raise UnexpectedResponseError("The result was declared as CSV but is JSON or XML.", remedy=_DESTINATION)
    if expected == "jsonl" and kind in (None, "json"):
        return _lines_or_array(text)
    if kind == "csv" or (kind is None and not _looks_like_json(text)):
        return _rows(text)
    return _lines(text) if kind == "jsonl" else _json(text)


def _refuse_binary(data: bytes, kind: str | None, content_type: str | None, filename: str | None) -> None:
    media, suffix = (content_type or "").strip().lower(), suffix_of(filename)
    declared = kind is None and (media.startswith(_BINARY_TYPES) or suffix in _BINARY_SUFFIXES)
    if declared or kind in {"parquet", "zip"} or head.magic(data) is not None:
        what = suffix if declared and suffix else kind or "binary"
        raise UnexpectedResponseError(f"A {what} file cannot be returned as values.", remedy=_DESTINATION)


def _unpacked(data: bytes, max_bytes: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            unpacked = file.read(max_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UnexpectedResponseError(f"The file was declared as gzip but does not unpack: {error}.") from None
    if len(unpacked) > max_bytes:
        raise ResultTooLargeError(f"The gzip file unpacks to more than the {max_bytes:,} bytes allowed.")
    return unpacked


def _text(data: bytes) -> str:
    try:
        return data.removeprefix(BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnexpectedResponseError(
            f"The result is not UTF-8 text (byte {error.start}).", remedy=_DESTINATION
        ) from None


def _looks_like_json(text: str) -> bool:
    return text.lstrip()[:1] in {"{", "["}


def _json(text: str) -> object:
    try:
        return _loads(text)
    except ValueError as error:
        # "JSON files" that hold one value a line are common enough to be told by their shape alone.
        if getattr(error, "msg", "") == "Extra data":
            return _lines(text)
        raise _not_json(error) from None


def _loads(text: str) -> object:
    try:
        value: object = json.loads(text)
    except RecursionError:
        raise UnexpectedResponseError("The JSON is nested too deeply to be parsed.", remedy=_DESTINATION) from None
    return value


def _lines_or_array(text: str) -> list[object]:
    try:
        value = _loads(text)
    except ValueError:
        return _lines(text)
    return value if isinstance(value, list) else [value]


def _lines(text: str) -> list[object]:
    try:
        # Only line feeds end a line: U+2028 and others that `splitlines` knows may stand inside JSON strings.
        return [_loads(line) for line in text.split("\n") if line.strip()]
    except ValueError as error:
        raise _not_json(error) from None


def _not_json(error: ValueError) -> UnexpectedResponseError:
    # Only the position: the message's text would show people's data in a log.
    where = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
    return UnexpectedResponseError(f"The result was declared as JSON but does not parse{where}.")


def _rows(text: str) -> list[dict[str, object]]:
    delimiter = delimiter_of(text[:HEADER].encode("utf-8", "replace"))
    try:
        # Python's limit of 128 KiB a field stands: raising it is global to the process.
        records = [record for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if record]
    except csv.Error as error:
        raise UnexpectedResponseError(f"The CSV does not parse: {error}.", remedy=_DESTINATION) from None
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
