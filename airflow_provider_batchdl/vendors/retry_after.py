"""How long a server asks to wait: the one place that reads it, and the one that says what it may ask."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_ASKED = 86_400.0
"""Seconds. No vendor's window is longer than a day: a header that asks for more is nonsense and counts as missing, as
does an ``X-RateLimit-Reset`` of more than a day ago (a number of seconds, where a Unix time is documented)."""

# What these parsers raise over nonsense: a year that is none, a number beyond all floats.
_NONSENSE = (ValueError, TypeError, OverflowError, LookupError, AttributeError)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds the server asks to wait, at most :data:`LONGEST_ASKED`; None where it asks nothing, or only nonsense.

    Reads ``Retry-After`` in both forms, seconds and date (RFC 9110, section 10.2.3), then ``X-RateLimit-Reset`` (Unix
    time), which both ApartmentIQ and Revenuebase document, and last ``X-RateLimit-Reset-After``: at ApartmentIQ that is
    the length of the window, not what is left of it. A moment is compared with the server's own ``Date``, since its
    clock and ours may differ.

    Args:
        headers: the response's headers, names in lower case or in a mapping that does not care.
        now: the time to compare a moment with where there is no ``Date``; our own clock's by default.
    """
    now = _date(headers.get("date")) or now or datetime.now(UTC)
    readers = (
        (_seconds, "retry-after"),
        (lambda text: _until(text, now), "retry-after"),
        (lambda text: _seconds(text) - now.timestamp(), "x-ratelimit-reset"),
        (_seconds, "x-ratelimit-reset-after"),
    )
    for read, name in readers:
        text = headers.get(name)
        if text is not None:
            try:
                seconds = read(text.strip())
            except _NONSENSE:
                continue
            if abs(seconds) <= LONGEST_ASKED:
                return max(0.0, seconds)
    return None


def _date(text: str | None) -> datetime | None:
    try:
        return None if text is None else _moment(text)
    except _NONSENSE:
        return None


def _moment(text: str) -> datetime:
    when = parsedate_to_datetime(text.strip())
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _until(text: str, now: datetime) -> float:
    return max(0.0, (_moment(text) - now).total_seconds())


def _seconds(text: str) -> float:
    """A number of seconds; of several headers, which arrive joined by ", ", the largest."""
    numbers = text.split(", ")
    if not all(re.fullmatch(r"[0-9]{1,12}(\.[0-9]+)?", each) for each in numbers):
        raise ValueError(text)
    return max(map(float, numbers))
