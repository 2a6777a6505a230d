"""Who waits, and when which job ends."""

from __future__ import annotations

import random
from dataclasses import dataclass

from airflow_provider_batchdl.vendors import vendor_class

# Waits per account. Proofy tells one job at a time, 25 times a minute (and runs two at a time): thousands there would
# make the best possible lag hours, whoever looks. docs/scale.md has the formula.
WAITS = {"revenuebase": 4000, "batchcom": 3500, "apartmentiq": 2460, "proofy": 40}
# Jobs that end per minute, per account. Each costs a look-up of its own at Revenuebase, out of 60 a minute.
ENDS_A_MINUTE = {"revenuebase": 20, "batchcom": 30, "apartmentiq": 30, "proofy": 15}
PAGE = 100


@dataclass(frozen=True)
class End:
    """A job that ends.

    Args:
        vendor: whose it is.
        index: which of the vendor's waits.
        at: seconds after the beginning.
    """

    vendor: str
    index: int
    at: float


def ends(begin: float, end: float, *, seed: int, but: frozenset[tuple[str, int]] = frozenset()) -> list[End]:
    """Jobs that end between two moments, as long as there are any, at times that nobody could foresee.

    Args:
        begin: seconds after the beginning.
        end: the same.
        seed: of the random choice.
        but: jobs, by vendor and index, that end otherwise.
    """
    chance = random.Random(seed)
    found: list[End] = []
    for vendor, number in WAITS.items():
        free = [index for index in range(number) if (vendor, index) not in but]
        chosen = chance.sample(free, min(len(free), round(ENDS_A_MINUTE[vendor] * (end - begin) / 60)))
        found += [End(vendor, index, chance.uniform(begin, end)) for index in chosen]
    return sorted(found, key=lambda each: each.at)


def per_second(vendor: str) -> float:
    """Requests a second that the vendor's shortest limit allows: what a run of some minutes is bound by."""
    limit = min(vendor_class(vendor).rate_limits, key=lambda limit: limit.seconds)
    return limit.requests / limit.seconds
