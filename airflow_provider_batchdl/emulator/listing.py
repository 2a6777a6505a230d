"""A page of an account's jobs behind a cursor, and the fault ``endless_list``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_batchdl.emulator.exchange import Call
from airflow_provider_batchdl.emulator.jobs import EmulatedJob

_MAX_DIGITS = 9


@dataclass(frozen=True)
class JobPage:
    """Some jobs, and whether more follow behind the last of them."""

    jobs: Sequence[EmulatedJob]
    has_more: bool


def jobs_after(call: Call, vendor: str, jobs: Sequence[EmulatedJob], after: str, limit: int) -> JobPage:
    """Return the page behind the job with the id ``after``; from the first job where that is empty.

    Nothing is behind an id that is not listed (an inference, for all vendors).
    """
    ids = [job.id for job in jobs]
    start = ids.index(after) + 1 if after in ids else len(jobs) if after else 0
    page = list(jobs[start : start + limit])
    if call.faulty("endless_list"):
        return JobPage([*page, invented_job(call, vendor)], True)
    return JobPage(page, len(jobs) > start + limit)


def invented_job(call: Call, vendor: str) -> EmulatedJob:
    """Return a job that nobody submitted, with an id of its own."""
    world = call.world
    return EmulatedJob(world.new_id(vendor), vendor, world.clock.time(), world)


def whole_number(text: str, default: int) -> int:
    """Return a number in a query, ``default`` where there is none, -1 where it is not a short row of digits."""
    if not text:
        return default
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else -1
