"""Parse the head of a response, in one place: which file it brings, and whether it resumes the same one.

A header that must be single and has two values is ignored. What cannot be parsed counts as missing. Control characters
become spaces (RFC 9110, section 5.5); other bytes beyond ASCII are decoded as ISO-8859-1.

Rules of RFC 9110, sections 8.8 (validators), 13.1.5 (If-Range), 14 (ranges) and 15.3.7 (206).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_batchdl._values import times
from airflow_provider_batchdl.transfer.source.decoding import codings_of
from airflow_provider_batchdl.transfer.source.framing import MOST_BYTES, FramedResponse, Framing, framing_of

if TYPE_CHECKING:
    import urllib3

CLOCK_SKEW = timedelta(seconds=60)
"""Minimum age of a ``Last-Modified`` to be a validator: a file can change twice within a second, and the two dates may
be of two clocks (RFC 9110, section 8.8.2.2)."""

_ONCE = frozenset({
    "content-disposition", "content-length", "content-range", "content-type", "date", "etag", "last-modified",
    "location", "retry-after",
})  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]+"')
# Of any unit, and as servers misspell it.
_ANY_RANGE = re.compile(r"([a-z]*)[ =:]*([0-9]{1,19}) *- *([0-9]{1,19}) */ *([0-9]{1,19}|\*)", re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes +(?:([0-9]{1,19})-([0-9]{1,19})|\*)/([0-9]{1,19}|\*)", re.IGNORECASE)


@dataclass(frozen=True)
class Identity:
    """One version of one file; None for what is unknown."""

    # A strong ETag, else a ``Last-Modified`` that is old enough: a weak ETag proves nothing about bytes.
    validator: str | None
    total: int | None
    modified: str | None = None  # ``Last-Modified`` as received
    codings: tuple[str, ...] | None = None  # the content codings of its bytes
    tag: str | None = None  # the ETag as received, strong or not: another one is another version

    @property
    def etag(self) -> str | None:
        """The strong ETag; None where the validator is a date."""
        return self.validator if self.validator and self.validator.startswith('"') else None


@dataclass(frozen=True)
class ContentRange:
    """``Content-Range: bytes start-last/total``; ``end`` is the byte after the last. None for each ``*``."""

    start: int | None
    end: int | None
    total: int | None


@dataclass(frozen=True)
class ResponseHead:
    """The head of a response."""

    status: int
    headers: Mapping[str, str]  # the valid ones, by lower-case name; several lines of one are joined by commas
    framing: Framing  # that the transport enforces
    fault: str | None = None  # why the body must not be trusted

    @classmethod
    def of(cls, status: int, lines: Iterable[tuple[str, str]], framing: Framing | None = None) -> ResponseHead:
        """Parse header lines as received; ``framing`` is the transport's reading of them, by default what they say."""
        headers: dict[str, str] = {}
        contradictory = set()
        for name, raw in lines:
            # Without control characters and surrounding spaces.
            lowered, value = name.lower(), (raw if raw.isprintable() else _CONTROL.sub(" ", raw)).strip(" \t")
            if (before := headers.setdefault(lowered, value)) != value:
                if lowered in _ONCE:
                    contradictory.add(lowered)
                else:
                    headers[lowered] = f"{before}, {value}"
        if framing is None:
            framing = framing_of(
                *([headers[name]] if name in headers else [] for name in ("transfer-encoding", "content-length"))
            )
        for name in contradictory:
            del headers[name]
        twice = next((name for name in ("Location", "Content-Range") if name.lower() in contradictory), None)
        fault = framing.fault or (f"it has two {twice} headers" if twice else None)
        return cls(status, headers, framing, fault)

    @cached_property
    def content_range(self) -> ContentRange | None:
        """The bytes of the file that the body is; None where the header is missing or invalid."""
        match = _CONTENT_RANGE.fullmatch(self.headers.get("content-range", ""))
        if match is None:
            return None
        start, last, total = (None if text in (None, "*") else int(text) for text in match.groups())
        end = None if last is None else last + 1
        most = MOST_BYTES if total is None else total
        if most > MOST_BYTES or (start is not None and end is not None and not start < end <= most):
            return None
        return ContentRange(start, end, total)

    @cached_property
    def identity(self) -> Identity:
        """The identity of the file in this response, a 200 or a 206."""
        etag, modified = self.headers.get("etag"), self.headers.get("last-modified")
        strong = etag if _STRONG_ETAG.fullmatch(etag or "") else None
        total = None if self.status == 206 else self.framing.length
        if self.status in (200, 206) and self.content_range is not None:
            total = self.content_range.total or total
        return Identity(strong or (modified if self._modified_is_strong else None), total, modified, self.codings, etag)

    @property
    def _modified_is_strong(self) -> bool:
        modified, now = (times.http_date(self.headers.get(name)) for name in ("last-modified", "date"))
        return modified is not None and now is not None and now - modified >= CLOCK_SKEW

    @cached_property
    def codings(self) -> tuple[str, ...]:
        """Its content codings, in the order in which they were applied."""
        return codings_of(self.headers.get("content-encoding", ""))

    @property
    def serves_ranges(self) -> bool:
        """True if the server supports range requests for the file."""
        return self.status == 206 or self.headers.get("accept-ranges", "").lower() == "bytes"

    @property
    def is_whole(self) -> bool:
        """True if the body is the whole file: a 200, or a 206 with all of its bytes (RFC 9110, section 15.3.7).

        A 200 may have a ``Content-Range``, too, which has no meaning there (RFC 9110, section 14.4), unless it says, in
        whatever unit, that there is more.
        """
        found = self.content_range
        if self.status not in (200, 206) or self.is_multipart:
            return False
        if self.status == 200 and (found is None or found.start is None):
            return not _says_more(self.headers.get("content-range", ""))
        if found is None:
            return False
        return found.start == 0 and found.end == found.total and self.framing.length in (None, found.total)

    @property
    def is_multipart(self) -> bool:
        """True if the body has several ranges, each with a head of its own."""
        return self.headers.get("content-type", "").lower().startswith("multipart/byteranges")

    @property
    def location(self) -> str | None:
        """The redirect target as written: mostly UTF-8, other bytes as surrogates."""
        text = self.headers.get("location")
        return text.encode("latin-1", "replace").decode("utf-8", "surrogateescape") if text else None


def range_headers(offset: int, identity: Identity | None, end: int | None = None) -> dict[str, str]:
    """The headers of a range request for the same file, up to ``end``; none for all of it, or without a validator."""
    if (not offset and end is None) or identity is None or identity.validator is None:
        return {}
    last = "" if end is None else end - 1
    return {"Range": f"bytes={offset}-{last}", "If-Range": identity.validator}


def resumed_identity(head: ResponseHead, expected: Identity | None, start: int, end: int | None) -> Identity | None:
    """The identity of the file that a 206 resumes; None where it may be another file, or another range.

    It must repeat the validator of the request: a server that omits it, or sends a weak one, may not have compared it
    (RFC 9110, section 15.3.7, requires it). Everything else that both responses declare must be equal. What was asked
    for starts at ``start`` and ends before ``end``, or with the file.
    """
    part, found = head.content_range, head.identity
    if expected is None or expected.validator is None or part is None or head.status != 206 or head.fault:
        return None
    total = part.total if expected.total is None else expected.total
    due = total if end is None else end
    length = head.framing.length
    as_asked = part.start == start and part.total == total and due in (None, part.end)
    whole = length is None or part.end is None or length == part.end - start
    same = (
        expected.validator in (found.etag, found.modified if expected.etag is None else None)
        and (None in (found.modified, expected.modified) or found.modified == expected.modified)
        and (None in (found.tag, expected.tag) or found.tag == expected.tag)
        # A part need not repeat what the first response declared, its coding included.
        and (not found.codings or expected.codings in (None, found.codings))
        and not head.is_multipart
    )
    return replace(expected, total=total) if as_asked and whole and same else None


def read_head(response: urllib3.BaseHTTPResponse) -> ResponseHead:
    """Read the head of a response, with the framing that its connection enforces (see `framing`)."""
    framed: FramedResponse = response._original_response  # type: ignore[attr-defined]
    return ResponseHead.of(response.status, framed.fields, framed.framing)


def _says_more(content_range: str) -> bool:
    """True if a ``Content-Range`` of any form says that there is more, or leaves open how many bytes there are."""
    found = _ANY_RANGE.fullmatch(content_range)
    if found is None:
        return False
    unit, first, last, total = found.groups()
    if total == "*":
        return int(first) > 0 or unit.lower() == "bytes"
    return int(first) > 0 or int(last) + 1 < int(total)
