"""The lag that the rate limit allows at best: a client that uses all of it, at once, and wastes none.

It sends a request in each slot of the limit and has its answer in no time. It knows no more than any client can: it
goes round (jobs one by one, or the list page by page), or asks for the list of active jobs and then for each that left.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections import deque

from bench.scale.plan import PAGE, Account, End, per_second

# The rounds of a client begin anywhere: this many beginnings are tried.
PHASES = 20


def lags(account: Account, own: list[End]) -> list[float]:
    """Seconds from each job's end to the request that shows it, over all beginnings.

    Args:
        account: the account.
        own: those of its jobs that end.
    """
    own = sorted(own, key=lambda end: end.at)
    play = {"revenuebase": _departures, "proofy": _one_by_one}.get(account.vendor, _pages)
    return [lag for phase in range(PHASES) for lag in play(account, own, phase)]


def _pages(account: Account, own: list[End], phase: int) -> list[float]:
    """Each request shows one page of the list, and all pages are asked for in turn."""
    turns = math.ceil(account.waits / PAGE)
    period = turns / per_second(account.vendor)
    lags = []
    for end in own:
        shown = (end.index // PAGE + phase / PHASES) * period / turns + phase * period / PHASES
        lags.append((shown - end.at) % period)
    return lags


def _one_by_one(account: Account, own: list[End], phase: int) -> list[float]:
    """Each request shows one job; those that have ended are not asked for any more, which shortens the turn."""
    ended = {end.index: end.at for end in own}
    turn = deque(random.Random(phase).sample(range(account.waits), account.waits))
    now, lags = 0.0, list[float]()
    while len(lags) < len(own):
        now += 1 / per_second(account.vendor)
        index = turn.popleft()
        if ended.get(index, math.inf) <= now:
            lags.append(now - ended[index])
        else:
            turn.append(index)
    return lags


def _departures(account: Account, own: list[End], phase: int) -> list[float]:
    """A request shows all that have ended, and each of them takes another."""
    slot = 1 / per_second(account.vendor)
    times = [end.at for end in own]
    now, known, told = phase / PHASES * slot, 0, 0
    left: deque[float] = deque()
    lags = []
    while told < len(times):
        now += slot
        if left:
            lags.append(now - left.popleft())
            told += 1
        else:
            news = bisect_right(times, now)
            left.extend(times[known:news])
            known = news
    return lags
