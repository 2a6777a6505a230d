"""Waiters for the jobs of one account, and the effect of each poll on them. No requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.polling.backoff import PollBackoff
from airflow_provider_batchdl.polling.interval import UsualDuration, interval
from airflow_provider_batchdl.polling.schedule import NEVER, PollSchedule, ScheduledPoll


@dataclass(slots=True, eq=False, kw_only=True)
class Waiter(ScheduledPoll):
    """One trigger's wait. Times are those of the event loop's clock; the last poll is at ``deadline``.

    ``left``: the job has just left the vendor's list, so it has most likely ended. ``push_note`` stores what was seen,
    for the page "Batch jobs", and never raises; ``noted_at`` is the ``seen_at`` of what it stored last.
    """

    ended: asyncio.Future[None]
    backoff: PollBackoff
    shortest: float
    longest: float
    since: float
    deadline: float = NEVER
    seen: Job | None = None
    seen_at: float = 0.0
    left: bool = False
    push_note: Callable[[dict[str, Any]], Awaitable[None]] | None = None
    noted_at: float = 0.0


class Waiters:
    """All waiters of one account, by job, and in the order in which their polls are due.

    ``on_end`` is called for each job that was seen unfinished and then ended, with the seconds between the two polls.
    """

    def __init__(self, *, lists: bool, on_end: Callable[[float], None] = lambda unseen: None) -> None:
        self._on_end = on_end
        self.schedule: PollSchedule[Waiter] = PollSchedule(lists=lists)
        self._by_job: dict[str, list[Waiter]] = {}
        self._count = 0
        self._usual = UsualDuration()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Waiter]:
        return iter([waiter for waiters in self._by_job.values() for waiter in waiters])

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._by_job

    def add(self, waiter: Waiter, now: float) -> None:
        """Add a waiter.

        The first poll is due after the shortest interval: a new waiter has just polled, or was away and may have
        missed the end.
        """
        self._by_job.setdefault(waiter.job_id, []).append(waiter)
        self._count += 1
        self.schedule.plan(waiter, min(now + waiter.backoff.next_delay(), waiter.deadline), alone=False)

    def remove(self, waiter: Waiter) -> None:
        """Remove a waiter."""
        self.schedule.drop(waiter)
        waiters = self._by_job[waiter.job_id]
        waiters.remove(waiter)
        self._count -= 1
        if not waiters:
            del self._by_job[waiter.job_id]
        if not waiter.ended.cancel() and not waiter.ended.cancelled():
            waiter.ended.exception()  # or asyncio complains that nobody asked for it

    def saw(self, job_id: str, job: Job, now: float, *, listed: bool) -> None:
        """Record a poll that showed a job, in the list or alone."""
        for waiter in self._by_job.get(job_id, ()):
            if waiter.ended.done():
                continue
            if job.state is JobState.SUCCEEDED and waiter.seen is not None:
                self._usual.note(now - waiter.since)
            if job.state.is_terminal and waiter.seen is not None:
                self._on_end(now - waiter.seen_at)
            waiter.seen, waiter.seen_at = job, now
            waiter.backoff.reset()
            if job.state.is_terminal:
                self._end(waiter)
            else:
                self._continue(waiter, now, alone=waiter.alone and not listed)

    def not_listed(self, job_ids: Iterable[str], now: float) -> None:
        """Record that these jobs are not in the vendor's list: each is polled alone, at once."""
        for job_id in job_ids:
            for waiter in self._by_job.get(job_id, ()):
                if not waiter.alone and not waiter.ended.done():
                    waiter.left = True
                    self.schedule.plan(waiter, now, alone=True)

    def failed(self, waiter: Waiter, error: BatchDlError, now: float) -> None:
        """Record a failed poll of one job: retried a few times in a row, where waiting can help."""
        if waiter.ended.done():
            return
        try:
            waiter.backoff.record_failure(error)
        except BatchDlError:
            self.fail([waiter], error)
        else:
            self._continue(waiter, now, alone=waiter.alone)

    def postpone(self, waiters: Iterable[Waiter], until: float, now: float) -> None:
        """Poll these jobs later, since listing failed."""
        for waiter in waiters:
            if waiter.ended.done() or waiter.entry:
                continue  # ended in the meantime, or already scheduled: it was on a page that was read
            if now >= waiter.deadline:
                self._end(waiter)
            else:
                self.schedule.plan(waiter, min(until, waiter.deadline), alone=waiter.alone)

    def end_overdue(self, now: float) -> None:
        """End the waits whose deadline passes while the account is on hold, without their last poll."""
        for waiter in self:
            if now >= waiter.deadline and not waiter.ended.done():
                self._end(waiter)

    def reschedule(self, now: float) -> None:
        """Schedule again the polls that were interrupted when the poll loop restarted."""
        self.schedule.passed()
        for waiter in self:
            if not waiter.entry and not waiter.ended.done():
                self._plan(waiter, now, alone=waiter.alone)

    def fail(self, waiters: Iterable[Waiter], error: Exception) -> None:
        """End these waits with an error, each with its own copy, since raising changes an exception."""
        for waiter in waiters:
            if waiter.ended.done():
                continue
            self.schedule.drop(waiter)
            own = error
            if isinstance(error, BatchDlError):
                own = BatchDlError.from_dict({**error.to_dict(), "job_id": waiter.job_id})
            waiter.ended.set_exception(own)

    def _continue(self, waiter: Waiter, now: float, *, alone: bool) -> None:
        if now >= waiter.deadline:
            self._end(waiter)
        else:
            self._plan(waiter, now, alone=alone)

    def _plan(self, waiter: Waiter, now: float, *, alone: bool) -> None:
        waiter.interval = interval(now - waiter.since, self._usual.median, waiter.shortest, waiter.longest)
        waiter.backoff.interval = waiter.interval
        self.schedule.plan(waiter, min(now + waiter.backoff.next_delay(), waiter.deadline), alone=alone)

    def _end(self, waiter: Waiter) -> None:
        self.schedule.drop(waiter)
        waiter.ended.set_result(None)
