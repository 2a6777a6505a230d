"""One poll loop for all waits of one account.

It belongs to the account and to the event loop it runs in, not to a trigger: it starts with the first wait, ends with
the last, and no trigger's end disturbs another's. A wait costs an entry in a heap and a future.

Whatever a poll raises, the loop outlives it: an error is about the job or the list that was asked for, a failed poll of
these waits and of no others.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from contextvars import Context
from typing import TypeVar

from airflow_provider_batchdl.client import AsyncBatchClient, policy
from airflow_provider_batchdl.exceptions import AuthenticationError, BatchDlError
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.triggers.agenda import NEVER
from airflow_provider_batchdl.triggers.requests import PacedRequests
from airflow_provider_batchdl.triggers.tally import Tally
from airflow_provider_batchdl.triggers.waits import Subscription, Waits
from airflow_provider_batchdl.vendors.base import Flow, Vendor
from airflow_provider_batchdl.vendors.listing import JobPage
from airflow_provider_batchdl.waiting import Patience

log = get_logger(__name__)

T = TypeVar("T")

# Listed jobs that are gone through before the event loop's other tasks have a turn.
AT_A_STRETCH = 1000
# Seconds that closing an account's connections may take.
CLOSING_SECONDS = 5.0
# Seconds for which a list that cannot be read is not asked for again: one that failed too often, or took so long.
LIST_REST = 600.0
LONGEST_LIST = 120.0
# While the account is left alone, seconds between two looks at the deadlines.
HELD_STEP = 1.0
# How often the loop itself may break, each time within an hour of its start, before all waits are given up.
MOST_BREAKS = 5
BREAKDOWN_SECONDS = 3600.0


class AccountWatch:
    """Looks at one account's jobs, for all that wait for them.

    Args:
        vendor: the vendor, with the account.
    """

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self._tally = Tally(vendor.name)
        self._waits = Waits(lists=vendor.listing is not None, on_end=self._tally.ended)
        self._requests = PacedRequests(vendor, self._answered)
        self._looks: dict[asyncio.Task[None], list[Subscription]] = {}
        self._list_patience = Patience(0.0)
        self._list_from = 0.0
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def refused_at(self) -> float:
        """When the vendor last refused the account's key, by the event loop's clock."""
        return self._requests.refused_at

    # What a trigger does.

    def subscribe(
        self,
        job_id: str,
        *,
        shortest: float,
        longest: float,
        since: float | None = None,
        deadline: float | None = None,
    ) -> Subscription:
        """Wait for a job. The first look comes after an interval.

        Args:
            job_id: the vendor's id.
            shortest: least seconds between two looks, ``poll_interval``.
            longest: most seconds between two looks, ``max_poll_interval``.
            since: Unix time at which the job was submitted; now where it is not known.
            deadline: Unix time of the last look; None for never.
        """
        loop = asyncio.get_running_loop()
        now, unix = loop.time(), time.time()
        wait = Subscription(
            job_id=job_id,
            shortest=shortest,
            ended=loop.create_future(),
            patience=Patience(shortest),
            longest=longest,
            since=now if since is None else now - max(0.0, unix - since),
            deadline=NEVER if deadline is None else now + deadline - unix,
        )
        self._waits.add(wait, now)
        self._news.set()
        if self._task is None:
            # In a context of its own: what it logs belongs to no trigger's task.
            self._task = loop.create_task(self._run(), name=f"batchdl {self.vendor.name}", context=Context())
        return wait

    async def unsubscribe(self, wait: Subscription) -> None:
        """Wait no more. With the last wait the loop ends, which is waited for, so that its connections are closed."""
        self._waits.remove(wait)
        self._news.set()
        if self._task is not None and not self._waits:
            await asyncio.wait([self._task], timeout=CLOSING_SECONDS)

    # The loop.

    async def _run(self) -> None:
        breakdowns, began = 0, self._now()
        try:
            while True:
                try:
                    async with AsyncBatchClient(self.vendor) as client:
                        await self._look_around(client)
                    return
                except BatchDlError as error:  # the connection lacks something
                    self._waits.tell(self._waits, error)
                    return
                except Exception as error:  # a bug in this loop, but whoever waits must not wait for ever
                    if self._task is not asyncio.current_task():
                        return  # nobody waits any more
                    breakdowns = breakdowns + 1 if self._now() - began < BREAKDOWN_SECONDS else 1
                    log.exception("Poll loop for %s jobs broke (%d of %d)", self.vendor.label, breakdowns, MOST_BREAKS)
                    if breakdowns >= MOST_BREAKS:
                        self._waits.tell(self._waits, self._requests.typed(error))
                        return
                await asyncio.sleep(policy.backoff(breakdowns))
                began = self._now()
                self._waits.plan_anew(began)
        finally:
            if self._task is asyncio.current_task():
                self._task = None
                for wait in self._waits:
                    wait.ended.cancel()
            self._tally.report(len(self._waits), self._now(), last=True)

    async def _look_around(self, client: AsyncBatchClient) -> None:
        loop, deadlines_at = asyncio.get_running_loop(), NEVER
        try:
            while self._waits:
                self._news.clear()
                self._reap()
                now, held = loop.time(), self._requests.pace.held_until
                if now < held:
                    if not now < deadlines_at < NEVER:
                        self._waits.end_overdue(now)
                        deadlines_at = now + HELD_STEP
                    await self._sleep_until(min(held, deadlines_at))
                    continue
                free, due = self._requests.free_at(self._looks, now), self._waits.agenda.next_due()
                found = self._waits.agenda.take(now, lists=now >= self._list_from) if free <= now else None
                if found is None:
                    await self._sleep_until(due if free <= now else free)
                elif isinstance(found, Subscription):
                    self._looks[loop.create_task(self._look(client, found, due))] = [found]
                else:
                    self._looks[loop.create_task(self._list(client, found, due))] = found
            self._task = None  # whoever comes from now on begins anew
        finally:
            looks, self._looks = self._looks, {}
            for task in looks:
                task.cancel()
            await asyncio.gather(*looks, return_exceptions=True)

    def _reap(self) -> None:
        """Put away the looks that are over. One that broke ends the waits it was for, and no others."""
        for task in [task for task in self._looks if task.done()]:
            sought = self._looks.pop(task)
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            if error is not None:
                self._waits.tell(sought, self._requests.typed(error))

    async def _sleep_until(self, moment: float) -> None:
        """Sleep until then, or until there is news: somebody came or went, a look is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(None if moment == NEVER else moment):
                await self._news.wait()

    # Looks.

    async def _look(self, client: AsyncBatchClient, wait: Subscription, due: float) -> None:
        """Look at one job."""
        urgent, wait.left = wait.left, False
        try:
            job = await self.ask(client, self.vendor.get_job(wait.job_id), due=due, urgent=urgent)
            self._waits.saw(wait.job_id, job, self._now(), listed=False)
        except AuthenticationError as error:
            self._waits.tell(self._waits, error)
        except Exception as error:  # noqa: BLE001 whatever it is, it is about this one job
            typed = self._requests.typed(error)
            self._requests.back_off(typed)
            self._waits.failed(wait, typed, self._now())
        finally:
            self._news.set()

    async def _list(self, client: AsyncBatchClient, sought: list[Subscription], due: float) -> None:
        """Look for jobs in the vendor's list, while that is cheaper than to look at each by itself."""
        unseen = {wait.job_id for wait in sought}
        if self.vendor.listing is not None and self.vendor.listing.active_only:
            unseen.update(wait.job_id for wait in self._waits if not wait.alone)  # its one page tells who has left
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
            self._waits.tell(self._waits, error)
        except Exception as error:  # noqa: BLE001 whatever it is, the jobs can be looked at one by one
            self._list_failed(sought, self._requests.typed(error), self._now() - began)
        else:
            self._list_patience.reset()
            odd = {wait.job_id for wait in sought if not wait.entry and not wait.ended.done()}  # listed, and of no use
            self._waits.not_listed(unseen | odd, self._now())
        finally:
            self._waits.agenda.passed()
            self._news.set()

    async def page(self, client: AsyncBatchClient, cursor: str | None, due: float | None = None) -> JobPage:
        """A page of the vendor's list, at the account's pace. Whoever waits for a job on it learns of it.

        Raises:
            BatchDlError: what went wrong, typed.
        """
        page = await self.ask(client, self.vendor.list_page(cursor), kind="list", due=due)
        for number, each in enumerate(page.jobs):
            if number % AT_A_STRETCH == AT_A_STRETCH - 1:
                await asyncio.sleep(0)
            try:
                self._waits.saw(each.job.id, each.job, self._now(), listed=True)
            except Exception as error:  # noqa: BLE001 one odd job must not keep the others on the page from being seen
                self._requests.typed(error)  # which logs it; the job is looked up by itself
        return page

    async def ask(
        self,
        client: AsyncBatchClient,
        flow: Flow[T],
        *,
        kind: str = "single",
        due: float | None = None,
        urgent: bool = False,
    ) -> T:
        """Ask the vendor, at the account's pace.

        Args:
            client: the account's client.
            flow: what to ask.
            kind: for metrics: ``single`` or ``list``.
            due: for metrics: when the most overdue of the jobs that this is for was due.
            urgent: let it go before what is not.

        Raises:
            BatchDlError: what went wrong, typed.
        """
        return await self._requests.ask(client, flow, kind=kind, due=due, urgent=urgent)

    def _answered(self, kind: str, due: float | None, now: float) -> None:
        self._tally.looked(kind, None if due is None else now - due)
        self._tally.report(len(self._waits), now)

    # Trouble.

    def _list_failed(self, sought: list[Subscription], error: BatchDlError, took: float) -> None:
        self._requests.back_off(error)
        now = until = self._now()
        self._list_patience.interval = min(wait.shortest for wait in sought)
        try:
            self._list_patience.forgive(error)
            if took > LONGEST_LIST:
                raise error
        except BatchDlError:
            # No reason to end a wait: looked at one by one, the jobs themselves will show what is wrong.
            log.warning("Listing %s jobs keeps failing; polling jobs one by one: %s", self.vendor.label, error)
            self._list_patience.reset()
            self._list_from = now + LIST_REST
        else:
            until += self._list_patience.pause()
        self._waits.put_off(sought, until, now)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
