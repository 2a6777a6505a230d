"""One poll loop for all waits of one account.

It belongs to the account and to the event loop it runs in, not to a trigger: it starts with the first wait, ends with
the last, and no trigger's end disturbs another. A wait costs an entry in a heap and a future.

Whatever a poll raises, the loop survives it: an error is about the job or the list that was polled, a failed poll of
these waits and of no others.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from contextvars import Context

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.client import AsyncBatchClient, policy
from airflow_provider_batchdl.exceptions import AuthenticationError, BatchDlError
from airflow_provider_batchdl.polling.backoff import PollBackoff
from airflow_provider_batchdl.polling.schedule import NEVER
from airflow_provider_batchdl.polling.waiters import Waiter, Waiters
from airflow_provider_batchdl.triggers.poll_notes import PollNotes, PushNote
from airflow_provider_batchdl.triggers.poll_stats import PollStats
from airflow_provider_batchdl.triggers.requests import PollRequests
from airflow_provider_batchdl.vendors.base import Flow, Vendor
from airflow_provider_batchdl.vendors.listing import JobPage

log = get_logger(__name__)

# Listed jobs that are processed before the event loop's other tasks get a turn.
JOBS_PER_TURN = 1000
# Seconds that closing an account's connections may take.
CLOSING_SECONDS = 5.0
# Seconds without a list request after listing failed too often, or took longer than LONGEST_LIST.
LIST_PAUSE = 600.0
LONGEST_LIST = 120.0
# While the account is on hold, seconds between two checks of the deadlines.
HELD_STEP = 1.0
# Crashes of the loop itself, each within an hour of its start, before all waits fail.
MAX_CRASHES = 5
CRASH_WINDOW = 3600.0


class AccountPoller:
    """Polls one account's jobs for all waiters."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self._stats = PollStats(vendor.name)
        self._waiters = Waiters(lists=vendor.listing is not None, on_end=self._stats.record_end)
        self.requests = PollRequests(vendor, self._answered)
        self._polls: dict[asyncio.Task[None], list[Waiter]] = {}
        self._list_backoff = PollBackoff(0.0)
        self._list_from = 0.0
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # What a trigger does.

    def subscribe(
        self,
        job_id: str,
        *,
        shortest: float,
        longest: float,
        since: float | None = None,
        deadline: float | None = None,
        push_note: PushNote | None = None,
    ) -> Waiter:
        """Wait for a job, from the Unix time ``since`` to ``deadline``. The first poll is due after an interval."""
        loop = asyncio.get_running_loop()
        now, unix = loop.time(), time.time()
        waiter = Waiter(
            job_id=job_id,
            interval=shortest,
            shortest=shortest,
            ended=loop.create_future(),
            backoff=PollBackoff(shortest),
            longest=longest,
            since=now if since is None else now - max(0.0, unix - since),
            deadline=NEVER if deadline is None else now + deadline - unix,
            push_note=push_note,
        )
        self._waiters.add(waiter, now)
        self._news.set()
        if self._task is None:
            # In a context of its own: what it logs belongs to no trigger's task.
            self._task = loop.create_task(self._run(), name=f"batchdl {self.vendor.name}", context=Context())
        return waiter

    async def unsubscribe(self, waiter: Waiter) -> None:
        """Stop waiting. The last waiter's call returns once the loop has ended and its connections are closed."""
        self._waiters.remove(waiter)
        self._news.set()
        if self._task is not None and not self._waiters:
            await asyncio.wait([self._task], timeout=CLOSING_SECONDS)

    def client(self) -> AsyncBatchClient:
        """A new client of the account."""
        return AsyncBatchClient(self.vendor)

    # The loop.

    async def _run(self) -> None:
        crashes, began = 0, self._now()
        notes = asyncio.create_task(PollNotes(self._waiters, self.requests.throttle).run())
        try:
            while True:
                try:
                    async with self.client() as client:
                        await self._poll_loop(client)
                    return
                except BatchDlError as error:  # the connection lacks something
                    self._waiters.fail(self._waiters, error)
                    return
                except Exception as error:  # a bug in this loop, but whoever waits must not wait for ever
                    if self._task is not asyncio.current_task():
                        return  # no waiter is left
                    crashes = crashes + 1 if self._now() - began < CRASH_WINDOW else 1
                    log.exception("Poll loop for %s jobs crashed (%d of %d)", self.vendor.label, crashes, MAX_CRASHES)
                    if crashes >= MAX_CRASHES:
                        self._waiters.fail(self._waiters, self.requests.typed(error))
                        return
                await asyncio.sleep(policy.backoff(crashes))
                began = self._now()
                self._waiters.reschedule(began)
        finally:
            notes.cancel()
            if self._task is asyncio.current_task():
                self._task = None
                for waiter in self._waiters:
                    waiter.ended.cancel()
            self._stats.report(len(self._waiters), self._now(), last=True)

    async def _poll_loop(self, client: AsyncBatchClient) -> None:
        loop, deadlines_at = asyncio.get_running_loop(), NEVER
        try:
            while self._waiters:
                self._news.clear()
                self._reap()
                now, held = loop.time(), self.requests.throttle.held_for()
                if held:
                    if not now < deadlines_at < NEVER:
                        self._waiters.end_overdue(now)
                        deadlines_at = now + HELD_STEP
                    await self._sleep_until(min(now + held, deadlines_at))
                    continue
                free, due = self.requests.free_at(self._polls, now), self._waiters.schedule.next_due()
                found = self._waiters.schedule.take(now, lists=now >= self._list_from) if free <= now else None
                if found is None:
                    await self._sleep_until(due if free <= now else free)
                elif isinstance(found, Waiter):
                    self._polls[loop.create_task(self._poll(client, found, due))] = [found]
                else:
                    self._polls[loop.create_task(self._list(client, found, due))] = found
            self._task = None  # the next waiter starts a new loop
        finally:
            polls, self._polls = self._polls, {}
            for task in polls:
                task.cancel()
            await asyncio.gather(*polls, return_exceptions=True)

    def _reap(self) -> None:
        """Collect the polls that are over. One that crashed ends the waits it was for, and no others."""
        for task in [task for task in self._polls if task.done()]:
            waiters = self._polls.pop(task)
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            if error is not None:
                self._waiters.fail(waiters, self.requests.typed(error))

    async def _sleep_until(self, moment: float) -> None:
        """Sleep until ``moment``, or until there is news: a waiter was added or removed, or a poll is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(None if moment == NEVER else moment):
                await self._news.wait()

    # Polls.

    async def _poll(self, client: AsyncBatchClient, waiter: Waiter, due: float) -> None:
        """Poll one job."""
        urgent, waiter.left = waiter.left, False
        try:
            job = await self.requests.ask(client, self.vendor.get_job(waiter.job_id), due=due, urgent=urgent)
            self._waiters.saw(waiter.job_id, job, self._now(), listed=False)
        except AuthenticationError as error:
            # What the vendor answers about one job proves nothing about the others.
            found = await self._error_of(client, self.vendor.check()) if len(self._waiters) > 1 else error
            if isinstance(found, AuthenticationError):
                self._waiters.fail(self._waiters, error)
            else:
                self._waiters.failed(waiter, found or error, self._now())
        except Exception as error:  # noqa: BLE001 any error is about this one job
            typed = self.requests.typed(error)
            self.requests.back_off(typed)
            self._waiters.failed(waiter, typed, self._now())
        finally:
            self._news.set()

    async def _list(self, client: AsyncBatchClient, waiters: list[Waiter], due: float) -> None:
        """Poll jobs by the vendor's list, page by page while that costs fewer requests than polling each alone."""
        unseen = {waiter.job_id for waiter in waiters}
        if self.vendor.listing is not None and self.vendor.listing.active_only:
            # Its one page shows which jobs have left.
            unseen.update(waiter.job_id for waiter in self._waiters if not waiter.alone)
        barren, cursor, began = 0, None, self._now()
        try:
            while barren < len(unseen):
                page = await self.page(client, cursor, due)
                still = unseen.difference(each.job.id for each in page.jobs)
                barren = barren + 1 if len(still) == len(unseen) else 0
                unseen, cursor = still, page.following
                if cursor is None:
                    break
        except AuthenticationError as error:
            # Credentials may be good for all but the list, or the answer a slip.
            found = await self._error_of(client, self.vendor.get_job(waiters[0].job_id))
            if isinstance(found, AuthenticationError):
                self._waiters.fail(self._waiters, error)
            else:
                self._list_failed(waiters, error, self._now() - began)
        except Exception as error:  # noqa: BLE001 the jobs can be polled one by one
            self._list_failed(waiters, self.requests.typed(error), self._now() - began)
        else:
            self._list_backoff.reset()
            # Listed, but unreadable.
            odd = {waiter.job_id for waiter in waiters if not waiter.entry and not waiter.ended.done()}
            self._waiters.not_listed(unseen | odd, self._now())
        finally:
            self._waiters.schedule.passed()
            self._news.set()

    async def _error_of(self, client: AsyncBatchClient, flow: Flow[object]) -> BatchDlError | None:
        """The error of a request; None if it succeeds."""
        try:
            await self.requests.ask(client, flow)
        except BatchDlError as error:
            return error
        return None

    async def page(self, client: AsyncBatchClient, cursor: str | None, due: float | None = None) -> JobPage:
        """Read a page of the vendor's list within the rate limit, and update all waiters for jobs on it."""
        page = await self.requests.ask(client, self.vendor.list_page(cursor), kind="list", due=due)
        for number, each in enumerate(page.jobs):
            if number % JOBS_PER_TURN == JOBS_PER_TURN - 1:
                await asyncio.sleep(0)
            try:
                self._waiters.saw(each.job.id, each.job, self._now(), listed=True)
            except Exception as error:  # noqa: BLE001 one odd job must not keep the others on the page from being seen
                self.requests.typed(error)  # which logs it; the job is polled alone
        return page

    def _answered(self, kind: str, due: float | None, now: float) -> None:
        self._stats.record_poll(kind, None if due is None else now - due)
        self._stats.report(len(self._waiters), now)

    # Failures.

    def _list_failed(self, waiters: list[Waiter], error: BatchDlError, took: float) -> None:
        self.requests.back_off(error)
        now = until = self._now()
        self._list_backoff.interval = min(waiter.shortest for waiter in waiters)
        try:
            self._list_backoff.record_failure(error)
            if took > LONGEST_LIST:
                raise error
        except BatchDlError:
            # No reason to end a wait: polled one by one, the jobs will show what is wrong.
            log.warning("Listing %s jobs keeps failing; polling jobs one by one: %s", self.vendor.label, error)
            self._list_backoff.reset()
            self._list_from = now + LIST_PAUSE
        else:
            until += self._list_backoff.next_delay()
        self._waiters.postpone(waiters, until, now)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
