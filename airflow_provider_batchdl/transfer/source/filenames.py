"""A vendor's file name, made safe to use as the last part of a path or key."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from email.errors import HeaderParseError
from email.header import decode_header
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from airflow_provider_batchdl.transfer.content.formats import WRAPPING_SUFFIXES, by_type

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import Job, ResultFile
    from airflow_provider_batchdl.transfer.source.stream import ResultStream
    from airflow_provider_batchdl.vendors.base import Vendor

MAX_BYTES = 200
"""UTF-8 bytes of a name, so that `-part-0001` and a temporary file's affix still fit into the usual 255."""
MAX_SUFFIX_BYTES = 32
LONGEST_ENCODED = 1_000
"""Characters of a name in encoded words that are decoded: the decoder takes quadratic time."""

_ATTRIBUTE = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER = re.compile(rf';\s*({_ATTRIBUTE})\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)', re.DOTALL)
_RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|COM[0-9¹²³]|LPT[0-9¹²³])(?=\s*(?:\.|$))", re.IGNORECASE)
_ENCODED_WORD = re.compile(r"=\?[^?\s]+\?[bq]\?[^?]*\?=", re.IGNORECASE)
_SIGNED_URL = re.compile(r"\s*https?:|.*[?&](?:sig|(?:x-amz-|x-goog-)?signature)=", re.IGNORECASE | re.DOTALL)
_EXTENDED = re.compile(r"(utf-8|iso-8859-1)'[^'%]*'(.*)", re.IGNORECASE | re.DOTALL | re.ASCII)
_DRIVE = re.compile(r"^[A-Za-z]:")
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_CORE = re.compile(r"[^.\s](?:.*[^.\s])?", re.DOTALL)
_MANIFEST = "_manifest.json"
# Control, format (bidi, zero-width), surrogate, private, unassigned and line-separating characters.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def naming(vendor: Vendor, job: Job, file: ResultFile) -> Callable[[ResultStream], str]:
    """A function that names ``file`` by the response that brings it: the header's name, the job's, the link's, ours."""

    @lru_cache(maxsize=1)  # several steps of a download ask
    def name_of(head: ResultStream) -> str:
        elsewhere = not file.name and not vendor.is_home(head.url)
        declared = by_type(head.headers.get("content-type"))
        ours = f"{vendor.name}-{job.id.replace(':', '-')}{f'.{declared.suffixes[0]}' if declared else ''}"
        return safe_filename(
            head.headers.get("content-disposition"), head.url if elsewhere else None, fallback=file.name or ours
        )

    return name_of


def safe_filename(content_disposition: str | None, url: str | None = None, *, fallback: str) -> str:
    """The name to store a download under.

    Taken from the header's `filename*`, else its `filename` (RFC 6266, RFC 5987), else the address's last path
    segment, else `fallback`; the first that leaves something after cleaning.

    Args:
        content_disposition: the response header's value.
        url: the address the file came from; query and fragment are ignored.
        fallback: our own name for the file. It is cleaned as well; `result` where nothing of it is left.

    Returns:
        One path segment: NFC, at most `MAX_BYTES` bytes of UTF-8, no separator, control or invisible format
        character, no leading or trailing dot or space, no name Windows reserves, not our manifest's.
    """
    offered = _names_in_header(content_disposition) if content_disposition else []
    for candidate in (*offered, _name_in_url(url), fallback):
        name = _clean(candidate) if candidate else ""
        if name:
            return name
    return "result"


def part_name(name: str, part: int) -> str:
    """`export.jsonl` and 1 → `export-part-0001.jsonl`; `x.csv.gz` → `x-part-0001.csv.gz`; also of a whole key."""
    return _marked(name, f"-part-{part:04d}")


def kind_name(name: str, kind: str) -> str:
    """`export.jsonl` and `errors` → `export.errors.jsonl`; see `part_name`."""
    return _marked(name, f".{kind}")


def _marked(name: str, mark: str) -> str:
    folder, slash, last = name.rpartition("/")
    stem, suffix = split_suffix(last)
    return f"{folder}{slash}{stem}{mark}{suffix}"


def split_suffix(name: str) -> tuple[str, str]:
    """The stem and the suffix of a file name; `.csv.gz` is one suffix. A leading dot begins no suffix."""
    stem, dot, last = name.rpartition(".")
    if not stem or not last or len(last.encode("utf-8", "replace")) >= MAX_SUFFIX_BYTES or " " in last:
        return name, ""
    suffix = dot + last
    if suffix.lower() in WRAPPING_SUFFIXES:
        inner, _, kind = stem.rpartition(".")
        if inner and kind.isalnum() and len(kind) <= 8:
            return inner, f".{kind}{suffix}"
    return stem, suffix


def folded(path: str) -> str:
    """The last segment, as a file system that ignores case and normalisation compares it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", path.rpartition("/")[2]).casefold())


def _names_in_header(header: str) -> list[str]:
    """The names a Content-Disposition offers, the extended one first as RFC 6266 §4.3 asks."""
    kind = header.partition(";")[0]
    # The first parameter of a header that lost its disposition type ("filename=x") is read as well.
    parameters = [(key.lower(), value) for key, value in _PARAMETER.findall(f";{header}" if "=" in kind else header)]
    extended = [_extended_value(_unquote_string(value)) for key, value in parameters if key == "filename*"]
    return extended + [_plain_value(value) for key, value in parameters if key == "filename"]


def _plain_value(value: str) -> str:
    name = _unquote_string(value)
    if len(name) <= LONGEST_ENCODED and _ENCODED_WORD.search(name) and (decoded := _decoded_words(name)):
        return decoded
    # Header bytes reach us as ISO-8859-1 (RFC 9110 §5.5); servers that send raw UTF-8 are more common than umlauts.
    try:
        return name.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return name


def _decoded_words(name: str) -> str:
    """`=?UTF-8?B?w7wuY3N2?=` decoded (RFC 2047); "" where it is none.

    The header has no such words (RFC 6266, appendix C), but servers written for mail put them there.
    """
    try:
        return "".join(
            text if isinstance(text, str) else text.decode((charset or "latin-1").partition("*")[0])
            for text, charset in decode_header(name)
        )
    except (HeaderParseError, LookupError, ValueError):  # of the encoding, the charset, the bytes
        return ""


def _unquote_string(value: str) -> str:
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
    return value


def _extended_value(value: str) -> str:
    """`UTF-8'en'na%C3%AFve.csv` decoded (RFC 5987 §3.2: UTF-8 and ISO-8859-1); "" where it is none."""
    found = _EXTENDED.fullmatch(value)
    try:
        return unquote_to_bytes(found[2]).decode(found[1]) if found else ""
    except UnicodeError:
        return ""


def _name_in_url(url: str | None) -> str:
    if not url:
        return ""
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    # The last segment is cut before decoding: an encoded slash is part of the name, and cleaned as such.
    return unquote_to_bytes(path.rpartition("/")[2].encode("utf-8", "surrogateescape")).decode(errors="replace")


def _clean(name: str) -> str:
    if _SIGNED_URL.match(name):
        name = re.split(r"[?#]", name, maxsplit=1)[0]
    if not (name.isascii() and name.isprintable()):
        name = unicodedata.normalize("NFC", "".join(each for each in name if unicodedata.category(each) not in _UNSEEN))
    name = name.replace("\\", "/").rstrip("/ ").rpartition("/")[2]
    name = _FORBIDDEN.sub("_", _DRIVE.sub("", name))
    name = _shorten(_strip(name))
    if _RESERVED.match(name) or folded(name) == _MANIFEST:
        name = _shorten(f"file-{name.lstrip('_')}")
    return name


def _strip(name: str) -> str:
    """`name` without dots and white space at either end (Windows drops trailing ones, leading ones hide or climb)."""
    core = _CORE.search(name)
    return core[0] if core else ""


def _shorten(name: str) -> str:
    if len(name.encode()) <= MAX_BYTES:
        return name
    stem, suffix = split_suffix(name)
    room = MAX_BYTES - len(suffix.encode())
    return _strip(stem.encode()[:room].decode("utf-8", "ignore")) + suffix
