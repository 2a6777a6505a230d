"""One deferred wait for one job."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_batchdl.deferral import shown
from airflow_provider_batchdl.exceptions import BatchDlError, UnsupportedOperationError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.jobs import Job
from airflow_provider_batchdl.kills import task_state
from airflow_provider_batchdl.waiting import Patience

# How much longer than the deadline a look may take; less than Airflow's own patience with the trigger.
LAST_LOOK = 30.0


class BatchJobTrigger(BaseTrigger):
    """Waits until a job has ended, whichever way, and fires one event.

    The event has a ``job_id`` and a ``status``: ``ended`` with the ``job``, ``timeout`` with the ``job`` as last
    seen (or None), or ``error`` with the ``error``. It is small JSON with neither a URL nor a secret in it. What it
    means is decided on the worker, by the same function as without deferring.

    Args:
        conn_id: the account's connection.
        job_id: the vendor's id of the job.
        poll_interval: seconds between looks; None for the connection's or the vendor's.
        deadline: Unix time at which to give up; None for never.
        cancel_on_kill: cancel the job at the vendor when a user ends or clears the deferred task. Only for a task
            that submitted the job itself.
    """

    def __init__(
        self,
        conn_id: str,
        job_id: str,
        poll_interval: float | None = None,
        deadline: float | None = None,
        cancel_on_kill: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = conn_id
        self.job_id = job_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.cancel_on_kill = cancel_on_kill

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
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the one event."""
        try:
            event = await self._wait()
        except BatchDlError as error:
            event = {"status": "error", "job_id": self.job_id, "error": error.to_dict()}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def _wait(self) -> dict[str, Any]:
        async with BatchApiHook(self.conn_id) as hook:
            patience = Patience(self.poll_interval or hook.poll_interval)
            job: Job | None = None
            event = {"job_id": self.job_id}
            while True:
                # The worker has just looked; and a triggerer that restarts must not look at all its jobs at once.
                await asyncio.sleep(min(patience.pause(), self._left()))
                try:
                    async with asyncio.timeout(None if self.deadline is None else self._left() + LAST_LOOK):
                        job = await hook.aget_job(self.job_id)
                    patience.reset()
                except BatchDlError as error:
                    patience.forgive(error)
                except TimeoutError:
                    self.log.warning("The vendor did not answer about job %s in time.", self.job_id)
                if job is not None and job.state.is_terminal:
                    return {**event, "status": "ended", "job": shown(job)}
                if self._left() <= 0:
                    return {**event, "status": "timeout", "job": shown(job) if job else None}

    def _left(self) -> float:
        return float("inf") if self.deadline is None else max(0.0, self.deadline - time.time())

    async def on_kill(self) -> None:
        """Cancel the job, where the task owns it and a user really ended the task.

        Airflow calls this also when another triggerer merely takes the trigger over. The task is then still
        deferred, which is how the two are told apart.
        """
        if not self.cancel_on_kill or await self._still_deferred():
            return
        async with BatchApiHook(self.conn_id) as hook:
            try:
                await hook.acancel_job(self.job_id)
                self.log.info("Cancelled job %s at the vendor.", self.job_id)
            except UnsupportedOperationError as error:
                self.log.warning("Job %s goes on at the vendor: %s", self.job_id, error.message)

    async def _still_deferred(self) -> bool:
        from asgiref.sync import sync_to_async

        ti = self.task_instance
        return ti is not None and await sync_to_async(task_state)(ti) == "deferred"
