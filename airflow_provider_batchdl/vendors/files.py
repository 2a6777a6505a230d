"""Rules for the files that a vendor accepts, as data, checked against the first bytes. The caller reads them."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.vendors.requests import Upload
from airflow_provider_batchdl.vendors.words import END

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.base import Submission, Vendor

Suffix = Annotated[str, Meta(pattern=rf"^\.[^A-Z./\s]+{END}", description="suffix like '.csv', in small letters")]
_WORD = "[A-Za-z0-9_.+-]+"
MediaType = Annotated[
    str, Meta(pattern=f"^{_WORD}/{_WORD}(; ?{_WORD}={_WORD})?{END}", description="media type like 'text/csv'")
]

# Bytes of a file that are checked.
HEAD = 64 * 2**10
# First bytes of these formats, for any file name.
_MAGIC: Mapping[bytes, str] = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip (an Excel workbook is one)",
    b"PAR1": "Parquet",
    b"%PDF": "PDF",
    b"\xd0\xcf\x11\xe0": "Excel or Word",
    codecs.BOM_UTF16_LE: "UTF-16, and not UTF-8",
    codecs.BOM_UTF16_BE: "UTF-16, and not UTF-8",
}
_PAGE = re.compile(r"\s*<(?:!doctype|html|\?xml)\b", re.IGNORECASE)


class FileRules(Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """The files that the vendor takes. Left out: any if a step uploads one, else none.

    Args:
        types: the media type for each suffix that it takes; any suffix if empty.
        required: true if every task needs a file.
        largest: most bytes.
        has_addresses: true if it is a list of email addresses.
        column: the field that an address is in, if a row has more.
    """

    types: dict[str, MediaType] = {}
    required: bool = False
    largest: int | None = None
    has_addresses: bool = False
    column: str | None = None


@dataclass(frozen=True)
class FileFacts:
    """Facts about a file: its path or URL, its size, where its store reports it, and its first bytes."""

    name: str
    size: int | None
    head: bytes

    @property
    def is_whole(self) -> bool:
        """True if the head is the whole file."""
        return len(self.head) < HEAD or self.size == len(self.head)


def upload_of(vendor: Vendor, submission: Submission, part: str) -> Upload:
    """The file of ``submission`` as one part of a form; its name and suffix have been checked."""
    rules = vendor.file_rules or FileRules()
    name = submission.upload_name()
    return Upload(part, submission.file or "", name, rules.types.get(_suffix(name), "application/octet-stream"))


def check_presence(vendor: Vendor, file: str | None) -> None:
    """Refuse a file that the vendor does not take, or none where it takes nothing else."""
    rules = vendor.file_rules
    if rules is None:
        problem = "takes a request, and no file" if file is not None else None
    elif file is None:
        problem = f"takes a file{_suffixes(rules)}, and there is none" if rules.required else None
    else:
        wrong = rules.types and _suffix(file) not in rules.types
        problem = (
            f"takes a file{_suffixes(rules)}, and not {_suffix(file) or 'one without a suffix'}" if wrong else None
        )
    if problem:
        raise InvalidRequestError(f"{vendor.label} {problem}.", vendor=vendor.name)


def doubts_about(rules: FileRules, facts: FileFacts) -> Iterator[tuple[bool, str]]:
    """Problems of a file, in words that follow its name, each with whether that is sure."""
    if not facts.head:
        yield True, "is empty"
        return
    if rules.largest is not None and (facts.size or 0) > rules.largest:
        yield True, f"has {facts.size:,} bytes, and the vendor takes {rules.largest:,}"
    if rules.has_addresses:
        yield from _of_addresses(rules, facts)


def _of_addresses(rules: FileRules, facts: FileFacts) -> Iterator[tuple[bool, str]]:
    magic = next((kind for start, kind in _MAGIC.items() if facts.head.startswith(start)), None)
    if magic or b"\0" in facts.head:
        yield True, f"is no text: it is {magic or 'binary'}"
        return
    text = _text(facts)
    if text is None:
        yield False, "is no UTF-8"
        text = facts.head.decode("latin-1")
    if not text.strip():
        yield True, "has nothing but blanks in it"
    elif _PAGE.match(text):
        yield True, "is a page of HTML or XML"
    elif _suffix(facts.name) == ".json":
        yield from _of_json(text, rules, facts)
    else:
        yield from _of_table(text, rules, facts)


def _text(facts: FileFacts) -> str | None:
    """The head as text, without the character that it may end within; None where it is no UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        return decoder.decode(facts.head, final=facts.is_whole)
    except UnicodeDecodeError:
        return None


def _of_table(text: str, rules: FileRules, facts: FileFacts) -> Iterator[tuple[bool, str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    header = [name.strip().strip('"').casefold() for name in _fields(lines[0])]
    named = rules.column in header
    if "@" not in text:
        if len(lines) == 1 and facts.is_whole and (named or len(header) == 1):
            yield True, "has a header and no row"
        elif not named:
            yield facts.is_whole, f"has no email address in {_part(facts)}"
    elif rules.column and len(header) > 1 and not named:
        likely = next((name for name in header if "mail" in name), None)
        words = f"has no column {rules.column!r} among its {len(header)}"
        yield likely is None, f"{words} ({likely!r} may be meant)" if likely else words


def _of_json(text: str, rules: FileRules, facts: FileFacts) -> Iterator[tuple[bool, str]]:
    if text.lstrip()[0] not in "[{":
        yield True, "is no JSON: it begins with neither '[' nor '{'"
        return
    rows = _rows(text) if facts.is_whole else None
    if rows is not None and not rows:
        yield True, "has no rows"
    elif "@" not in text and (rules.column is None or f'"{rules.column}"' not in text.casefold()):
        yield facts.is_whole, f"has no email address in {_part(facts)}"
    elif rules.column and rows and all(isinstance(row, dict) and rules.column not in row for row in rows):
        wraps = len(rows) == 1 and text.lstrip()[0] == "{"  # the rows may be in a member of it
        yield not wraps, f"has no member {rules.column!r} in any of its {len(rows):,} rows"
    elif facts.is_whole and rows is None:
        yield True, "does not parse as JSON"


def _rows(text: str) -> list[Any] | None:
    """The rows of a whole JSON file: of an array, of an object, of a line each; None where it does not parse."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, list) else [value] if value else []


def _fields(line: str) -> list[str]:
    """The fields of a line, whichever of the usual characters separates them."""
    delimiter = max(",;\t|", key=line.count)
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)


def _part(facts: FileFacts) -> str:
    return "it" if facts.is_whole else f"its first {len(facts.head) // 1024} KiB"


def _suffix(name: str) -> str:
    last = name.rpartition("/")[2]
    return f".{last.rpartition('.')[2].lower()}" if "." in last else ""


def _suffixes(rules: FileRules) -> str:
    return f" of {' or '.join(rules.types)}" if rules.types else ""
