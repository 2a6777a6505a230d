"""Every job that newly succeeds is told once, whatever order jobs are made, listed and finished in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.polling.watermark import MARGIN, Watermark, believable
from airflow_provider_batchdl.vendors.listing import ListedJob

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
STATES = [JobState.RUNNING, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED]


def listed(name: str, state: JobState, minutes: float | None = 0.0) -> ListedJob:
    created = None if minutes is None else BEGIN + timedelta(minutes=minutes)
    return ListedJob(Job(name, state, state.value), created)


def stored(mark: Watermark) -> Watermark:
    return Watermark.from_dict(json.loads(json.dumps(mark.to_dict())))


# A job: when it was made and how long it runs, both in minutes, and how it ends.
lives = st.tuples(st.integers(0, 3000), st.integers(0, 2000), st.sampled_from(STATES[1:]))


@given(
    st.lists(lives, max_size=30),
    st.lists(st.integers(1, 400), min_size=1, max_size=30),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_exactly_once(jobs: list[tuple[int, int, JobState]], pauses: list[int], dated: bool, chance: object) -> None:
    now, told = 0, list[str]()
    mark: Watermark | None = None
    known, expected = set[str](), set[str]()
    for pause in [0, *pauses]:
        now += pause
        view = [
            listed(str(number), end if made + runs <= now else JobState.RUNNING, made if dated else None)
            for number, (made, runs, end) in enumerate(jobs)
            if made <= now
        ]
        chance.shuffle(view)  # type: ignore[attr-defined]
        if mark is None:
            mark = Watermark()
            mark.news(view)
            known = {each.job.id for each in view if each.job.state.is_terminal}
        else:
            mark = stored(mark)  # a restart between any two polls
            told += [job.id for job in mark.news(view)]
        expected = {each.job.id for each in view if each.job.state is JobState.SUCCEEDED} - known
    assert sorted(told) == sorted(expected)


def test_a_job_that_shows_in_the_list_a_little_later_than_younger_ones_is_told() -> None:
    mark = Watermark()
    mark.news([listed("young", JobState.SUCCEEDED, minutes=50)])
    assert [job.id for job in mark.news([listed("young", JobState.SUCCEEDED, 50), listed("late", STATES[1], 5)])] == [
        "late"
    ]


def test_what_is_remembered_stays_small() -> None:
    mark = Watermark()
    day = [listed(str(number), JobState.SUCCEEDED, minutes=number) for number in range(10_000)]
    mark.news(day)
    assert len(mark.ended) <= MARGIN / timedelta(minutes=1) + 1
    assert not mark.news(day)


def test_departed_jobs_are_looked_for_until_they_have_left() -> None:
    mark = Watermark()
    assert not mark.departed([listed("a", JobState.RUNNING), listed("b", JobState.RUNNING)])
    mark = stored(mark)
    assert mark.departed([listed("b", JobState.RUNNING), listed("c", JobState.RUNNING)]) == {"a"}
    assert mark.departed([listed("b", JobState.RUNNING), listed("c", JobState.RUNNING)]) == {"a"}
    mark.active.discard("a")
    assert mark.departed([]) == {"b", "c"}


NOW = BEGIN + timedelta(days=20)
ODD_DATES = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    datetime(1969, 12, 31, tzinfo=UTC),
    datetime(2100, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=14))),
    datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC),
]


@pytest.mark.parametrize("date", ODD_DATES)
def test_a_job_with_a_date_that_cannot_be_true_hides_no_other_and_is_told_once(date: datetime) -> None:
    odd, mark = ListedJob(Job("odd", JobState.SUCCEEDED, "done"), date), Watermark()
    assert [job.id for job in mark.news([odd], NOW)] == ["odd"]
    for number in range(3):
        mark = stored(mark)
        jobs = [odd, *(listed(str(each), JobState.SUCCEEDED, each * 100) for each in range(number + 1))]
        assert [job.id for job in mark.news(jobs, NOW)] == [str(number)]


def test_a_watermark_that_a_job_dated_2100_led_astray_comes_back() -> None:
    """Older versions stored it. What is new afterwards is told, and nothing that was known is told again."""
    bad = {"horizon": "2099-12-31T23:00:00+00:00", "active": ["running"], "ended": ["odd"]}
    mark = Watermark.from_dict(bad, NOW)
    odd = ListedJob(Job("odd", JobState.SUCCEEDED, "done"), datetime(2100, 1, 1, tzinfo=UTC))
    known = [odd, *(listed(str(each), JobState.SUCCEEDED, each * 100) for each in range(5))]
    ended = listed("running", JobState.SUCCEEDED, 50)
    assert [job.id for job in mark.news([*known, ended], NOW)] == ["running"]
    mark = stored(mark)
    new = listed("new", JobState.SUCCEEDED, 700)
    assert [job.id for job in mark.news([*known, ended, new], NOW)] == ["new"]


@given(st.datetimes(timezones=st.none() | st.timezones()))
def test_any_date(date: datetime) -> None:
    made = believable(date, NOW)
    assert made is None or (made - MARGIN).utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_utc() -> None:
    assert believable(BEGIN.replace(tzinfo=None), NOW) == BEGIN


def test_a_job_dated_hours_ahead_hides_none_that_is_made_until_then() -> None:
    """A vendor may give the time of its own zone as UTC."""
    ahead = listed("ahead", JobState.RUNNING, 14 * 60)
    mark = Watermark()
    mark.news([ahead], BEGIN)
    mark = stored(mark)
    soon = listed("soon", JobState.SUCCEEDED, 90)
    assert [job.id for job in mark.news([ahead, soon], BEGIN + timedelta(hours=2))] == ["soon"]
    assert stored(mark).news([ahead, soon], BEGIN + timedelta(hours=3)) == []
