"""The table of file formats: how each is recognised, named, checked and parsed.

To add a format, add a row to `FORMATS`; a compressed one needs its suffix, its magic and a decompressor.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from airflow_provider_batchdl.client.inflating import Decompressor
    from airflow_provider_batchdl.transfer.content.base import ContentCheck


@dataclass(frozen=True, eq=False)
class Format:
    """One file format.

    Args:
        name: its name; for a compressed one also the word in `verified_by`.
        suffixes: of file names, in lower case, without the dot. A file without a name gets the first.
        types: its media types, in lower case.
        magic: what its files may begin with; none for text.
        magic_is_word: whether text may begin with its magic, too; binary bytes follow it then.
        text: `table` where its files are text that is neither JSON nor XML, `any` for other text; None for bytes.
        check: makes the check of its content, of two keyword arguments: `proven`, whether something else proves the
            bytes, and `records`, whether the vendor says that the file has a record a line. None for no check.
        parse: makes Python values of a file's text; None where it has none.
        decompressor: of a compressed format, makes a decompressor of one member or stream.
        wraps: whether its suffix comes behind that of what is inside: `.csv.gz`.
        counts_rows: whether its check counts rows at so little cost that proven bytes are checked, too.
        coding: the HTTP content coding that is the format itself (RFC 9110, section 8.4.1).
    """

    name: str
    suffixes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    magic: tuple[bytes, ...] = ()
    magic_is_word: bool = False
    text: Literal["table", "any"] | None = None
    check: Callable[..., ContentCheck] | None = None
    parse: Callable[[str], object] | None = None
    decompressor: Callable[[], Decompressor] | None = None
    wraps: bool = False
    counts_rows: bool = False
    coding: str | None = None

    @property
    def is_known(self) -> bool:
        """True where its content can be checked."""
        return self.check is not None or self.decompressor is not None

    def without_suffix(self, filename: str) -> str | None:
        """The name of what is inside; None where the file's name does not end in one of the format's suffixes."""
        stem, _, last = filename.rpartition(".")
        return stem if last.lower() in self.suffixes else None


def _lazy(path: str, *wanted: str) -> Callable[..., Any]:
    """Calls what is at `path`, with those of the keyword arguments that it wants; imports it only then.

    The table is loaded with every DAG file.
    """

    def call(*args: Any, **options: Any) -> Any:
        module, _, name = path.rpartition(".")
        return getattr(import_module(module), name)(*args, **{each: options[each] for each in wanted})

    return call


def _types(*names: str) -> tuple[str, ...]:
    return tuple(f"{top}/{name}" for name in names for top in ("application", "text"))


_HERE = "airflow_provider_batchdl.transfer.content"
_CSV: dict[str, Any] = {
    "text": "table", "check": _lazy(f"{_HERE}.delimited.CsvCheck"), "parse": _lazy(f"{_HERE}.values.rows")
}  # fmt: skip

# Nine block sizes, and a first block or none.
_BZIP2 = tuple(b"BZh%d" % size + block for size in range(1, 10) for block in (b"1AY&SY", b"\x17rE8P\x90"))

FORMATS = (
    Format("json", ("json",), _types("json"), text="any",
           check=_lazy(f"{_HERE}.document.JsonCheck", "proven", "records"), parse=_lazy(f"{_HERE}.values.json_value")),
    Format("jsonl", ("jsonl", "ndjson"),
           _types("jsonl", "jsonlines", "json-lines", "x-jsonlines", "x-ndjson", "ndjson"), text="any",
           check=_lazy(f"{_HERE}.lines.JsonLinesCheck", "proven"), parse=_lazy(f"{_HERE}.values.lines")),
    Format("csv", ("csv",), _types("csv"), **_CSV),
    Format("csv", ("tsv",), _types("tab-separated-values"), **_CSV),
    Format("parquet", ("parquet",), _types("vnd.apache.parquet", "x-parquet"), (b"PAR1", b"PARE"),
           magic_is_word=True, check=_lazy(f"{_HERE}.parquet.ParquetCheck"), counts_rows=True),
    Format("zip", ("zip",), _types("zip", "x-zip-compressed"), (b"PK\x03\x04", b"PK\x05\x06"), wraps=True,
           check=_lazy(f"{_HERE}.containers.ZipCheck")),
    Format("gzip", ("gz", "gzip"), _types("gzip", "x-gzip"), (b"\x1f\x8b",), wraps=True, coding="gzip",
           decompressor=_lazy(f"{_HERE}.containers.gunzip")),
    Format("bzip2", ("bz2", "bzip2"), _types("bzip2", "x-bzip2", "x-bzip"), _BZIP2, wraps=True, coding="bzip2",
           decompressor=_lazy("bz2.BZ2Decompressor")),
    Format("xz", ("xz",), _types("x-xz"), (b"\xfd7zXZ",), wraps=True, decompressor=_lazy("lzma.LZMADecompressor")),
    # Named, so that nobody takes them for text.
    Format("zstd", ("zst", "zstd"), _types("zstd"), (b"\x28\xb5\x2f\xfd",), wraps=True, coding="zstd"),
    Format("brotli", ("br",), wraps=True, coding="br"),
    Format("lz4", ("lz4",), wraps=True),
    Format("wrapped", ("7z", "aes", "age", "asc", "enc", "gpg", "lz", "lzma", "lzo", "pgp", "rar", "snappy", "sz"),
           wraps=True),
    Format("compress", ("z",), coding="compress"),
    Format("tgz", ("tgz",), coding="gzip"),
    Format("txt", ("txt",), ("text/plain",), text="any"),
    Format("binary", ("avro", "doc", "docx", "feather", "jpeg", "jpg", "orc", "pdf", "png", "ppt", "pptx",
                      "sqlite", "tar", "xls", "xlsx", "xml"),
           magic=(b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"7z\xbc\xaf", b"Obj\x01", b"\xd0\xcf\x11\xe0",
                  b"Rar!\x1a\x07")),
)  # fmt: skip

_BINARY_TYPES = ("image/", "audio/", "video/", "font/", "application/pdf", "application/vnd.", "application/msword")
_NO_TEXT = re.compile(rb"[\0-\x08\x0e-\x1f]")
_FIRST = 64  # bytes in which that shows

_BY_SUFFIX = {suffix: each for each in FORMATS for suffix in each.suffixes}
_BY_TYPE = {media: each for each in FORMATS for media in each.types}
WRAPPING_SUFFIXES = frozenset(f".{suffix}" for each in FORMATS if each.wraps for suffix in each.suffixes)
"""Suffixes of compressed files, with their dot: `.gz` of `.csv.gz`."""


def suffix_of(filename: str | None) -> str:
    """The part of the name behind its last dot, in lower case; empty where it has none."""
    _, dot, last = (filename or "").rpartition(".")
    return last.lower() if dot else ""


def media_type(content_type: str | None) -> str:
    """A Content-Type without its parameters, in lower case."""
    return (content_type or "").partition(";")[0].strip().lower()


def by_suffix(suffix: str) -> Format | None:
    """The format of files whose names end so (lower case, without the dot)."""
    return _BY_SUFFIX.get(suffix)


def by_type(content_type: str | None) -> Format | None:
    """The format of a Content-Type."""
    media = media_type(content_type)
    return _BY_TYPE.get(media) or (_BY_SUFFIX["json"] if media.endswith("+json") else None)


def by_magic(head: bytes, declared: Format | None = None) -> Format | None:
    """The format that a file's first bytes name, for the declared one by its magic alone; None for text and others."""
    found = next((each for each in FORMATS if each.magic and head.startswith(each.magic)), None)
    # The header of a table may be PARENT_ID.
    if found is None or found is declared or not found.magic_is_word or _NO_TEXT.search(head[:_FIRST]):
        return found
    return None


def coded_suffixes(coding: str) -> tuple[str, ...]:
    """The endings of file names, with their dot, that say that the file is of this content coding itself."""
    return tuple(f".{suffix}" for each in FORMATS if each.coding == coding for suffix in each.suffixes)


def format_of(content_type: str | None, filename: str | None, expected: str | None = None) -> Format | None:
    """The format that a file is declared to be; None where it is none whose content can be checked.

    The file name's suffix comes first: stores often serve everything as `application/octet-stream` or `text/csv`. So
    `x.csv.br` is no CSV, whatever its type says. The suffix that the vendor says is ``expected`` counts where the name
    has none and the type says nothing.
    """
    suffix, typed = suffix_of(filename), by_type(content_type)
    named = by_suffix(suffix)
    if named is by_suffix("json") and typed is by_suffix("jsonl"):
        return typed  # a ".json" that is declared as JSON lines is believed
    if named is not None and (named.wraps or named.coding) and not named.is_known:
        return None
    offered = (named, typed, by_suffix("" if suffix else expected or ""))
    return next((each for each in offered if each is not None and each.is_known), None)


def is_binary(content_type: str | None, filename: str | None) -> bool:
    """True where a file is declared to be no text that has values, and cannot be unpacked to one."""
    declared = (by_suffix(suffix_of(filename)), by_type(content_type))
    unusable = any(each is not None and not each.is_known and each.text is None for each in declared)
    media = media_type(content_type)
    return unusable or media.startswith(_BINARY_TYPES) or media.endswith(("/xml", "+xml"))
