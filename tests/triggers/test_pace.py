"""One account's requests are spread evenly, and no window ever holds more than its limit."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.triggers.pace import SHARE, Pace
from airflow_provider_batchdl.vendors.base import RateLimit
from airflow_provider_batchdl.vendors.revenuebase import Revenuebase

limits = st.lists(st.builds(RateLimit, st.integers(1, 200), st.floats(0.5, 600)), min_size=1, max_size=3)


def times(pace: Pace, idle: list[float]) -> list[float]:
    """When requests go that come as soon as they may, each after an idle time."""
    now, sent = 1000.0, []
    for pause in idle:
        now += pause
        now += pace.wait(now)
        pace.spend(now)
        sent.append(now)
    return sent


@given(limits, st.lists(st.floats(0, 30), min_size=1, max_size=120))
def test_no_window_holds_more_than_the_limit(rates: list[RateLimit], idle: list[float]) -> None:
    sent = times(Pace(rates), idle)
    for limit in rates:
        for first, beyond in zip(sent, sent[limit.requests :], strict=False):
            assert beyond - first >= limit.seconds * (1 - 1e-9)


@given(st.builds(RateLimit, st.integers(1, 200), st.floats(0.5, 600)))
def test_whoever_always_asks_gets_most_of_the_limit_evenly(limit: RateLimit) -> None:
    sent = times(Pace([limit]), [0.0] * 400)
    every = limit.seconds / limit.requests / SHARE
    assert sent[-1] - sent[0] <= 400 * every
    late = [later - earlier for earlier, later in pairwise(sent[200:])]
    assert max(late) == pytest.approx(min(late), rel=1e-3)


def test_nothing_goes_while_the_account_is_held() -> None:
    pace = Pace([RateLimit(1000, 1.0)])
    pace.hold(50.0)
    pace.hold(20.0)
    assert pace.wait(10.0) == 40.0
    assert pace.wait(50.0) == 0.0


def test_where_there_is_no_limit_nothing_waits() -> None:
    assert Pace([]).wait(3.0) == 0.0


def test_a_days_limit_is_kept_too() -> None:
    """10,000 requests a day: at the 60 a minute that are also allowed they would be gone before three hours."""
    pace = Pace(Revenuebase.rate_limits)
    assert len([at for at in times(pace, [0.0] * 12_000) if at < 1000.0 + 86_400]) <= 10_000
