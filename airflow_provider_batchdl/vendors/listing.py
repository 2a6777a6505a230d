"""What a vendor's list of jobs shows, and one page of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_batchdl.jobs import Job

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.base import Flow, Vendor

# Of a hundred jobs each. Whoever follows a list stops here: a cursor that always changes would never end.
MOST_PAGES = 500


@dataclass(frozen=True)
class Listing:
    """What the vendor documents about its list.

    Args:
        active_only: jobs that have ended are not in it, and all others are on one page.
        newest_first: jobs come in the order in which they were made, the newest first.
        complete: every job of the account is in it within minutes, and stays for days whatever becomes of it. So one
            that is not there minutes after its submit was not made.
    """

    active_only: bool = False
    newest_first: bool = False
    complete: bool = False


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job as the list shows it.

    Args:
        job: the job.
        created: when the vendor says it was made, where it says so.
    """

    job: Job
    created: datetime | None = None


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


def is_listed(vendor: Vendor, job_id: str) -> Flow[bool]:
    """Whether the vendor's list shows a job, or may: where it is not whole. False where there is no list."""
    cursor: str | None = None
    is_whole = True
    if vendor.listing is None:
        return False
    for _ in range(MOST_PAGES - 1):
        page = yield from vendor.list_page(cursor)
        if any(each.job.id == job_id for each in page.jobs):
            return True
        is_whole = is_whole and page.whole
        cursor = page.following
        if cursor is None:
            return not is_whole
    return True
