"""What the scale run is judged by."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.bench.scale import document, ideal, plan
from tests.bench.scale.lines import densest, lag_lines, limit_lines, loss_lines, quantile
from tests.bench.scale.measure import Outcome


def test_the_ends_are_the_same_for_a_seed_and_each_job_ends_once() -> None:
    early = plan.ends(60, 200, seed=1)
    taken = frozenset((end.vendor, end.index) for end in early)
    late = plan.ends(200, 260, seed=2, but=taken)
    assert early == plan.ends(60, 200, seed=1)
    assert all(60 <= end.at <= 200 for end in early)
    jobs = [(end.vendor, end.index) for end in [*early, *late]]
    assert len(set(jobs)) == len(jobs)
    assert sum(plan.WAITS.values()) == 10_000


@pytest.mark.parametrize("vendor", ["batchcom", "apartmentiq"])
def test_the_ideal_client_of_a_paged_list_sees_each_end_within_a_round(vendor: str) -> None:
    ends = plan.ends(60, 600, seed=3)
    period = -(-plan.WAITS[vendor] // plan.PAGE) / plan.per_second(vendor)
    lags = ideal.lags(vendor, [end for end in ends if end.vendor == vendor])
    assert min(lags) >= 0
    assert max(lags) <= period
    assert quantile(lags, 0.5) == pytest.approx(period / 2, rel=0.1)


def test_the_ideal_client_without_a_list_goes_round() -> None:
    lags = ideal.lags("proofy", [plan.End("proofy", index, 100.0 + index) for index in range(5)])
    period = plan.WAITS["proofy"] / plan.per_second("proofy")
    assert 0 <= min(lags) <= max(lags) <= period
    assert quantile(lags, 0.5) == pytest.approx(period / 2, rel=0.4)


def test_the_ideal_client_of_an_active_list_needs_two_requests_for_an_end() -> None:
    slot = 1 / plan.per_second("revenuebase")
    alone = ideal.lags("revenuebase", [plan.End("revenuebase", 1, 100.0)])
    assert slot <= min(alone) <= max(alone) <= 2 * slot
    together = ideal.lags("revenuebase", [plan.End("revenuebase", index, 100.0) for index in range(5)])
    assert max(together) == pytest.approx(max(alone) + 4 * slot)


def test_the_densest_window() -> None:
    assert densest([0.0, 1.0, 59.0, 60.0, 61.0], 60.0) == 3
    assert densest([], 60.0) == 0


def test_quantiles() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([3.0, 1.0, 2.0], 0.99) == 3.0


def outcome(ends: list[plan.End], lag: float) -> Outcome:
    ids = {vendor: [f"{vendor}-{index}" for index in range(number)] for vendor, number in plan.WAITS.items()}
    events: dict[str, tuple[str, str | None, float]] = {
        ids[end.vendor][end.index]: ("ended", None, end.at + lag) for end in ends
    }
    return Outcome(events=events, ids=ids)


def test_a_late_a_lost_and_a_made_up_event_are_seen() -> None:
    ends = plan.ends(60, 200, seed=1)
    assert all(line.holds for line in lag_lines(outcome(ends, 0.5), ends))
    assert not any(line.holds for line in lag_lines(outcome(ends, 500.0), ends))
    whole = outcome(ends, 1.0)
    assert all(line.holds for line in loss_lines(whole, ends))
    assert not loss_lines(whole, ends[1:])[1].holds
    del whole.events[whole.ids[ends[0].vendor][ends[0].index]]
    assert not loss_lines(whole, ends)[0].holds


def test_too_many_requests_are_seen() -> None:
    busy = Outcome(requests=[(second * 0.9, "revenuebase", "list", 200) for second in range(100)])
    assert [line.holds for line in limit_lines(busy) if line.what.startswith("revenuebase")] == [False, True]
    refused = Outcome(requests=[(1.0, "proofy", "status", 429)])
    assert not limit_lines(refused)[-1].holds


def test_times_are_in_order() -> None:
    from tests.bench.scale.__main__ import QUICK, Times

    for times in (Times(), QUICK):
        order = [0, times.warm, times.measured, times.late, times.killed, times.ended, times.drained]
        assert all(earlier < later for earlier, later in pairwise(order))


def test_the_page_holds_a_run_in_which_every_line_was_met() -> None:
    page = (Path(__file__).parents[3] / document.PAGE).read_text()
    measured = page.partition(document.BEGIN)[2].partition(document.END)[0]
    assert "10,000 waits" in measured
    assert "| events lost, the process killed halfway | 0 | 0 |" in measured
