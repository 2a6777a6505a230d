"""Which file is being read: what the first response says, and whether a later one goes on with it.

Rules of RFC 9110, sections 8.8 (validators), 13.1.5 (If-Range) and 14 (ranges).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass(frozen=True)
class Identity:
    """One version of one file.

    Args:
        validator: a strong ETag, else ``Last-Modified``, else None. A weak ETag proves nothing about bytes.
        total: the file's size in bytes, where it is known.
    """

    validator: str | None
    total: int | None

    @property
    def etag(self) -> str | None:
        """The strong ETag, None where the validator is a date."""
        return self.validator if self.validator and self.validator.startswith('"') else None


@dataclass(frozen=True)
class ContentRange:
    """``Content-Range: bytes start-end/total``; ``start`` is None in the form ``*/total`` of a 416."""

    start: int | None
    total: int | None


def parse_content_range(text: str | None) -> ContentRange | None:
    """The parsed header, None where it is missing or malformed."""
    match = _CONTENT_RANGE.fullmatch((text or "").strip())
    if match is None:
        return None
    start, _, total = match.groups()
    return ContentRange(int(start) if start else None, None if total == "*" else int(total))


def identify(status: int, headers: Mapping[str, str]) -> Identity:
    """The identity of the file behind a 200 or a 206.

    Args:
        status: the response's status.
        headers: its headers, with lower-case names.
    """
    etag = headers.get("etag", "").strip()
    strong = etag if len(etag) >= 2 and etag.startswith('"') and etag.endswith('"') else None
    validator = strong or headers.get("last-modified") or None
    if status == 206:
        found = parse_content_range(headers.get("content-range"))
        return Identity(validator, found.total if found else None)
    length = headers.get("content-length", "")
    sized = length.isascii() and length.isdigit() and "transfer-encoding" not in headers
    return Identity(validator, int(length) if sized else None)


def range_headers(offset: int, identity: Identity | None, end: int | None = None) -> dict[str, str]:
    """The headers that ask for a part of the same file; none for all of it, or without a validator.

    Args:
        offset: its first byte.
        identity: the file.
        end: the byte after its last; None for all that follows.
    """
    if (not offset and end is None) or identity is None or identity.validator is None:
        return {}
    last = "" if end is None else end - 1
    return {"Range": f"bytes={offset}-{last}", "If-Range": identity.validator}
