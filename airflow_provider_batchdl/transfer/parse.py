"""Parse a small result into Python values, for XCom."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from contextlib import suppress

from airflow_provider_batchdl.client.inflating import MEMBERS, Decompressor, Inflater
from airflow_provider_batchdl.exceptions import ResultTooLargeError, UnexpectedResponseError, UnstorableResultError
from airflow_provider_batchdl.transfer.content import head
from airflow_provider_batchdl.transfer.content.base import BOM
from airflow_provider_batchdl.transfer.content.formats import (
    Format,
    by_magic,
    by_suffix,
    by_type,
    format_of,
    is_binary,
    suffix_of,
)
from airflow_provider_batchdl.transfer.content.values import json_value, lines_or_array, rows

_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)
# What servers declare of text by default, be it UTF-8 or not.
_BY_DEFAULT = ("iso8859-1", "cp1252")
# Python's encodings that no text is served in; a megabyte of the first two takes a minute to decode.
_NO_CHARSETS = ("idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7")
_DESTINATION = "Set a destination, so that the file goes to storage as it is."


def parse_result(
    data: bytes, *, content_type: str | None, filename: str | None, max_bytes: int, expected: str | None = None
) -> object:
    """Parse a whole, small result.

    Args:
        data: the file's bytes. UTF-8, with or without a byte order mark, or in the declared charset; a compressed file
            is unpacked first.
        content_type: the response's Content-Type.
        filename: the file's name; its suffix goes before the type.
        max_bytes: the most that a compressed file may unpack to; packed, it may have had a thousandth of that.
        expected: what the vendor says that its files are, where name and type do not: with `jsonl`, a `.json` or
            undeclared file is a list of its lines however many there are, or the array that it consists of.

    Returns:
        JSON as it is; JSON lines, also those inside a `.json`, as a list; CSV as a list of dicts of strings by
        header. A nameless column becomes `column_3`, a repeated one `email_2`, surplus fields go to `_rest`, missing
        ones are None. Where nothing declares the format, JSON is tried, then CSV. Never bytes.

    Raises:
        ResultTooLargeError: a compressed file unpacks to more than `max_bytes`.
        UnexpectedResponseError: the data is not what it is declared to be.
        UnstorableResultError: it is no text (PDF, Parquet, zip, …), or too deep or too large for Python's parsers.
    """
    declared = format_of(content_type, filename)
    if declared is not None and declared.decompressor is not None:
        stem = declared.without_suffix(filename or "")
        name = (filename or "") if stem is None else stem
        says = "." in name or by_type(content_type) is declared  # what is inside, its name says, if anything
        inner = "".join((content_type or "").partition(";")[1:]) if says else content_type
        unpacked = _unpacked(data, declared.name, declared.decompressor, max_bytes)
        return parse_result(unpacked, content_type=inner, filename=name, max_bytes=max_bytes, expected=expected)
    data = _as_utf8(data, content_type)
    _refuse_binary(data, declared, content_type, filename)
    if declared is None and expected in ("csv", "json") and not suffix_of(filename):
        declared = by_suffix(expected)
    head.refuse_page(data[: head.SMALL], declared)
    text = _text(data)
    if declared is not None and not head.fits(declared, data[: head.HEAD]):
        raise UnexpectedResponseError("The result was declared as CSV but is JSON or XML.", remedy=_DESTINATION)
    if expected == "jsonl" and (declared is None or declared.name == "json"):
        return lines_or_array(text)
    if declared is None or declared.parse is None:
        return (json_value if text.lstrip()[:1] in {"{", "["} else rows)(text)
    return declared.parse(text)


def _refuse_binary(data: bytes, declared: Format | None, content_type: str | None, filename: str | None) -> None:
    found = by_magic(data)
    if declared is None and is_binary(content_type, filename):
        what = suffix_of(filename) or "binary"
    elif declared is not None and declared.parse is None:
        what = declared.name
    elif found is not None:
        what = found.name
    elif b"\0" in data[: head.HEAD]:
        raise UnstorableResultError("The result is not UTF-8 text: it has zero bytes, as UTF-16 has.")
    elif declared is None and data[: head.HEAD].removeprefix(BOM).lstrip().startswith(b"<?xml"):
        what = "xml"
    else:
        return
    raise UnstorableResultError(f"A {what} file cannot be returned as values.")


def _unpacked(data: bytes, name: str, decompressor: Callable[[], Decompressor], max_bytes: int) -> bytes:
    inflater, unpacked = Inflater(decompressor, MEMBERS.get(name)), bytearray()
    pieces = inflater.feed(data)
    while len(unpacked) <= max_bytes:
        try:
            unpacked += next(pieces)
        except StopIteration:
            break
        except Exception as error:  # noqa: BLE001  every library has its own
            raise UnexpectedResponseError(f"The file was declared as {name} but does not unpack: {error}.") from None
    if len(unpacked) > max_bytes:
        raise ResultTooLargeError(f"The {name} file unpacks to more than the {max_bytes:,} bytes allowed.")
    if data and not inflater.ended:
        raise UnexpectedResponseError(f"The file was declared as {name} but ends early.")
    return bytes(unpacked)


def _as_utf8(data: bytes, content_type: str | None) -> bytes:
    """The data in UTF-8, if it is of another declared charset; what is not stays, and is refused if it is no UTF-8."""
    declared = _CHARSET.search(content_type or "")
    if declared is None or by_magic(data) is not None:
        return data
    try:
        charset = codecs.lookup(declared[1]).name
        if charset in _NO_CHARSETS:
            return data
        if charset in _BY_DEFAULT:
            with suppress(UnicodeDecodeError):
                data.decode("utf-8")
                return data
        return data.decode(charset).removeprefix("\ufeff").encode()
    except (LookupError, ValueError):
        return data


def _text(data: bytes) -> str:
    try:
        return data.removeprefix(BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnstorableResultError(f"The result is not UTF-8 text (byte {error.start}).") from None
