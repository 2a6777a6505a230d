"""Range requests on a content with a validator (RFC 9110, sections 13.1.5 and 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

from airflow_provider_batchdl.emulator.content import BytesContent, Content
from airflow_provider_batchdl.emulator.exchange import Call, Headers, Reply
from airflow_provider_batchdl.emulator.faults import Fault

_RANGE = re.compile(r"bytes=(?:(\d+)-(\d*)|-(\d+))")
_ALIGNMENT = 64 * 1024


@dataclass(frozen=True)
class Span:
    """A satisfiable range: ``[start, stop)``."""

    start: int
    stop: int


def requested_span(header: str, size: int) -> Span | bool | None:
    """Read a Range header.

    Args:
        header: the header's value.
        size: size of the whole in bytes.

    Returns:
        the span; ``None`` where the header asks for nothing that a server must serve (other units, several ranges);
        ``False`` where the range is not satisfiable.
    """
    match = _RANGE.fullmatch(header.strip())
    if not match:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        length = min(int(suffix), size)
        return Span(size - length, size) if length else False
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        return False
    return Span(start, min(int(last) + 1, size) if last else size)


def validator_holds(condition: str, etag: str, last_modified: float) -> bool:
    """Tell whether an If-Range condition holds: strong comparison of tags, exact comparison of dates."""
    if condition.startswith(('"', "W/")):
        return condition == etag and not condition.startswith("W/")
    try:
        return parsedate_to_datetime(condition).timestamp() == last_modified
    except (TypeError, ValueError):
        return False


def _shifted(span: Span, fault: Fault) -> Span:
    """Return a span that starts too early."""
    if fault.range_shift is not None:
        return Span(max(0, span.start - fault.range_shift), span.stop)
    aligned = span.start // _ALIGNMENT * _ALIGNMENT
    return Span(aligned, span.stop)


def ranged_reply(call: Call, content: Content, etag: str, last_modified: float) -> Reply:
    """Answer a GET of a stored content: 200, 206 or 416, faults on ranges and validators included.

    Args:
        call: the request.
        content: the whole content.
        etag: its strong entity tag, quoted.
        last_modified: Unix time in whole seconds.
    """
    shown = f"W/{etag}" if call.faulty("weak_etag") else etag
    headers: Headers = [
        ("etag", shown),
        ("last-modified", formatdate(last_modified, usegmt=True)),
        ("accept-ranges", "bytes"),
    ]
    header = call.header("range")
    condition = None if call.fault and call.fault.ignores_if_range else call.header("if-range")
    if not header or call.faulty("ignore_range") or (condition and not validator_holds(condition, etag, last_modified)):
        return Reply(200, content, headers)
    span = requested_span(header, content.size)
    if span is None:
        return Reply(200, content, headers)
    if not isinstance(span, Span):
        empty = BytesContent(b"", "application/xml")
        return Reply(416, empty, [*headers, ("content-range", f"bytes */{content.size}")])
    if call.fault and call.faulty("wrong_range"):
        span = _shifted(span, call.fault)
    headers.append(("content-range", f"bytes {span.start}-{span.stop - 1}/{content.size}"))
    return Reply(206, content, headers, span.start, span.stop)
