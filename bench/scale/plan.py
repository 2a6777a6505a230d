"""Who waits, and when which job ends."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_batchdl.vendors import vendor_class

PAGE = 100


@dataclass(frozen=True)
class Account:
    """One vendor's account.

    Args:
        vendor: the vendor.
        waits: deferred task instances that wait for a job of it.
        ends_a_minute: jobs that end in each minute of the run. At Revenuebase each costs a poll of its own, out of
            60 a minute.
        ended: share of the jobs that end before the run's first minute is over, beside those.
    """

    vendor: str
    waits: int
    ends_a_minute: int
    ended: float = 0.0


# Four accounts of the same size. Proofy tells of one job per request and allows 25 a minute: a round takes the best of
# clients a hundred minutes, so most of the jobs end at once, to have enough that can be seen in some minutes' polls.
# The fifth account, at Proofy too, is as small as its limit is, so that its lags can be seen whole.
ACCOUNTS = {
    "revenuebase": Account("revenuebase", 2_500, 20),
    "batchcom": Account("batchcom", 2_500, 30),
    "apartmentiq": Account("apartmentiq", 2_500, 30),
    "proofy": Account("proofy", 2_500, 0, ended=0.8),
    "proofy_small": Account("proofy", 40, 12),
}


@dataclass(frozen=True)
class End:
    """A job that ends.

    Args:
        account: whose it is.
        index: which of the account's waits.
        at: seconds after the beginning.
    """

    account: str
    index: int
    at: float


def shrunk(share: float) -> dict[str, Account]:
    """The accounts, with a share of the waits each; for working on this program."""
    return {
        name: Account(each.vendor, max(40, round(each.waits * share)), each.ends_a_minute, each.ended)
        for name, each in ACCOUNTS.items()
    }


def ends(
    accounts: Mapping[str, Account],
    begin: float,
    end: float,
    *,
    seed: int,
    but: frozenset[tuple[str, int]] = frozenset(),
) -> list[End]:
    """Jobs that end between two moments, as long as there are any, at times that nobody could foresee.

    Args:
        accounts: by name.
        begin: seconds after the beginning.
        end: the same.
        seed: of the random choice.
        but: jobs, by account and index, that end otherwise.
    """
    chance = random.Random(seed)
    found: list[End] = []
    for name, account in accounts.items():
        free = [index for index in range(account.waits) if (name, index) not in but]
        wanted = round(account.ends_a_minute * (end - begin) / 60)
        chosen = chance.sample(free, min(len(free), wanted))
        found += [End(name, index, chance.uniform(begin, end)) for index in chosen]
    return sorted(found, key=lambda each: each.at)


def ended_at_once(accounts: Mapping[str, Account], *, seed: int) -> list[End]:
    """Jobs that have ended when time begins."""
    chance = random.Random(seed)
    return [
        End(name, index, 0.0)
        for name, account in accounts.items()
        for index in sorted(chance.sample(range(account.waits), round(account.waits * account.ended)))
    ]


def per_second(vendor: str) -> float:
    """Requests a second that the vendor's shortest limit allows: what a run of some minutes is bound by."""
    limit = min(vendor_class(vendor).rate_limits, key=lambda limit: limit.seconds)
    return limit.requests / limit.seconds
