"""One deferred wait for one job."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from tenacity import AsyncRetrying

from airflow_provider_batchdl._airflow.compat import task_state
from airflow_provider_batchdl._airflow.job_note import note_poll
from airflow_provider_batchdl._airflow.on_kill import ATTEMPTS, PAUSE_SECONDS, is_worth_retrying, shield_until_done
from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._values.arguments import plain
from airflow_provider_batchdl._values.inputs import parse_job_id
from airflow_provider_batchdl._values.storable import storable
from airflow_provider_batchdl.client.retrying import retry_options
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    BatchDlError,
    UnexpectedResponseError,
    UnsupportedOperationError,
)
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.polling.interval import longest_by_default
from airflow_provider_batchdl.triggers.account_registry import account_after, account_of
from airflow_provider_batchdl.triggers.events import job_to_event

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import Job
    from airflow_provider_batchdl.polling.waiters import Waiter
    from airflow_provider_batchdl.triggers.account_poller import AccountPoller

__all__ = ["BatchJobTrigger"]

log = get_logger(__name__)

# Seconds past the deadline that the last poll may take; less than Airflow's own time-out of the trigger.
LAST_POLL_SECONDS = 30.0
# From a worker's notice that its task has ended to the scheduler's: a loop of it, and a message of the executor.
SCHEDULER_SECONDS = 3.0


class BatchJobTrigger(BaseTrigger):
    """Waits until a job has ended, whichever way, and fires one event.

    The event has a ``conn_id``, a ``job_id`` and a ``status``: ``ended`` with the ``job``, ``timeout`` with the
    ``deadline`` and the ``job`` as last seen (or None), or ``error`` with the ``error``. It is small JSON that every
    part of Airflow can store, with neither a URL nor a secret in it. What it means is decided on the worker, by the
    same function as without deferring.

    Args:
        conn_id: the account's connection.
        job_id: the vendor's id of the job.
        poll_interval: minimum seconds between polls; None for the connection's or the vendor's.
        deadline: Unix time at which to give up; None for never.
        cancel_on_kill: cancel the job at the vendor when a user ends or clears the deferred task. Only for a task
            that submitted the job itself.
        max_poll_interval: maximum seconds between polls, for jobs that take long; None for the connection's, or eight
            times ``poll_interval`` and at most five minutes.
        since: Unix time at which the job was submitted, from which its poll interval follows; None for unknown.

    All triggers of an account share one poll loop: see ``triggers/account_poller.py``. Where the credentials are
    rejected, the connection is read again; if it has new ones, the wait continues with them.
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
        self.conn_id: str = plain("conn_id", conn_id)
        self.job_id = job_id
        self.poll_interval: float | None = plain("poll_interval", poll_interval)
        self.deadline: float | None = plain("deadline", deadline)
        self.cancel_on_kill: bool = plain("cancel_on_kill", cancel_on_kill)
        self.max_poll_interval: float | None = plain("max_poll_interval", max_poll_interval)
        self.since: float | None = plain("since", since)
        self._seen: Job | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments, as stored in Airflow's database: no secret among them."""
        names = ("conn_id", "job_id", "poll_interval", "deadline", "cancel_on_kill", "max_poll_interval", "since")
        return "airflow_provider_batchdl.triggers.job.BatchJobTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the one event: a trigger that ends without one fails its task with no word of the reason."""
        began = time.monotonic()
        try:
            event = await self._wait()
        except BatchDlError as error:
            # Of two connections to one account, the poller knows one.
            event = {"status": "error", "error": {**error.to_dict(), "conn_id": self.conn_id}}
        except Exception as error:
            log.exception("The wait for job %s crashed", self.job_id)
            event = {"status": "error", "error": self._broken(error).to_dict()}
        payload = storable({"conn_id": self.conn_id, "job_id": self.job_id, **event})
        if self.task_instance is not None:  # by `dag.test()`, there is no worker
            await asyncio.sleep(began + settling_seconds() - time.monotonic())
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call]

    def _broken(self, error: BaseException) -> BatchDlError:
        # Not its words: they may be the connection's.
        return UnexpectedResponseError(
            f"The wait for the job crashed: {type(error).__name__}.",
            job_id=self.job_id,
            remedy="Retry the task, and check the triggerer's log and that the connection can be read.",
        )

    async def _wait(self) -> dict[str, Any]:
        self.job_id = parse_job_id(self.job_id)
        left = None if self.deadline is None else max(0.0, self.deadline - time.time()) + LAST_POLL_SECONDS
        limit = asyncio.timeout(left)
        try:
            async with limit:
                await self._until_ended()
        except TimeoutError:
            if not limit.expired():
                raise
            self.log.warning("Poll timed out for job %s at the deadline", self.job_id)
        job = self._seen
        known = job_to_event(job) if job is not None else None
        if job is not None and job.state.is_terminal:
            return {"status": "ended", "job": known}
        return {"status": "timeout", "deadline": self.deadline, "job": known}

    async def _until_ended(self) -> None:
        """Wait for the job's end or the last poll, with the connection's current credentials."""
        hook, poller = await account_of(self.conn_id)
        refused: list[AccountPoller] = []
        while True:
            async with self._subscribed(hook, poller) as wait:
                try:
                    await wait.ended
                    return
                except AuthenticationError as error:
                    refused.append(poller)
                    hook, poller = await account_after(self.conn_id, refused, error)
                except asyncio.CancelledError as error:
                    if (task := asyncio.current_task()) is not None and task.cancelling():
                        raise
                    raise self._broken(error) from None  # it is the account's loop that was cancelled, not this wait
            self.log.info("Credentials rejected; connection %s now has new ones, retrying with them", self.conn_id)

    @asynccontextmanager
    async def _subscribed(self, hook: BatchApiHook, poller: AccountPoller) -> AsyncIterator[Waiter]:
        shortest = self.poll_interval or hook.poll_interval
        longest = self.max_poll_interval or hook.max_poll_interval or longest_by_default(shortest)
        if longest < shortest:
            self.log.warning(
                "Polling job %s every %g s: the max_poll_interval of %g s is below the poll_interval. Correct the "
                "task's, or the extra of connection %s.",
                self.job_id,
                shortest,
                longest,
                self.conn_id,
            )
            longest = shortest
        wait = poller.subscribe(
            self.job_id,
            shortest=shortest,
            longest=longest,
            since=self.since,
            deadline=self.deadline,
            push_note=None if self.task_instance is None else self._note_poll,
        )
        try:
            yield wait
        finally:
            self._seen = wait.seen or self._seen
            await poller.unsubscribe(wait)

    async def _note_poll(self, facts: dict[str, Any]) -> None:
        await note_poll(self.task_instance, {"conn_id": self.conn_id, "job_id": self.job_id, **facts})

    async def on_kill(self) -> None:
        """Cancel the job, where the task owns it and a user really ended the task.

        Airflow calls this also when another triggerer merely takes the trigger over. The task is then still
        deferred, which distinguishes the two.
        """
        if self.cancel_on_kill:
            await shield_until_done(self._cancel())

    async def _cancel(self) -> None:
        if self._seen is not None and self._seen.state.is_terminal:  # its event is held, or was fired
            return
        from asgiref.sync import sync_to_async

        ti = self.task_instance
        if ti is not None and await sync_to_async(task_state)(ti) == "deferred":
            return
        retrying = AsyncRetrying(**retry_options(ATTEMPTS, is_worth_retrying, lambda *_: PAUSE_SECONDS, self._retrying))
        try:
            async with BatchApiHook(self.conn_id) as hook:
                await retrying(self._cancel_unless_ended, hook)
        except UnsupportedOperationError as error:
            self.log.warning("Cannot cancel job %s; it is still running: %s", self.job_id, error.message)
        except BatchDlError as error:
            self.log.warning("Could not cancel job %s; it may still be running: %s", self.job_id, error)

    async def _cancel_unless_ended(self, hook: BatchApiHook) -> None:
        # A triggerer that took over from this one may have told its end: the task is not deferred any more.
        job = await hook.aget_job(self.job_id)
        if job.state.is_terminal:
            self.log.info("Job %s has already ended: %s", self.job_id, job.vendor_state)
            return
        await hook.acancel_job(self.job_id)
        self.log.info("Cancelled job %s at the vendor", self.job_id)

    def _retrying(self, error: BatchDlError, delay: float) -> None:
        self.log.warning("Could not cancel job %s, retrying in %.1f s: %s", self.job_id, delay, error)


def settling_seconds() -> float:
    """Minimum seconds from a deferral to its event: Airflow needs them to notice the deferral everywhere.

    A worker notices that its task has ended, for a deferral too, within ``[workers] min_heartbeat_interval`` (five
    seconds by default), and the scheduler a moment later. Where the trigger has fired by then and the task is queued or
    runs again, the scheduler takes the first end for the second, and fails the task: "the task instance finished with
    state success, but the task instance's state attribute is queued" (``SchedulerJobRunner.process_executor_events`` of
    Airflow 3.3.2).
    """
    from airflow.configuration import conf

    return conf.getfloat("workers", "min_heartbeat_interval", fallback=5.0) + SCHEDULER_SECONDS
