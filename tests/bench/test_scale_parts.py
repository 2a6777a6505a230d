"""What the scale run is judged by."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from bench.scale import document, ideal, plan
from bench.scale.__main__ import QUICK, Times
from bench.scale.lines import densest, lag_lines, limit_lines, loss_lines, quantile
from bench.scale.outcome import Outcome
from bench.scale.plan import ACCOUNTS, Account, End
from bench.scale.spent import Spent
from bench.scale.triggerer import Cost

SMALL = {name: account for name, account in ACCOUNTS.items() if not account.ended}
LARGE = {"proofy": ACCOUNTS["proofy"]}
KILLED = 255.0


def test_the_ends_are_the_same_for_a_seed_and_each_job_ends_once() -> None:
    at_once = plan.ended_at_once(ACCOUNTS, seed=1)
    taken = frozenset((end.account, end.index) for end in at_once)
    early = plan.ends(ACCOUNTS, 60, 200, seed=1, but=taken)
    taken |= {(end.account, end.index) for end in early}
    late = plan.ends(ACCOUNTS, 200, 260, seed=2, but=taken)
    assert early == plan.ends(ACCOUNTS, 60, 200, seed=1, but=frozenset((end.account, end.index) for end in at_once))
    assert all(60 <= end.at <= 200 for end in early)
    jobs = [(end.account, end.index) for end in [*at_once, *early, *late]]
    assert len(set(jobs)) == len(jobs)


def test_ten_thousand_wait_in_four_equal_accounts_and_a_few_more_in_a_small_one() -> None:
    assert [account.waits for account in ACCOUNTS.values()] == [2_500] * 4 + [40]
    assert len({account.vendor for account in ACCOUNTS.values()}) == 4


@pytest.mark.parametrize("name", ["batchcom", "apartmentiq"])
def test_the_ideal_client_of_a_paged_list_sees_each_end_within_a_round(name: str) -> None:
    account = ACCOUNTS[name]
    ends = [end for end in plan.ends(ACCOUNTS, 60, 600, seed=3) if end.account == name]
    period = -(-account.waits // plan.PAGE) / plan.per_second(account.vendor)
    lags = ideal.lags(account, ends)
    assert min(lags) >= 0
    assert max(lags) <= period
    assert quantile(lags, 0.5) == pytest.approx(period / 2, rel=0.1)


def test_the_ideal_client_without_a_list_goes_round() -> None:
    account = ACCOUNTS["proofy_small"]
    lags = ideal.lags(account, [End("proofy_small", index, 100.0 + index) for index in range(5)])
    period = account.waits / plan.per_second("proofy")
    assert 0 <= min(lags) <= max(lags) <= period
    assert quantile(lags, 0.5) == pytest.approx(period / 2, rel=0.4)


def test_the_ideal_client_of_an_active_list_needs_two_requests_for_an_end() -> None:
    account, slot = ACCOUNTS["revenuebase"], 1 / plan.per_second("revenuebase")
    alone = ideal.lags(account, [End("revenuebase", 1, 100.0)])
    assert slot <= min(alone) <= max(alone) <= 2 * slot
    together = ideal.lags(account, [End("revenuebase", index, 100.0) for index in range(5)])
    assert max(together) == pytest.approx(max(alone) + 4 * slot)


def test_the_densest_window() -> None:
    assert densest([0.0, 1.0, 59.0, 60.0, 61.0], 60.0) == 3
    assert densest([], 60.0) == 0


def test_quantiles() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([3.0, 1.0, 2.0], 0.99) == 3.0
    assert quantile([], 0.5) == float("inf")


def outcome(accounts: dict[str, Account], ends: list[End], lag: float) -> Outcome:
    ids = {name: [f"{name}-{index}" for index in range(account.waits)] for name, account in accounts.items()}
    events: dict[str, tuple[str, str | None, float]] = {
        ids[end.account][end.index]: ("ended", None, end.at + lag) for end in ends
    }
    return Outcome(events=events, ids=ids, killed=KILLED, ended=500.0)


def test_a_late_a_lost_and_a_made_up_event_are_seen() -> None:
    ends = plan.ends(SMALL, 60, 200, seed=1)
    assert all(line.holds for line in lag_lines(outcome(SMALL, ends, 0.5), SMALL, ends))
    assert not any(line.holds for line in lag_lines(outcome(SMALL, ends, 500.0), SMALL, ends))
    whole = outcome(SMALL, ends, 1.0)
    assert all(line.holds for line in loss_lines(whole, SMALL, ends))
    assert not loss_lines(whole, SMALL, ends[1:])[1].holds
    del whole.events[whole.ids[ends[0].account][ends[0].index]]
    assert not loss_lines(whole, SMALL, ends)[0].holds


def going_round(seconds_a_look: float, order: list[int], ends: list[End]) -> Outcome:
    """A run in which the jobs of a large account were looked at in this order, and each end told at once."""
    found = outcome(LARGE, [], 0.0)
    ended = {end.index for end in ends}
    for turn, index in enumerate(order, start=1):
        at, job_id = turn * seconds_a_look, found.ids["proofy"][index]
        if at > KILLED:
            break
        found.requests.append((at, "proofy", "status", 200, f"/batch/{job_id}"))
        if index in ended:
            found.events[job_id] = ("ended", None, at)
    return found


def test_where_a_round_takes_hours_pace_and_order_are_judged() -> None:
    ends = plan.ended_at_once(LARGE, seed=1)
    everyone = list(range(2_500))
    good = lag_lines(going_round(2.7, everyone, ends), LARGE, ends)
    assert all(line.holds for line in good)
    assert "50 min" in good[0].bound
    too_slow = lag_lines(going_round(4.0, everyone, ends), LARGE, ends)
    assert [line.holds for line in too_slow] == [False, True, True, False]
    some_twice = lag_lines(going_round(2.7, [index // 2 for index in everyone], ends), LARGE, ends)
    assert [line.holds for line in some_twice][2] is False


def test_where_a_round_takes_hours_an_event_is_due_once_the_vendor_reported() -> None:
    ends = plan.ended_at_once(LARGE, seed=1)
    found = going_round(2.7, list(range(2_500)), ends)
    assert all(line.holds for line in loss_lines(found, LARGE, ends))
    del found.events[next(iter(found.events))]
    assert not loss_lines(found, LARGE, ends)[0].holds


def test_too_many_requests_are_seen() -> None:
    busy = Outcome(requests=[(second * 0.9, "revenuebase", "list", 200, "/batches") for second in range(100)])
    lines = limit_lines(busy, ACCOUNTS)
    assert [line.holds for line in lines if line.what.startswith("revenuebase")] == [False, True]
    refused = Outcome(requests=[(1.0, "proofy", "status", 429, "/batch/1")])
    assert not limit_lines(refused, ACCOUNTS)[-1].holds


def test_what_a_triggerer_spent_is_that_of_both_processes() -> None:
    costs = [Cost(float(at), 0.1 * at, 100.0 + at, 0.2 * at, 200.0, 0.3 * at) for at in range(-5, 30)]
    spent = Spent.of(Outcome(costs=[costs], ids={"proofy": ["1", "2", "3", "4", "5"]}), until=20.0)
    assert spent.cpu == pytest.approx(0.3)
    assert spent.database_cpu == pytest.approx(0.3)
    assert spent.mib == 320.0
    assert spent.taking == pytest.approx(0.5)


def test_an_outcome_can_be_kept(tmp_path: Path) -> None:
    kept = outcome(SMALL, plan.ends(SMALL, 60, 200, seed=1), 1.0)
    kept.costs = [[Cost(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)]]
    kept.save(tmp_path / "outcome.json")
    again = Outcome.load(tmp_path / "outcome.json")
    assert again.costs == kept.costs
    assert {job_id: tuple(event) for job_id, event in again.events.items()} == kept.events


def test_times_are_in_order() -> None:
    for times in (Times(), QUICK):
        order = [0, times.measured, times.late, times.killed, times.ended, times.drained]
        assert all(earlier < later for earlier, later in pairwise(order))


def test_the_page_holds_a_run_in_which_every_line_was_met() -> None:
    page = (Path(__file__).parents[2] / document.PAGE).read_text()
    measured = page.partition(document.BEGIN)[2].partition(document.END)[0]
    assert "10,040 waits" in measured
    assert re.search(r"\| events lost of \d+, the triggerer killed halfway \| 0 \| 0 \|", measured)
