"""Triggers to compare the shared loop with: some only sleep, some poll each for itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_batchdl.client import AsyncBatchClient
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.polling.backoff import PollBackoff
from airflow_provider_batchdl.triggers.account_registry import account_of
from airflow_provider_batchdl.triggers.events import job_to_event
from airflow_provider_batchdl.triggers.job import BatchJobTrigger


class _OfThisModule(BatchJobTrigger):
    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments."""
        return f"{__name__}.{type(self).__name__}", super().serialize()[1]


class SleepingTrigger(_OfThisModule):
    """Never polls."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep for a day."""
        await asyncio.sleep(86_400)
        yield TriggerEvent({})  # type: ignore[no-untyped-call]


class LonelyTrigger(_OfThisModule):
    """Polls for itself, as most triggers do (and this one did before its account's loop was shared).

    It does not read its connection for itself: that would take all the time there is.
    """

    async def _wait(self) -> dict[str, Any]:
        hook, watch = await account_of(self.conn_id)
        async with AsyncBatchClient(watch.vendor) as client:
            patience = PollBackoff(hook.poll_interval)
            while True:
                await asyncio.sleep(patience.next_delay())
                try:
                    job = await client.run(watch.vendor.get_job(self.job_id))
                    patience.reset()
                except BatchDlError as error:
                    patience.record_failure(error)
                else:
                    if job.state.is_terminal:
                        return {"status": "ended", "job": job_to_event(job)}


KINDS: dict[str, type[BatchJobTrigger]] = {
    "sleeping": SleepingTrigger,
    "shared": BatchJobTrigger,
    "lonely": LonelyTrigger,
}
