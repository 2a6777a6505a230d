"""Dates and times in a request are written as each vendor takes them, and none is guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl._values.times import moment_of, now
from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.vendors.batchcom import check_period
from airflow_provider_batchdl.vendors.dates import written
from tests.client.helpers import vendor_at

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 10, 31)
FORMS: list[tuple[str, Any, str]] = [
    ("apartmentiq", DAY, "2026-10-31"),
    ("apartmentiq", pendulum.date(2026, 10, 31), "2026-10-31"),
    ("apartmentiq", datetime(2026, 10, 31, tzinfo=UTC), "2026-10-31"),
    ("apartmentiq", pendulum.datetime(2026, 10, 31, tz="Asia/Tokyo"), "2026-10-31"),
    ("apartmentiq", pendulum.naive(2026, 10, 31), "2026-10-31"),
    ("batchcom", DAY, "2026-10-31T00:00:00Z"),
    ("batchcom", datetime(2026, 10, 31, 7, 30, tzinfo=UTC), "2026-10-31T07:30:00Z"),
    ("batchcom", datetime(2026, 10, 31, 7, 30, tzinfo=BERLIN), "2026-10-31T07:30:00+01:00"),
    ("batchcom", pendulum.datetime(2026, 7, 1, 7, tz="America/New_York"), "2026-07-01T07:00:00-04:00"),
    ("batchcom", datetime(1900, 1, 1, tzinfo=timezone(timedelta(seconds=3208))), "1899-12-31T23:06:32Z"),
    ("proofy", DAY, "2026-10-31"),
    ("proofy", datetime(2026, 10, 31, 7, tzinfo=UTC), "2026-10-31T07:00:00Z"),
    ("revenuebase", DAY, "2026-10-31"),
]


def written_for(vendor: str, request: dict[str, Any]) -> dict[str, Any]:
    return written(vendor_at("http://127.0.0.1:1", vendor), request)


@pytest.mark.parametrize(("vendor", "value", "text"), FORMS, ids=str)
def test_however_deep(vendor: str, value: Any, text: str) -> None:
    request = {"a": value, "b": {"c": [value, {"d": value}], "e": (value, "x")}, "f": {value}, "n": 5, "z": None}
    assert written_for(vendor, request) == {
        "a": text, "b": {"c": [text, {"d": text}], "e": [text, "x"]}, "f": {text}, "n": 5, "z": None,
    }  # fmt: skip
    assert request["a"] is value


@given(
    value=st.recursive(
        st.none() | st.integers() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each)
    )
)
def test_what_is_no_date_stays(value: Any) -> None:
    assert written_for("batchcom", {"a": value}) == {"a": value}
    assert written_for("batchcom", {"a": "2026-10-31T07:00:00"}) == {"a": "2026-10-31T07:00:00"}


@pytest.mark.parametrize("vendor", ["batchcom", "proofy", "revenuebase"])
def test_a_time_without_a_zone_is_refused(vendor: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        written_for(vendor, {"period": [{"from": datetime(2026, 10, 31, 7)}]})  # noqa: DTZ001
    assert str(caught.value).startswith(
        "The request's period[0].from (2026-10-31 07:00:00) has no time zone: give it one, as "
        'pendulum.datetime(2026, 10, 31, tz="Europe/Berlin") has.'
    )


@pytest.mark.parametrize(
    "value",
    [
        pendulum.datetime(2026, 10, 31, tz="Europe/Berlin").in_timezone("UTC"),  # what Airflow makes of it
        datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2026, 10, 31, 7),  # noqa: DTZ001
        datetime(2026, 10, 31, microsecond=1, tzinfo=UTC),
    ],
)
def test_a_time_of_day_is_no_day(value: datetime) -> None:
    with pytest.raises(
        InvalidRequestError, match=r"start_date \(.*\) is a time, where the vendor takes days: give a date"
    ):
        written_for("apartmentiq", {"start_date": value})


def test_a_request_that_holds_itself() -> None:
    request: dict[str, Any] = {}
    request["a"] = [request]
    with pytest.raises(InvalidRequestError, match="holds itself"):
        written_for("batchcom", request)


def check(begin: Any, end: Any = "now") -> None:
    check_period(vendor_at("http://127.0.0.1:1", "batchcom"), {"from": begin, "to": end})


@pytest.mark.parametrize(
    "form", [str, lambda moment: f"{moment:%Y-%m-%d %H:%M:%S} UTC", lambda moment: int(moment.timestamp())]
)
def test_how_far_back(form: Any) -> None:
    check(form(now() - timedelta(days=90)))
    with pytest.raises(
        InvalidRequestError, match=r"is more than 90 days ago: Batch.com has nothing older\. .*Ask for 2"
    ):
        check(form(now() - timedelta(days=90, minutes=3)))


def test_a_period_that_has_no_length() -> None:
    at = now() - timedelta(days=1)
    check(str(at), str(at + timedelta(seconds=1)))
    for end in (at, at - timedelta(days=1)):
        with pytest.raises(InvalidRequestError, match="The request's period is empty"):
            check(str(at), str(end))


@pytest.mark.parametrize("value", [None, "now", "-7d", "", [], {}, 7])
def test_what_is_no_time_is_the_vendors_to_judge(value: Any) -> None:
    check(value)
    check(str(now() - timedelta(days=1)), value)


@given(st.datetimes(timezones=st.timezones()))
def test_the_moment_stays_the_same(when: datetime) -> None:
    text = written_for("batchcom", {"from": when})["from"]
    assert moment_of(text, zone=None) == moment_of(when)
