"""One deferred wait for one job."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_batchdl.deferral import shown
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    BatchDlError,
    UnexpectedResponseError,
    UnsupportedOperationError,
)
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.kills import ATTEMPTS, PAUSE_SECONDS, may_pass, task_state, undisturbed
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.storable import storable
from airflow_provider_batchdl.triggers.accounts import account_after, account_of
from airflow_provider_batchdl.triggers.interval import longest_by_default

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import Job
    from airflow_provider_batchdl.triggers.waits import Subscription
    from airflow_provider_batchdl.triggers.watch import AccountWatch

log = get_logger(__name__)

# How much longer than the deadline a look may take; less than Airflow's own patience with the trigger.
LAST_LOOK = 30.0


class BatchJobTrigger(BaseTrigger):
    """Waits until a job has ended, whichever way, and fires one event.

    The event has a ``conn_id``, a ``job_id`` and a ``status``: ``ended`` with the ``job``, ``timeout`` with the
    ``deadline`` and the ``job`` as last seen (or None), or ``error`` with the ``error``. It is small JSON that every
    part of Airflow can store, with neither a URL nor a secret in it. What it means is decided on the worker, by the
    same function as without deferring.

    Args:
        conn_id: the account's connection.
        job_id: the vendor's id of the job.
        poll_interval: least seconds between looks; None for the connection's or the vendor's.
        deadline: Unix time at which to give up; None for never.
        cancel_on_kill: cancel the job at the vendor when a user ends or clears the deferred task. Only for a task
            that submitted the job itself.
        max_poll_interval: most seconds between looks, for jobs that take long; None for the connection's, or eight
            times ``poll_interval`` and at most five minutes.
        since: Unix time at which the job was submitted, which tells how long to leave it alone; None for unknown.

    All triggers of an account share one poll loop: see :mod:`airflow_provider_batchdl.triggers.watch`. Where the key
    is refused, the connection is read again; if it has another one by then, the wait goes on with that.
    """

    def __init__(
        self,
        conn_id: str,
        job_id: str,
        poll_interval: float | None = None,
        deadline: float | None = None,
        cancel_on_kill: bool = False,
        max_poll_interval: float | None = None,
        since: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = conn_id
        self.job_id = job_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.cancel_on_kill = cancel_on_kill
        self.max_poll_interval = max_poll_interval
        self.since = since
        self._seen: Job | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments, as stored in Airflow's database: no secret among them."""
        return (
            "airflow_provider_batchdl.triggers.job.BatchJobTrigger",
            {
                "conn_id": self.conn_id,
                "job_id": self.job_id,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "cancel_on_kill": self.cancel_on_kill,
                "max_poll_interval": self.max_poll_interval,
                "since": self.since,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the one event: a trigger that ends without one fails its task with no word of the reason."""
        try:
            event = await self._wait()
        except BatchDlError as error:
            event = {"status": "error", "error": error.to_dict()}
        except Exception as error:
            log.exception("The wait for job %s broke.", self.job_id)
            event = {"status": "error", "error": self._broken(error).to_dict()}
        payload = storable({"conn_id": self.conn_id, "job_id": self.job_id, **event})
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call]

    def _broken(self, error: BaseException) -> BatchDlError:
        # Not its words: they may be the connection's.
        return UnexpectedResponseError(
            f"The wait for the job broke: {type(error).__name__}.",
            job_id=self.job_id,
            remedy="Retry the task, and see the triggerer's log; a connection that cannot be read ends a wait so, too.",
        )

    async def _wait(self) -> dict[str, Any]:
        limit = asyncio.timeout(None if self.deadline is None else self._left() + LAST_LOOK)
        try:
            async with limit:
                await self._until_ended()
        except TimeoutError:
            if not limit.expired():
                raise
            self.log.warning("The vendor did not answer about job %s in time.", self.job_id)
        job = self._seen
        known = shown(job) if job is not None else None
        if job is not None and job.state.is_terminal:
            return {"status": "ended", "job": known}
        return {"status": "timeout", "deadline": self.deadline, "job": known}

    async def _until_ended(self) -> None:
        """Wait for the job's end or the last look, with whatever key the connection has by then."""
        hook, watch = await account_of(self.conn_id)
        refused: list[AccountWatch] = []
        while True:
            async with self._subscribed(hook, watch) as wait:
                try:
                    await wait.ended
                    return
                except AuthenticationError as error:
                    refused.append(watch)
                    hook, watch = await account_after(self.conn_id, refused, error)
                except asyncio.CancelledError as error:
                    if (task := asyncio.current_task()) is not None and task.cancelling():
                        raise
                    raise self._broken(error) from None  # it is the account's loop that was cancelled, not this wait
            self.log.info("The key was refused, and connection %s has another by now: waiting on.", self.conn_id)

    @asynccontextmanager
    async def _subscribed(self, hook: BatchApiHook, watch: AccountWatch) -> AsyncIterator[Subscription]:
        shortest = self.poll_interval or hook.poll_interval
        longest = self.max_poll_interval or hook.max_poll_interval or longest_by_default(shortest)
        wait = watch.subscribe(
            self.job_id, shortest=shortest, longest=longest, since=self.since, deadline=self.deadline
        )
        try:
            yield wait
        finally:
            self._seen = wait.seen or self._seen
            await watch.unsubscribe(wait)

    def _left(self) -> float:
        return float("inf") if self.deadline is None else max(0.0, self.deadline - time.time())

    async def on_kill(self) -> None:
        """Cancel the job, where the task owns it and a user really ended the task.

        Airflow calls this also when another triggerer merely takes the trigger over. The task is then still
        deferred, which is how the two are told apart.
        """
        if self.cancel_on_kill:
            await undisturbed(self._cancel())

    async def _cancel(self) -> None:
        if await self._still_deferred():
            return
        async with BatchApiHook(self.conn_id) as hook:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    await hook.acancel_job(self.job_id)
                    self.log.info("Cancelled job %s at the vendor.", self.job_id)
                    return
                except UnsupportedOperationError as error:
                    self.log.warning("Job %s goes on at the vendor: %s", self.job_id, error.message)
                    return
                except BatchDlError as error:
                    self.log.warning("Could not cancel job %s; it may still be running: %s", self.job_id, error)
                    if attempt == ATTEMPTS or not may_pass(error):
                        return
                await asyncio.sleep(PAUSE_SECONDS)

    async def _still_deferred(self) -> bool:
        from asgiref.sync import sync_to_async

        ti = self.task_instance
        return ti is not None and await sync_to_async(task_state)(ti) == "deferred"
