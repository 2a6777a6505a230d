"""Those who wait for jobs of one account, and what a look at a job means for them. No requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.triggers.agenda import NEVER, Agenda, Wait
from airflow_provider_batchdl.triggers.interval import UsualDuration, interval
from airflow_provider_batchdl.waiting import Patience


@dataclass(slots=True, eq=False, kw_only=True)
class Subscription(Wait):
    """One trigger's wait. Times are those of the event loop's clock.

    Args:
        ended: done when the job has ended, or after the last look.
        patience: counts the failed looks, and jitters.
        longest: most seconds between two looks.
        since: when the job was submitted.
        deadline: when to look for the last time.
        seen: the job as last seen.
        seen_at: when that was.
        left: it has just left the vendor's list, so it has most likely ended.
    """

    ended: asyncio.Future[None]
    patience: Patience
    longest: float
    since: float
    deadline: float = NEVER
    seen: Job | None = None
    seen_at: float = 0.0
    left: bool = False


class Waits:
    """Everyone who waits for a job of one account, by job, and in the order in which their jobs are due.

    Args:
        lists: whether the vendor has a list.
        on_end: is told of each job that was seen unfinished and is seen to have ended: the seconds between the two.
    """

    def __init__(self, *, lists: bool, on_end: Callable[[float], None] = lambda unseen: None) -> None:
        self._on_end = on_end
        self.agenda: Agenda[Subscription] = Agenda(lists=lists)
        self._by_job: dict[str, list[Subscription]] = {}
        self._count = 0
        self._usual = UsualDuration()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Subscription]:
        return iter([wait for waits in self._by_job.values() for wait in waits])

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._by_job

    def add(self, wait: Subscription, now: float) -> None:
        """Somebody waits.

        The first look comes after the shortest interval: whoever comes has just looked, or was away and may have
        missed the end.
        """
        self._by_job.setdefault(wait.job_id, []).append(wait)
        self._count += 1
        self.agenda.plan(wait, min(now + wait.patience.pause(), wait.deadline), alone=False)

    def remove(self, wait: Subscription) -> None:
        """Somebody waits no more."""
        self.agenda.drop(wait)
        waits = self._by_job[wait.job_id]
        waits.remove(wait)
        self._count -= 1
        if not waits:
            del self._by_job[wait.job_id]
        if not wait.ended.cancel() and not wait.ended.cancelled():
            wait.ended.exception()  # or asyncio complains that nobody asked for it

    def saw(self, job_id: str, job: Job, now: float, *, listed: bool) -> None:
        """A job was seen, in the list or by itself."""
        for wait in self._by_job.get(job_id, ()):
            if wait.ended.done():
                continue
            if job.state is JobState.SUCCEEDED and wait.seen is not None:
                self._usual.note(now - wait.since)
            if job.state.is_terminal and wait.seen is not None:
                self._on_end(now - wait.seen_at)
            wait.seen, wait.seen_at = job, now
            wait.patience.reset()
            if job.state.is_terminal:
                self._end(wait)
            else:
                self._go_on(wait, now, alone=wait.alone and not listed)

    def not_listed(self, job_ids: Iterable[str], now: float) -> None:
        """These jobs are not in the vendor's list: they are looked up by themselves, at once."""
        for job_id in job_ids:
            for wait in self._by_job.get(job_id, ()):
                if not wait.alone and not wait.ended.done():
                    wait.left = True
                    self.agenda.plan(wait, now, alone=True)

    def failed(self, wait: Subscription, error: BatchDlError, now: float) -> None:
        """A look at one job failed: forgiven a few times in a row, where waiting on can help."""
        if wait.ended.done():
            return
        try:
            wait.patience.forgive(error)
        except BatchDlError:
            self.tell([wait], error)
        else:
            self._go_on(wait, now, alone=wait.alone)

    def put_off(self, waits: Iterable[Subscription], until: float, now: float) -> None:
        """A look at the list failed: look for these jobs later."""
        for wait in waits:
            if wait.ended.done() or wait.entry:
                continue  # told meanwhile, or already planned: it was on a page that came
            if now >= wait.deadline:
                self._end(wait)
            else:
                self.agenda.plan(wait, min(until, wait.deadline), alone=wait.alone)

    def end_overdue(self, now: float) -> None:
        """The account is left alone: the last look of these would come after their deadline, and is left out."""
        for wait in self:
            if now >= wait.deadline and not wait.ended.done():
                self._end(wait)

    def plan_anew(self, now: float) -> None:
        """The poll loop starts anew: look again for those whose look was broken off."""
        self.agenda.passed()
        for wait in self:
            if not wait.entry and not wait.ended.done():
                self._plan(wait, now, alone=wait.alone)

    def tell(self, waits: Iterable[Subscription], error: Exception) -> None:
        """End these waits with an error, each with one of its own, since raising changes an exception."""
        for wait in waits:
            if wait.ended.done():
                continue
            self.agenda.drop(wait)
            own = error
            if isinstance(error, BatchDlError):
                own = BatchDlError.from_dict({**error.to_dict(), "job_id": wait.job_id})
            wait.ended.set_exception(own)

    def _go_on(self, wait: Subscription, now: float, *, alone: bool) -> None:
        if now >= wait.deadline:
            self._end(wait)
        else:
            self._plan(wait, now, alone=alone)

    def _plan(self, wait: Subscription, now: float, *, alone: bool) -> None:
        wait.patience.interval = interval(now - wait.since, self._usual.median, wait.shortest, wait.longest)
        self.agenda.plan(wait, min(now + wait.patience.pause(), wait.deadline), alone=alone)

    def _end(self, wait: Subscription) -> None:
        self.agenda.drop(wait)
        wait.ended.set_result(None)
