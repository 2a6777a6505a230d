"""A DAG run for every job of an account that succeeds, whoever submitted it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Hashable, Iterable
from datetime import datetime, timedelta
from statistics import median_low
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._values import times
from airflow_provider_batchdl._values.arguments import seconds, text
from airflow_provider_batchdl._values.storable import storable
from airflow_provider_batchdl.exceptions import AuthenticationError, BatchDlError, InvalidRequestError, JobNotFoundError
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.polling.backoff import PollBackoff
from airflow_provider_batchdl.polling.watermark import Watermark, believable
from airflow_provider_batchdl.vendors.listing import MOST_PAGES, ListedJob

if TYPE_CHECKING:
    from airflow_provider_batchdl.triggers.account_poller import AccountPoller

__all__ = ["CompletedJobsTrigger"]

log = get_logger(__name__)

POLL_INTERVAL = 60.0
# In a list with the newest first, jobs made so much earlier than its first one are not read.
LOOKBACK = timedelta(days=7)
# Seconds after a poll that failed for a reason that no retry fixes. There is no task to fail, and Airflow would start
# the trigger again at once.
FAILURE_DELAY = 300.0
# Airflow takes events over once a second. Stored before that, a watermark could outlive its events.
HANDOVER_SECONDS = 5.0

_without_store_logged: set[str] = set()


class CompletedJobsTrigger(BaseEventTrigger):
    """Fires for each job of an account that newly succeeds, however it was submitted: for an ``AssetWatcher``.

    ::

        exports = Asset(
            "batchcom_exports",
            watchers=[AssetWatcher(name="done", trigger=CompletedJobsTrigger(conn_id="batchcom_default"))],
        )

        @dag(schedule=[exports])
        def land(): ...

    An event's payload is ``{"vendor", "job_id", "state"}``; in the DAG it is
    ``triggering_asset_events[exports][0].extra["payload"]``. Jobs that had succeeded before the first poll are not
    news. What is known lies in Airflow's ``asset_state_store``, so a restart loses nothing; a job is reported twice
    only where the triggerer dies in the seconds between an event and that record.

    * Batch.com, ApartmentIQ: the list has all jobs. ApartmentIQ's is read as far back as seven days.
    * Revenuebase: the list has active jobs only. A job is noticed when it has been in the list and left it; one that
      begins and ends between two polls is not.
    * Proofy has no list, and so nothing to watch.

    Before Airflow 3.3 there is neither a state store nor a shared stream: every watcher polls for itself, and what
    succeeds while the triggerer is down is not noticed.

    Args:
        conn_id: the account's connection.
        poll_interval: seconds between polls of the list, or a ``timedelta``. Watchers of one connection with the same
            interval share them.
        name: distinguishes watchers with the same arguments. Needed where several assets watch one connection: Airflow
            makes one trigger of equal ones, and its state store is for one asset.
    """

    def __init__(self, conn_id: str, poll_interval: float | timedelta = POLL_INTERVAL, name: str | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = text("conn_id", conn_id)
        self.poll_interval = seconds("poll_interval", poll_interval)
        self.name = None if name is None else text("name", name)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments, as stored in Airflow's database: no secret among them."""
        return (
            "airflow_provider_batchdl.triggers.completed.CompletedJobsTrigger",
            {"conn_id": self.conn_id, "poll_interval": self.poll_interval, "name": self.name},
        )

    def shared_stream_key(self) -> Hashable | None:
        """Watchers of one connection with one interval share its polls."""
        return ("batchdl-completed", self.conn_id, self.poll_interval)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[tuple[ListedJob, ...]]:
        """Yield the account's whole list, once a poll. Failures are logged and retried later."""
        from airflow_provider_batchdl.client.throttle import MAX_HOLD

        backoff = PollBackoff(kwargs["poll_interval"])
        while True:
            delay = 0.0
            try:
                jobs = await _list_of(kwargs["conn_id"])
            except BatchDlError as error:
                log.warning("Listing the jobs of connection %s failed, retrying: %s", kwargs["conn_id"], error)
                delay = min(error.retry_after or 0.0, MAX_HOLD) if error.retryable else FAILURE_DELAY
            except Exception:
                log.exception("Listing the jobs of connection %s crashed, retrying", kwargs["conn_id"])
                delay = FAILURE_DELAY
            else:
                yield jobs
            await asyncio.sleep(max(delay, backoff.next_delay()))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Fire for what is new since this watcher's own last poll."""
        mark = await self._load()
        async for listed in shared_stream:
            poller = await _poller_of(self.conn_id)
            before = None if mark is None else mark.to_dict()
            repaired = mark is not None and mark.astray
            mark = mark or Watermark()
            if poller.vendor.listing is not None and poller.vendor.listing.active_only:
                succeeded = await self._departed(poller, mark, listed)
            else:
                succeeded = mark.news(listed)
            if before is None:
                succeeded = []  # what had ended before anybody watched
            for job in succeeded:
                payload = storable({"vendor": poller.vendor.name, "job_id": job.id, "state": job.state})
                yield TriggerEvent(payload)  # type: ignore[no-untyped-call]
            if succeeded:
                await asyncio.sleep(HANDOVER_SECONDS)
            if repaired or mark.to_dict() != before:
                await self._store(mark)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll alone, where Airflow shares no streams."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event

    async def _departed(self, poller: AccountPoller, mark: Watermark, listed: tuple[ListedJob, ...]) -> list[Job]:
        """The jobs that left the list of active ones because they succeeded, each polled once."""
        succeeded: list[Job] = []
        async with poller.client() as client:
            for job_id in sorted(mark.departed(listed)):
                try:
                    job = await poller.requests.ask(client, poller.vendor.get_job(job_id))
                except JobNotFoundError:
                    mark.active.discard(job_id)
                except BatchDlError as error:
                    log.warning("Polling job %s failed, retrying later: %s", job_id, error)
                else:
                    if job.state.is_terminal:
                        mark.active.discard(job_id)
                    if job.state is JobState.SUCCEEDED:
                        succeeded.append(job)
        return succeeded

    # State.

    @property
    def _key(self) -> str:
        # An asset may have several watchers.
        digest = hashlib.blake2b(f"{self.conn_id}\0{self.name or ''}".encode(), digest_size=8)
        return f"batchdl_completed_{digest.hexdigest()}"

    async def _load(self) -> Watermark | None:
        store = self._asset_store()
        if store is None:
            return None
        try:
            stored = await store.aget(self._key)
        except ValueError as problem:
            error = InvalidRequestError(
                f"Several assets share the watcher of connection {self.conn_id!r}, and Airflow stores state for one.",
                remedy="Give the CompletedJobsTrigger of each asset a name of its own.",
            )
            log.error("%s", error)  # noqa: TRY400 the traceback says no more
            await asyncio.sleep(FAILURE_DELAY)
            raise error from problem
        return Watermark.from_dict(stored) if isinstance(stored, dict) else None

    async def _store(self, mark: Watermark) -> None:
        store = self._asset_store()
        if store is not None:
            await store.aset(self._key, storable(mark.to_dict()))

    def _asset_store(self) -> Any:
        store = getattr(self, "asset_state_store", None)
        if store is None and self.conn_id not in _without_store_logged:
            _without_store_logged.add(self.conn_id)
            log.warning(
                "Without Airflow's asset_state_store (3.3 and later), jobs that succeed while the triggerer is down "
                "are not noticed."
            )
        return store


# A DAG file that has a watcher imports this module, and needs no HTTP client.


async def _poller_of(conn_id: str) -> AccountPoller:
    from airflow_provider_batchdl.triggers.account_registry import account_of

    return (await account_of(conn_id))[1]


async def _list_of(conn_id: str) -> tuple[ListedJob, ...]:
    """The account's list; where the credentials are rejected, retried with the connection's new ones."""
    from airflow_provider_batchdl.triggers.account_registry import account_after

    poller = await _poller_of(conn_id)
    try:
        return await _all_jobs(poller)
    except AuthenticationError as error:
        _, poller = await account_after(conn_id, [poller], error)
        log.info("Credentials rejected; connection %s now has new ones, retrying with them", conn_id)
        return await _all_jobs(poller)


async def _all_jobs(poller: AccountPoller) -> tuple[ListedJob, ...]:
    """Every job of the list; where the vendor lists the newest first, every one made within `LOOKBACK`."""
    newest_first = poller.vendor.listing is not None and poller.vendor.listing.newest_first
    jobs: dict[str, ListedJob] = {}
    cursors: set[str] = set()
    cursor: str | None = None
    now = times.now()
    async with poller.client() as client:
        for _ in range(MOST_PAGES):
            page, known = await poller.page(client, cursor), len(jobs)
            for each in page.jobs:
                jobs.setdefault(each.job.id, each)  # a job made in the meantime moves the others onto the next page
            cursor = page.following
            if cursor is None or cursor in cursors or (page.jobs and len(jobs) == known):
                break  # the last page, or one of known jobs alone: a list of these would never end
            if newest_first and _reaches_back(jobs.values(), page.jobs, now):
                break
            cursors.add(cursor)
        else:
            log.warning(
                "The list of %s jobs has more than %d pages; ignoring the rest", poller.vendor.label, MOST_PAGES
            )
    return tuple(jobs.values())


def _reaches_back(jobs: Iterable[ListedJob], page: Iterable[ListedJob], now: datetime) -> bool:
    """True if most jobs of a page were made long before the newest of all: one odd date proves nothing."""
    made = [date for each in jobs if (date := believable(each.created, now))]
    dates = [date for each in page if (date := believable(each.created, now))]
    return bool(dates) and median_low(dates) < max(made) - LOOKBACK
