"""Whatever says a time is read as a moment in UTC, or as none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl._values.times import http_date, moment_of, now, rfc3339

TEN = datetime(2026, 11, 1, 10, tzinfo=UTC)
SECONDS = int(TEN.timestamp())


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-01T10:00:00Z",
        "2026-11-01t10:00:00z",
        "2026-11-01T10:00:00.000Z",
        "2026-11-01T10:00:00.000000000Z",
        "2026-11-01T10:00:00+00:00",
        "2026-11-01T11:00:00+01:00",
        "2026-11-01T05:00:00-0500",
        "2026-11-01 10:00:00+00:00",
        "20261101T100000Z",
        " 2026-11-01T10:00:00Z\n",
        "2026-11-01 10:00:00 UTC",
        "2026-11-01 10:00 GMT",
        "2026-11-01T10:00:00 utc",
        "Sun, 01 Nov 2026 10:00:00 GMT",
        "Sun, 1 Nov 2026 12:00:00 +0200",
        "1 Nov 2026 10:00:00 -0000",
        "Sunday, 01-Nov-26 10:00:00 GMT",
        "Sun Nov  1 10:00:00 2026",
        SECONDS,
        float(SECONDS),
        str(SECONDS),
        SECONDS * 1000,
        f"{SECONDS}000",
        f"{SECONDS}.0",
        TEN,
        TEN.astimezone(ZoneInfo("Asia/Tokyo")),
        pendulum.datetime(2026, 11, 1, 5, tz="America/New_York"),
    ],
    ids=repr,
)
def test_a_moment(value: object) -> None:
    moment = moment_of(value, zone=None)
    assert moment == TEN
    assert (moment.tzname(), type(moment)) == ("UTC", pendulum.DateTime)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-01T10:00:00", "2026-11-01 10:00", "2026-11-01", "20261101",
        date(2026, 11, 1), pendulum.date(2026, 11, 1), datetime(2026, 11, 1, 10), pendulum.naive(2026, 11, 1, 10),  # noqa: DTZ001
    ],
    ids=repr,
)  # fmt: skip
def test_without_a_zone_it_is_in_the_vendors(value: Any) -> None:
    hour = 10 if isinstance(value, datetime) or "10:00" in str(value) else 0
    assert moment_of(value) == datetime(2026, 11, 1, hour, tzinfo=UTC)
    assert moment_of(value, "America/New_York") == datetime(2026, 11, 1, hour, tzinfo=ZoneInfo("America/New_York"))
    assert moment_of(value, zone=None) is None


NO_TIMES: list[Any] = [
    None, True, False, 0, 5, -SECONDS, 10**10, 10**14, float("nan"), float("inf"), 1e300, 10**5000, [], {},
    b"2026-11-01", "", "now", "today", "2026", "2026-11", "10:00", "P1D", "2026-11-01/2026-11-02",
    "2026-11-01T10:00:00/P1D",
    "2026-11-31", "2026-02-29", "2026-11-01T25:00:00Z", "2026-11-01T10:60:00Z", "2026-11-01T10:00:00+99:99",
    "2026-11-01T10:00:00ZZ", "2026-11-01T10:00:00+02:00Z", "2026-11-01 10:00:00 CET", "2026-11-01T", "2026-11-01x",
    "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "99999-01-01T00:00:00Z",
    "Mon, 99 Foo 2026", "Mon, 99 Nov 2026 10:00:00 GMT", "Sun, 01 Nov 99999 10:00:00 GMT",
    "\u0662\u0660\u0662\u0666-11-01", "\udcff", "2026-11-01T10:00:00Z\0", "9" * 400, "2026-11-01T" + "1" * 5000,
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
    datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
]  # fmt: skip


@pytest.mark.parametrize("value", NO_TIMES, ids=range(len(NO_TIMES)))
def test_what_is_no_time(value: object) -> None:
    assert moment_of(value) is None


texts = st.text() | st.from_regex(r"\d{4}-?\d{2}-?\d{2}[Tt ]?[0-9:.,+Zz UTC-]*") | st.from_regex(r"\A[A-Z][a-z]{2}.*\Z")


@given(
    texts | st.integers() | st.floats() | st.none() | st.dates() | st.datetimes(timezones=st.none() | st.timezones())
)
def test_nothing_is_a_crash(value: Any) -> None:
    for moment in (
        moment_of(value),
        moment_of(value, "Asia/Tokyo"),
        http_date(value if isinstance(value, str) else None),
    ):
        assert moment is None or moment.utcoffset() == timedelta(0)


moments = st.datetimes(datetime(2002, 1, 1), datetime(2200, 1, 1), timezones=st.timezones())  # noqa: DTZ001


@given(moments)
def test_each_form_says_the_same(when: datetime) -> None:
    whole = when.replace(microsecond=0).astimezone(UTC)
    assert moment_of(when) == when.astimezone(UTC)
    assert moment_of(rfc3339(when.astimezone(UTC))) == when.astimezone(UTC)
    assert moment_of(f"{whole:%Y-%m-%d %H:%M:%S} UTC") == whole
    assert moment_of(format_datetime(whole)) == http_date(format_datetime(whole, usegmt=True)) == whole
    assert moment_of(whole.timestamp()) == moment_of(int(whole.timestamp()) * 1000) == whole


def test_how_a_moment_is_written() -> None:
    assert rfc3339(TEN) == "2026-11-01T10:00:00Z"
    assert rfc3339(TEN.astimezone(ZoneInfo("Europe/Berlin"))) == "2026-11-01T11:00:00+01:00"
    assert rfc3339(TEN.replace(microsecond=500_000)) == "2026-11-01T10:00:00.500000Z"


def test_now() -> None:
    assert abs(now().timestamp() - datetime.now(UTC).timestamp()) < 60
    assert now().tzname() == "UTC"
