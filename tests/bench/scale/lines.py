"""The lines that must hold, each with what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airflow_provider_batchdl.vendors import vendor_class
from tests.bench.scale import ideal
from tests.bench.scale.measure import Outcome
from tests.bench.scale.plan import WAITS, End

MOST_CPU = 0.15
MOST_KIB = 20.0
MEDIAN_FACTOR, P99_FACTOR = 1.5, 3.0


@dataclass(frozen=True)
class Line:
    """Something that must hold."""

    what: str
    measured: str
    bound: str
    holds: bool


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def lags(outcome: Outcome, vendor: str, ends: Iterable[End]) -> list[float]:
    """Seconds from each end to its event."""
    pairs = [(end, outcome.events.get(outcome.ids[vendor][end.index])) for end in ends if end.vendor == vendor]
    return [event[2] - end.at for end, event in pairs if event is not None]


def lag_lines(outcome: Outcome, ends: list[End]) -> list[Line]:
    """The lag of each account's events against the best that its limit allows."""
    found = []
    for vendor in WAITS:
        ours, best = lags(outcome, vendor, ends), ideal.lags(vendor, ends)
        for name, share, factor in (("median", 0.5, MEDIAN_FACTOR), ("p99", 0.99, P99_FACTOR)):
            measured, bound = quantile(ours, share), factor * quantile(best, share)
            text = f"{bound:.1f} s ({factor} times {quantile(best, share):.1f} s)"
            found.append(Line(f"{vendor}: {name} lag, {len(ours)} ends", f"{measured:.1f} s", text, measured <= bound))
    return found


def limit_lines(outcome: Outcome) -> list[Line]:
    """Requests in any window of each limit, and refusals."""
    found = []
    for vendor in WAITS:
        times = sorted(at for at, whose, what, _ in outcome.requests if whose == vendor and what != "token")
        for limit in vendor_class(vendor).rate_limits:
            # A second's limit is kept by one request a second on average: arrivals jitter by some milliseconds.
            seconds, allowed = (60.0, 60 * limit.requests) if limit.seconds < 60 else (limit.seconds, limit.requests)
            most = densest(times, seconds)
            what = f"{vendor}: most requests in any {seconds:,.0f} s"
            found.append(Line(what, f"{most:,}", f"{allowed:,}", most <= allowed))
    refused = sum(status == 429 for *_, status in outcome.requests)
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


def loss_lines(outcome: Outcome, ends: list[End]) -> list[Line]:
    """Events lost, made up or doubled, with a kill in between."""
    ended = {outcome.ids[end.vendor][end.index] for end in ends}
    good = {job_id for job_id, (status, _, _) in outcome.events.items() if status == "ended"}
    return [
        Line("events lost, the process killed halfway", str(len(ended - good)), "0", ended <= good),
        Line("events of jobs that had not ended", str(len(good - ended)), "0", good <= ended),
        Line("waits that failed", str(len(outcome.events) - len(good)), "0", len(outcome.events) == len(good)),
        Line("events that came twice", str(outcome.doubled), "0", outcome.doubled == 0),
    ]
