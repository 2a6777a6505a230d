"""Identity of the file being read, and whether a later response resumes the same file.

Rules of RFC 9110, sections 8.8 (validators), 13.1.5 (If-Range), 14 (ranges) and 15.3.7 (206).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_batchdl.transfer.source.head import ResponseHead


@dataclass(frozen=True)
class Identity:
    """One version of one file.

    Args:
        validator: a strong ETag, else a ``Last-Modified`` that is old enough, else None. A weak ETag proves nothing
            about bytes.
        total: the file's size in bytes; None for unknown.
        modified: ``Last-Modified`` as received; None without one.
        codings: the content codings of its bytes; None for unknown.
        tag: the ETag as received, strong or not: another one is another version.
    """

    validator: str | None
    total: int | None
    modified: str | None = None
    codings: tuple[str, ...] | None = None
    tag: str | None = None

    @property
    def etag(self) -> str | None:
        """The strong ETag; None where the validator is a date."""
        return self.validator if self.validator and self.validator.startswith('"') else None


@dataclass(frozen=True)
class ContentRange:
    """``Content-Range: bytes start-last/total``; None for each ``*``."""

    start: int | None
    end: int | None
    """The byte after the last."""
    total: int | None


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
