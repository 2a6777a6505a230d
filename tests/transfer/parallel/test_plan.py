"""Who fetches what: every byte once, whatever the order in which connections work."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.transfer.parallel import plan
from airflow_provider_batchdl.transfer.parallel.plan import Plan, Span, gaps, merged

INTERVALS = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), max_size=8)


@given(INTERVALS)
def test_merged_intervals_hold_the_same_bytes_in_order_and_apart(intervals: list[tuple[int, int]]) -> None:
    found = merged(intervals)
    assert {at for interval in found for at in range(*interval)} == {at for each in intervals for at in range(*each)}
    assert all(first < last for first, last in found)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(found))


@given(INTERVALS, st.integers(0, 1000))
def test_gaps_are_what_is_missing(intervals: list[tuple[int, int]], total: int) -> None:
    here = {at for interval in intervals for at in range(*interval)}
    missing = {at for gap in gaps(intervals, total) for at in range(*gap)}
    assert missing == set(range(total)) - here


@pytest.mark.parametrize("ahead", [None, 300])
@given(data=st.data(), total=st.integers(0, 1000), landed=INTERVALS)
def test_every_byte_is_fetched_once(
    ahead: int | None, data: st.DataObject, total: int, landed: list[tuple[int, int]]
) -> None:
    """Connections take turns as they like, give up in the middle, and take again."""
    inside = [(min(first, total), min(last, total)) for first, last in landed]
    if ahead is not None:
        inside = [(0, inside[0][1])] if inside and not inside[0][0] else []  # such a shelf has no islands
    smallest = plan.SMALLEST_SHARE
    plan.SMALLEST_SHARE = 4
    try:
        put = _fetched(Plan(total, inside, piece=50, ahead=ahead), data)
    finally:
        plan.SMALLEST_SHARE = smallest
    here = {at for interval in inside for at in range(*interval)}
    assert sorted(put) == sorted(set(range(total)) - here)


def _fetched(one: Plan, data: st.DataObject) -> list[int]:
    put: list[int] = []
    active: list[Span] = []
    for _ in range(5000):
        one.took(one.prefix)
        span = one.take(wait=False) if len(active) < 4 else None
        if span is not None:
            active.append(span)
        if not active:
            break
        span = data.draw(st.sampled_from(active), label="whose turn")
        count = one.claim(span, data.draw(st.integers(1, 200), label="bytes"))
        put += range(span.at, span.at + count)
        one.put(span, count)
        if span.at >= span.end or data.draw(st.integers(0, 9), label="gives up") == 0:
            active.remove(span)
            one.leave(span)
    assert one.prefix == one.total
    assert one.landed == (((0, one.total),) if one.total else ())
    return put


def test_nothing_is_handed_out_too_far_ahead_of_the_reader() -> None:
    one = Plan(1000, piece=100, ahead=200)
    assert [(span.start, span.end) for span in (one.take(), one.take()) if span] == [(0, 100), (100, 200)]
    assert one.take(wait=False) is None
    one.took(100)
    third = one.take()
    assert third is not None
    assert (third.start, third.end) == (200, 300)


def test_what_one_has_left_is_divided_while_it_is_worth_a_request() -> None:
    one = Plan(10 * plan.SMALLEST_SHARE)
    first = one.take()
    second = one.take()
    assert first is not None
    assert second is not None
    assert first.end == second.start == 5 * plan.SMALLEST_SHARE
    third = one.take()
    assert third is not None
    assert third.end - third.start >= plan.SMALLEST_SHARE
    for _ in range(20):
        if one.take() is None:
            return
    raise AssertionError("shares without end")


def test_a_stopped_plan_hands_out_nothing() -> None:
    one = Plan(100)
    one.stop()
    assert one.take() is None
