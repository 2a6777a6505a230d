"""Reading how long a server asks to wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.vendors.retry_after import LONGEST_ASKED, asked_wait, duration, retry_after

NOW = datetime(2026, 7, 7, 12, 0, 0, tzinfo=UTC)
UNIX = NOW.timestamp()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "5, 10, 7"}, 10.0),  # three headers
        ({"retry-after": "1m0s"}, 60.0),  # as GitHub's was (urllib3#1822)
        ({"retry-after": "1m, 90s"}, 90.0),
        ({"x-ratelimit-reset-after": "6m0s"}, 360.0),
        *[
            ({"retry-after": text}, 120.0)
            for text in (
                "120,60",
                "60 ,120",
                "60,\t120",
                "120,",
                ", 120",
                "Tue, 07 Jul 2026 12:02:00 GMT,60",
                "Tue, 07 Jul 2026 12:01:00 GMT, Tuesday, 07-Jul-26 12:02:00 GMT",
            )
        ],
        *[({"retry-after": text}, None) for text in ("5, soon", "5,-1", "5,99999999", ",", "1;2")],
        ({"x-ratelimit-reset": f"{UNIX + 3},{UNIX + 5}"}, 5.0),
        ({"x-ratelimit-reset-after": "3,5"}, 5.0),
        ({"retry-after": "Tue, 07 Jul 2026 12:01:00 GMT"}, 60.0),
        ({"retry-after": "Tuesday, 07-Jul-26 12:01:00 GMT"}, 60.0),
        ({"retry-after": "Tue Jul  7 12:01:00 2026"}, 60.0),
        ({"retry-after": "Tue, 07 Jul 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Tue, 07 Jul 2026 14:01:00 +0200"}, 60.0),
        ({"x-ratelimit-reset-after": "30"}, 30.0),
        ({"x-ratelimit-reset": str(int(UNIX) + 45)}, 45.0),
        ({"x-ratelimit-reset": str(int(UNIX) - 45)}, 0.0),
        ({"retry-after": "1", "x-ratelimit-reset-after": "2", "x-ratelimit-reset": str(UNIX + 3)}, 1.0),
        # The length of the window, not what is left of it.
        ({"x-ratelimit-reset-after": "300", "x-ratelimit-reset": str(UNIX + 3)}, 3.0),
        ({"retry-after": "soon", "x-ratelimit-reset": str(UNIX + 3)}, 3.0),
        ({"x-ratelimit-reset": "30", "x-ratelimit-reset-after": "300"}, 300.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, None),
        ({"retry-after": "31536000"}, None),
        ({"retry-after": "999999999999"}, None),
        ({"retry-after": "86400"}, 86_400.0),
        ({"retry-after": "31536000", "x-ratelimit-reset": str(UNIX + 3)}, 3.0),
        ({"x-ratelimit-reset": "253402300799"}, None),
        ({"x-ratelimit-reset-after": "99999999"}, None),
        ({"retry-after": "\u0661\u0662"}, None),
        *[
            ({name: junk}, None)
            for name in ("retry-after", "x-ratelimit-reset-after", "x-ratelimit-reset")
            for junk in ("", "-5", "nan", "inf", "1e9", "0x10", "1,b", "9" * 400, "١٢" * 20, "Mon, 99 Foo 2026", "()")
        ],
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == (None if seconds is None else pytest.approx(seconds))


@given(st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1)))  # noqa: DTZ001 hypothesis wants naive bounds
def test_any_http_date(when: datetime) -> None:
    when = when.replace(microsecond=0, tzinfo=UTC)
    expected = max(0.0, (when - NOW) / timedelta(seconds=1))
    asked = retry_after({"retry-after": format_datetime(when, usegmt=True)}, NOW)
    assert asked == (pytest.approx(expected) if expected <= LONGEST_ASKED else None)


@pytest.mark.parametrize("skew", [timedelta(hours=-3), timedelta(minutes=2), timedelta(days=400)])
@pytest.mark.parametrize("name", ["retry-after", "x-ratelimit-reset"])
def test_a_moment_is_measured_by_the_servers_own_clock(skew: timedelta, name: str) -> None:
    theirs = NOW + skew
    until = theirs + timedelta(seconds=40)
    text = format_datetime(until, usegmt=True) if name == "retry-after" else str(int(until.timestamp()))
    assert retry_after({name: text, "date": format_datetime(theirs, usegmt=True)}, NOW) == pytest.approx(40.0)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026", "\udcff"])
def test_without_a_date_that_makes_sense_it_is_ours(date: str) -> None:
    assert retry_after({"x-ratelimit-reset": str(UNIX + 40), "date": date}, NOW) == pytest.approx(40.0)


@given(st.text(), st.sampled_from(["retry-after", "x-ratelimit-reset-after", "x-ratelimit-reset"]))
def test_no_text_is_a_crash(text: str, name: str) -> None:
    seconds = retry_after({name: text})
    assert seconds is None or 0 <= seconds <= LONGEST_ASKED


def test_header_names_are_of_any_case() -> None:
    assert retry_after(httpx.Headers({"RETRY-AFTER": "5"})) == 5.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1m30s", 90.0),
        ("6ms", 0.006),
        ("1h2m3.5s", 3723.5),
        ("20", 20.0),
        ("0", 0.0),
        (" 1s ", 1.0),
        ("6m0s", 360.0),
        ("1d", 86_400.0),
        ("2h", 7200.0),
        ("250us", 0.00025),
        ("250\u00b5s", 0.00025),
        ("250\u03bcs", 0.00025),
        ("1s500ms", 1.5),
        ("10ns", 1e-8),
        ("1.5h", 5400.0),
    ],
)
def test_a_duration(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", " ", "s", "soon", "-1s", "+1s", "1s1m", "1s1s", "1 m", "1m 30s", "1e3s", "nan", "inf", "1x", "1ms1s", ".5s",
     "1.s", "\u0661s", "1M", "1S", "1m30", "1,5s", "9" * 400 + "s", "1s\n\n1s"],
)  # fmt: skip
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        duration(text)


UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


@given(st.dictionaries(st.sampled_from(list(UNITS)), st.integers(0, 10**9), min_size=1), st.integers(0, 999))
def test_any_duration(parts: dict[str, int], thousandths: int) -> None:
    ordered = [(unit, parts[unit]) for unit in UNITS if unit in parts]
    last, number = ordered[-1]
    text = "".join(f"{each}{unit}" for unit, each in ordered[:-1]) + f"{number}.{thousandths:03d}{last}"
    expected = sum(each * UNITS[unit] for unit, each in ordered) + thousandths / 1000 * UNITS[last]
    assert duration(text) == pytest.approx(expected)


@given(st.text(alphabet="0123456789.dhmsnu\u00b5 -+e", max_size=12) | st.text())
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        seconds = duration(text)
    except ValueError:
        return
    assert 0 <= seconds < 1e18


@pytest.mark.parametrize("found", [float("nan"), float("inf"), "5", None, LONGEST_ASKED + 1, -LONGEST_ASKED - 1, [1]])
def test_nonsense_of_a_vendors_own_reader_counts_as_nothing(found: object) -> None:
    assert asked_wait(lambda _: found, {}) is None


def test_nor_does_an_error_of_it_reach_anybody() -> None:
    assert asked_wait(lambda headers: headers["x"], {}) is None
    assert (asked_wait(lambda _: -1, {}), asked_wait(lambda _: 2, {})) == (0.0, 2.0)
