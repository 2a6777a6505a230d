"""``Retry-After`` and its relatives, read and bounded in this one place."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime

from airflow_provider_batchdl._values import times

LONGEST_ASKED = 86_400.0
"""Seconds. No vendor's window is longer than a day: a header that asks for more is nonsense and counts as missing, as
does an ``X-RateLimit-Reset`` of more than a day ago (a number of seconds, where a Unix time is documented)."""

# A list's commas; one behind a day of the week is a date's own.
_COMMA = re.compile(r"(?<![a-z]{2}),")
_UNITS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"
_SPELLINGS = {"us": "(?:us|\u00b5s|\u03bcs)"}  # the micro sign, and the Greek letter
_DURATION = re.compile(
    rf"(?P<plain>{_NUMBER})|"
    + "".join(rf"(?:(?P<{unit}>{_NUMBER}){_SPELLINGS.get(unit, unit)}(?![a-z]))?" for unit in _UNITS)
)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds the server asks to wait, at most :data:`LONGEST_ASKED`; None where it asks nothing, or only nonsense.

    Reads ``Retry-After`` in both forms, seconds and date (RFC 9110, section 10.2.3), and as a :func:`duration`; then
    ``X-RateLimit-Reset`` (Unix time), which both ApartmentIQ and Revenuebase document, and last
    ``X-RateLimit-Reset-After``: at ApartmentIQ that is the length of the window, not what is left of it. A moment is
    compared with the server's own ``Date``, since its clock and ours may differ.
    """
    now = times.http_date(headers.get("date")) or now or times.now()
    readers = (
        (lambda text: _until(text, now) if ":" in text else duration(text), "retry-after"),
        (lambda text: _seconds(text) - now.timestamp(), "x-ratelimit-reset"),
        (duration, "x-ratelimit-reset-after"),
    )
    for read, name in readers:
        text = headers.get(name)
        if text is not None:
            try:
                seconds = longest(read, text)
            except times.NONSENSE:
                continue
            if abs(seconds) <= LONGEST_ASKED:
                return max(0.0, seconds)
    return None


def asked_wait(read: Callable[[Mapping[str, str]], object], headers: Mapping[str, str]) -> float | None:
    """Seconds that ``read`` finds in ``headers``, such as :meth:`Vendor.retry_after`; None where they are nonsense.

    No answer is lost over its headers: whatever ``read`` raises counts as nothing found.
    """
    try:
        seconds = read(headers)
    except Exception:  # noqa: BLE001 a vendor's own reader, and any text
        return None
    if not isinstance(seconds, int | float) or not math.isfinite(seconds) or abs(seconds) > LONGEST_ASKED:
        return None
    return max(0.0, float(seconds))


def longest(read: Callable[[str], float], text: str) -> float:
    """The most that ``read`` finds in the members of a list, as which several headers may arrive."""
    return max(read(each.strip()) for each in _COMMA.split(text) if each.strip())


def duration(text: str) -> float:
    """Seconds of a duration such as ``1m30s``, ``6ms``, ``1h2m3.5s`` or ``20``, a plain number being seconds.

    The units are ``d``, ``h``, ``m``, ``s``, ``ms``, ``us`` and ``ns``, each at most once and the largest first.

    Raises:
        ValueError: it is none.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None or not text.strip():
        raise ValueError("no duration")
    if found["plain"]:
        return float(found["plain"])
    return math.fsum(float(found[unit]) * seconds for unit, seconds in _UNITS.items() if found[unit])


def _until(text: str, now: datetime) -> float:
    when = times.http_date(text)
    if when is None:
        raise ValueError(text)
    return max(0.0, when.timestamp() - now.timestamp())


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]+)?", text):
        raise ValueError(text)
    return float(text)
