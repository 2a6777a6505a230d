"""Polls are frequent while a job is young and near its usual end, and rarer in between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.polling.interval import SHARE_OF_AGE, UsualDuration, interval, longest_by_default

ages = st.floats(0, 1e6)
bounds = st.floats(0.1, 1000)


@given(ages, st.none() | ages, bounds, bounds)
def test_it_stays_within_its_bounds(age: float, usual: float | None, shortest: float, longest: float) -> None:
    assert shortest <= interval(age, usual, shortest, longest) <= max(shortest, longest)


@given(ages, ages, bounds)
def test_it_never_leaps_over_the_usual_end(age: float, usual: float, shortest: float) -> None:
    if age < usual:
        assert age + interval(age, usual, shortest, 1e9) <= max(usual, age + shortest)


@given(ages, st.none() | ages, bounds)
def test_a_poll_is_late_by_a_small_share_of_the_jobs_age(age: float, usual: float | None, shortest: float) -> None:
    assert interval(age, usual, shortest, 1e9) <= max(shortest, age * SHARE_OF_AGE)


def test_the_course_of_a_long_job() -> None:
    polls = [interval(age, 3600.0, 10.0, 80.0) for age in (0, 50, 600, 1800, 3500, 3590, 3600, 3700, 5000)]
    assert polls == [10, 10, 60, 80, 10, 10, 10, 10, 80]


@given(bounds)
def test_the_default_maximum_is_no_less_than_the_minimum(shortest: float) -> None:
    assert shortest <= longest_by_default(shortest) <= max(shortest, 300.0)


def test_the_usual_duration_is_the_median_of_a_few() -> None:
    usual = UsualDuration()
    usual.note(10.0)
    usual.note(12.0)
    medians = [usual.median]
    usual.note(500.0)
    medians.append(usual.median)
    for _ in range(100):
        usual.note(30.0)
    assert [*medians, usual.median] == [None, 12.0, 30.0]
