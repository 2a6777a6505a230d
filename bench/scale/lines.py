"""The lines that must hold, each with what was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_batchdl.vendors import vendor_class
from bench.scale import ideal
from bench.scale.outcome import Outcome
from bench.scale.plan import Account, End, per_second

MOST_CPU = 0.15
MOST_KIB = 20.0
MEDIAN_FACTOR, P99_FACTOR = 1.5, 3.0
QUANTILES = (("median", 0.5, MEDIAN_FACTOR), ("p99", 0.99, P99_FACTOR))
# Seconds that Airflow may take to hand on what a look has shown.
HANDED_ON = 20.0


@dataclass(frozen=True)
class Line:
    """Something that must hold."""

    what: str
    measured: str
    bound: str
    holds: bool


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` of all do not exceed; infinite where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")


def lags(outcome: Outcome, ends: Iterable[End]) -> list[float]:
    """Seconds from each end to its event."""
    pairs = [(end, outcome.events.get(outcome.ids[end.account][end.index])) for end in ends]
    return [event[2] - end.at for end, event in pairs if event is not None]


def lag_lines(outcome: Outcome, accounts: Mapping[str, Account], ends: Sequence[End]) -> list[Line]:
    """The lag of each account's events against the best that its limit allows."""
    found = []
    for name, account in accounts.items():
        own = [end for end in ends if end.account == name]
        if account.ended:
            found += round_lines(outcome, name, account, own)
            continue
        ours, best = lags(outcome, own), ideal.lags(account, own)
        for quantity, share, factor in QUANTILES:
            measured, bound = quantile(ours, share), factor * quantile(best, share)
            text = f"{bound:.1f} s ({factor} times {quantile(best, share):.1f} s)"
            what = f"{name}: {quantity} lag, {len(ours)} of {len(own)} ends"
            found.append(Line(what, f"{measured:.1f} s", text, measured <= bound))
    return found


def round_lines(outcome: Outcome, name: str, account: Account, own: Sequence[End]) -> list[Line]:
    """The same for an account whose round is longer than the run: by its pace, by its order, by what came so far."""
    assert outcome.killed is not None
    polls = Counter(path for at, whose, what, _, path in outcome.requests if _is_poll(at, whose, what, name, outcome))
    pace = polls.total() / outcome.killed
    best = ideal.lags(account, list(own))
    found = []
    for quantity, share, factor in QUANTILES:
        ideally = quantile(best, share) / 60
        lag, bound = ideally * per_second(account.vendor) / pace, factor * ideally
        what = f"{name}: {quantity} lag by its pace, {60 * pace:.1f} polls a minute"
        found.append(Line(what, f"{lag:.0f} min", f"{bound:.0f} min ({factor} times {ideally:.0f} min)", lag <= bound))
    again = polls.total() - len(polls)
    found.append(Line(f"{name}: jobs polled twice in a round", str(again), "0", again == 0))
    seen = sum(lag <= outcome.killed for lag in lags(outcome, own))
    ideally = sum(lag <= outcome.killed for lag in best) / ideal.PHASES
    least = ideally / MEDIAN_FACTOR
    what = f"{name}: events of {len(own):,} jobs that had ended, in {outcome.killed:.0f} s"
    found.append(Line(what, str(seen), f"at least {least:.0f} ({ideally:.0f} ÷ {MEDIAN_FACTOR})", seen >= least))
    return found


def _is_poll(at: float, whose: str, what: str, name: str, outcome: Outcome) -> bool:
    assert outcome.killed is not None
    return whose == name and what == "status" and 0 <= at <= outcome.killed


def limit_lines(outcome: Outcome, accounts: Mapping[str, Account]) -> list[Line]:
    """Requests in any window of each limit, and refusals."""
    found = []
    for name, account in accounts.items():
        times = sorted(at for at, whose, what, *_ in outcome.requests if whose == name and what != "token")
        for limit in vendor_class(account.vendor).rate_limits:
            # A second's limit is kept by one request a second on average: arrivals jitter by some milliseconds.
            seconds, allowed = (60.0, 60 * limit.requests) if limit.seconds < 60 else (limit.seconds, limit.requests)
            most = densest(times, seconds)
            what = f"{name}: most requests in any {seconds:,.0f} s"
            found.append(Line(what, f"{most:,}", f"{allowed:,}", most <= allowed))
    refused = sum(status == 429 for *_, status, _ in outcome.requests)
    found.append(Line("requests refused with 429", str(refused), "0", refused == 0))
    return found


def densest(times: Sequence[float], seconds: float) -> int:
    """The most times within any span of so many seconds."""
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def cost_lines(cpu: float, kib: float) -> list[Line]:
    """What the waits cost over triggers that only sleep."""
    return [
        Line("CPU over sleeping triggers, of one core", f"{cpu:.1%}", f"{MOST_CPU:.0%}", cpu <= MOST_CPU),
        Line("memory over sleeping triggers, each", f"{kib:.1f} KiB", f"{MOST_KIB:.0f} KiB", kib <= MOST_KIB),
    ]


def loss_lines(outcome: Outcome, accounts: Mapping[str, Account], ends: Iterable[End]) -> list[Line]:
    """Events lost, made up or doubled, with a kill in between.

    Where a round takes hours, an event is due only once the vendor has reported the end.
    """
    ended = {outcome.ids[end.account][end.index]: end for end in ends}
    reported = _reported(outcome)
    due = {job_id for job_id, end in ended.items() if not accounts[end.account].ended or job_id in reported}
    good = {job_id for job_id, (status, *_) in outcome.events.items() if status == "ended"}
    failed = len(outcome.events) - len(good)
    return [
        Line(f"events lost of {len(due):,}, the triggerer killed halfway", str(len(due - good)), "0", due <= good),
        Line("events of jobs that had not ended", str(len(good - ended.keys())), "0", good <= ended.keys()),
        Line("waits that failed", str(failed), "0", failed == 0),
        Line("events that came twice", str(outcome.doubled), "0", outcome.doubled == 0),
    ]


def _reported(outcome: Outcome) -> set[str]:
    """Jobs that a poll has shown, not so shortly before the triggerer's death that it took the answer with it."""
    killed = outcome.killed if outcome.killed is not None else float("inf")
    lives = ((0.0, killed - HANDED_ON), (killed, outcome.ended - HANDED_ON))
    shown = (each for each in outcome.requests if each[2] == "status" and each[3] == 200)
    return {path.rsplit("/", 1)[-1] for at, *_, path in shown if any(begin <= at <= end for begin, end in lives)}
