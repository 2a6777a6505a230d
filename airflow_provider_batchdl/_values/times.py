"""Times, read and made in one place, by pendulum: aware, and in UTC. Every reader takes nonsense and answers None."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from email.utils import parsedate_to_datetime

import pendulum
from pendulum import UTC, DateTime, FixedTimezone, Timezone

# What parsers raise over nonsense: a year that is none, a moment that is none in UTC.
NONSENSE = (ValueError, TypeError, OverflowError, LookupError, AttributeError)

# ISO 8601, of which RFC 3339 is a part. Without this, pendulum reads "now", "12:30", a duration or a year as well.
_ISO = re.compile(r"(\d{4}-?\d\d-?\d\d)(?:[Tt ](\d\d.*?)\s*(Z|UTC|GMT|UT)?)?", re.ASCII | re.IGNORECASE | re.DOTALL)
# RFC 2822 and the forms of RFC 9110: "Sun, 06 Nov 1994 …", "6 Nov 1994 …", "Sunday, 06-Nov-94 …", "Sun Nov  6 …".
_MAIL = re.compile(r"(?:[a-z]{3,9}, *)?\d{1,2}[ -][a-z]{3}[ -]|[a-z]{3} [a-z]{3} ", re.ASCII | re.IGNORECASE)
# Ten digits are seconds from 2001 to 2286, thirteen the same in milliseconds. Other numbers are no time of a job's.
_UNIX = re.compile(r"\d{10}(?:\d{3})?(?:\.\d+)?", re.ASCII)
_LONGEST = 64


def now() -> DateTime:
    """The time by our own clock."""
    return pendulum.now("UTC")


def moment_of(value: object, zone: str | None = "UTC") -> DateTime | None:
    """A moment in UTC; None where ``value`` is none, or the year is absurd.

    Args:
        value: a ``date`` (its first moment), a ``datetime``, Unix seconds or milliseconds (a number or text), or text:
            ISO 8601 with RFC 3339, a time with "UTC" behind it, RFC 2822, or a date of HTTP.
        zone: what a time without a time zone is in, as the vendor documents it; with None such a time is none.
    """
    try:
        found = _read(value, zone)
        return None if found is None else pendulum.instance(found.astimezone(UTC))
    except NONSENSE:
        return None


def http_date(text: str | None) -> DateTime | None:
    """A date in any of the three forms of RFC 9110, section 5.6.7, or of RFC 2822; None where it is none."""
    try:
        return None if text is None else moment_of(parsedate_to_datetime(text.strip()))
    except NONSENSE:
        return None


def rfc3339(moment: datetime) -> str:
    """An aware time as RFC 3339, with its own offset, ``Z`` for UTC; RFC 3339 has no offsets with seconds."""
    offset = moment.utcoffset() or timedelta()
    text = (moment.astimezone(UTC) if offset % timedelta(minutes=1) else moment).isoformat()
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _read(value: object, zone: str | None) -> datetime | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=_zone(zone))
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=_zone(zone))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value).strip()
    if len(text) > _LONGEST:
        return None
    if _UNIX.fullmatch(text):
        digits = len(text.partition(".")[0])
        return pendulum.from_timestamp(float(text) / (1000 if digits > 10 else 1))
    if match := _ISO.fullmatch(text):
        day, time, utc = match.groups()
        # Pendulum takes neither a small "t" or "z", nor a name for UTC.
        found = pendulum.parse(day if time is None else f"{day}T{time}{'Z' if utc else ''}", exact=True, tz=None)
        return _read(found, zone) if isinstance(found, date) else None
    return http_date(text) if _MAIL.match(text) else None


def _zone(zone: str | None) -> Timezone | FixedTimezone:
    if zone is None:
        raise ValueError("a time without a time zone")
    return pendulum.timezone(zone)
