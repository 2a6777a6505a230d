"""One account's requests are spread evenly, and no window ever holds more than its limit."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.triggers.pace import KEPT_BACK, SHARE, Pace
from airflow_provider_batchdl.vendors.base import RateLimit
from airflow_provider_batchdl.vendors.revenuebase import Revenuebase

limits = st.lists(st.builds(RateLimit, st.integers(1, 200), st.floats(0.5, 600)), min_size=1, max_size=3)


def times(pace: Pace, idle: list[float], urgent: list[bool] | None = None) -> list[float]:
    """When requests go that come as soon as they may, each after an idle time."""
    now, sent = 1000.0, []
    for number, pause in enumerate(idle):
        now += pause
        now += pace.wait(now, urgent=urgent is not None and urgent[number])
        pace.spend(now)
        sent.append(now)
    return sent


@given(limits, st.lists(st.tuples(st.floats(0, 30), st.booleans()), min_size=1, max_size=120))
def test_no_window_holds_more_than_the_limit(rates: list[RateLimit], asked: list[tuple[float, bool]]) -> None:
    sent = times(Pace(rates), [pause for pause, _ in asked], [urgent for _, urgent in asked])
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


@pytest.mark.parametrize("requests", [60, 25])
def test_an_urgent_request_goes_at_once_however_busy_the_account_is_and_routine_pays_for_it(requests: int) -> None:
    pace, every = Pace([RateLimit(requests, 60.0)]), 60.0 / requests / SHARE
    now = times(pace, [0.0] * 400)[-1]
    spare = min(KEPT_BACK, int(requests * (1 - SHARE)) - 1)
    for _ in range(spare):
        assert pace.wait(now, urgent=True) == 0.0
        pace.spend(now)
    assert pace.wait(now, urgent=True) == pytest.approx(every)
    assert pace.wait(now) == pytest.approx(every * (1 + spare))


def test_turns_are_taken_in_the_order_of_arrival_and_the_urgent_go_first() -> None:
    went: list[str] = []

    async def take(pace: Pace, name: str, *, urgent: bool = False) -> None:
        await pace.turn(urgent=urgent)
        went.append(name)

    async def take_them() -> None:
        pace = Pace([RateLimit(30, 0.6)])
        await pace.turn()
        async with asyncio.TaskGroup() as group:
            for name in "abcd":
                group.create_task(take(pace, name))
            group.create_task(take(pace, "urgent", urgent=True))

    asyncio.run(take_them())
    assert went == ["urgent", "a", "b", "c", "d"]


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
