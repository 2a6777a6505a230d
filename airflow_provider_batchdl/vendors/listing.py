"""Facts about a vendor's list of jobs, and its pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.jobs import Job

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.base import Flow, Vendor

# Of a hundred jobs each. Whoever follows a list stops here: a cursor that always changes would never end.
MOST_PAGES = 500
LISTED_WITHIN = 300.0
"""Seconds after which a complete list shows an accepted job, where the vendor's class says nothing else."""


@dataclass(frozen=True)
class Listing:
    """Documented properties of a vendor's list.

    Args:
        active_only: jobs that have ended are not in it, and all others are on one page.
        newest_first: jobs are in the order in which they were made, the newest first.
        complete: every job of the account is in it within ``lag`` seconds, and stays for days in any state. So one
            that is not there later was not made, and a retry submits it again.
        lag: seconds within which a job whose submit got no response is in the list. The default is long: no router
            holds a request that long (a minute is usual), and lists are known to lag by seconds, not by minutes.
    """

    active_only: bool = False
    newest_first: bool = False
    complete: bool = False
    lag: float = LISTED_WITHIN


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job as the list shows it.

    Args:
        job: the job.
        created: when it was made, where the vendor says so.
        updated: when it last changed, where the vendor says so.
    """

    job: Job
    created: datetime | None = None
    updated: datetime | None = None


@dataclass(frozen=True)
class Page:
    """The answer to one list request, its items as they were sent; not ``whole`` if the next page cannot be had."""

    items: list[Any]
    following: str | None = None
    whole: bool = True


@dataclass(frozen=True)
class JobPage:
    """The answer to one list request.

    Args:
        jobs: what it shows, in the vendor's order.
        following: what :meth:`Vendor.list_page` takes for the next page; None on the last.
        whole: whether it shows all that it has: no item that cannot be read, and no next page that cannot be had.
    """

    jobs: tuple[ListedJob, ...]
    following: str | None = None
    whole: bool = True


def job_page(vendor: Vendor, page: Page, read: Callable[[Any], ListedJob]) -> JobPage:
    """A page with its items read by ``read``; without those that cannot be read, and not whole then."""
    jobs = vendor.read_items(page.items, read)
    return JobPage(tuple(jobs), page.following, whole=page.whole and len(jobs) == len(page.items))


def is_listed(vendor: Vendor, job_id: str) -> Flow[bool]:
    """True if the vendor's list shows a job, or may: where it is not whole. False where there is no list."""
    if vendor.listing is None:
        return False
    found, is_whole = yield from _followed(vendor, until=job_id)
    return job_id in found or not is_whole


def _followed(vendor: Vendor, *, until: str | None = None) -> Flow[tuple[dict[str, ListedJob], bool]]:
    """The listed jobs by their ids, and whether these are all; those up to the page with a job, if it is given."""
    found: dict[str, ListedJob] = {}
    seen: set[str] = set()
    cursor: str | None = None
    is_whole = True
    while True:
        page = yield from vendor.list_page(cursor)
        known = len(found)
        for each in page.jobs:
            found.setdefault(each.job.id, each)
        is_whole = is_whole and page.whole
        cursor = page.following
        if cursor is None or until in found:
            return found, is_whole
        # A cursor that repeats, or a page of jobs without a new one, would never end.
        if cursor in seen or (page.jobs and len(found) == known):
            return found, False
        seen.add(cursor)
        if until is not None and len(seen) == MOST_PAGES - 1:
            return found, False


def listed(vendor: Vendor) -> Flow[list[ListedJob]]:
    """All jobs of the vendor's list with their times, in its order; of a vendor without pages, what it lists."""
    if vendor.listing is None:
        return [ListedJob(job) for job in (yield from vendor.list_jobs())]
    found, _ = yield from _followed(vendor)
    return list(found.values())


def all_jobs(vendor: Vendor) -> Flow[list[Job]]:
    """All jobs of the vendor's list, in its order."""
    return [each.job for each in (yield from listed(vendor))]
