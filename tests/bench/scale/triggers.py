"""What the shared loop is compared with: triggers that only sleep, and triggers that each look for themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_batchdl.client import AsyncBatchClient
from airflow_provider_batchdl.deferral import shown
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.triggers.accounts import account_of
from airflow_provider_batchdl.triggers.job import BatchJobTrigger
from airflow_provider_batchdl.waiting import Patience


class _OfThisModule(BatchJobTrigger):
    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments."""
        return f"{__name__}.{type(self).__name__}", super().serialize()[1]


class SleepingTrigger(_OfThisModule):
    """Never looks."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep for a day."""
        await asyncio.sleep(86_400)
        yield TriggerEvent({})  # type: ignore[no-untyped-call]


class LonelyTrigger(_OfThisModule):
    """Looks for itself, as most triggers do (and this one did before its account's loop was shared).

    It does not read its connection for itself: that would take all the time there is.
    """

    async def _wait(self) -> dict[str, Any]:
        hook, watch = await account_of(self.conn_id)
        async with AsyncBatchClient(watch.vendor) as client:
            patience = Patience(hook.poll_interval)
            while True:
                await asyncio.sleep(patience.pause())
                try:
                    job = await client.run(watch.vendor.get_job(self.job_id))
                    patience.reset()
                except BatchDlError as error:
                    patience.forgive(error)
                else:
                    if job.state.is_terminal:
                        return {"status": "ended", "job": shown(job)}


KINDS: dict[str, type[BatchJobTrigger]] = {
    "sleeping": SleepingTrigger,
    "shared": BatchJobTrigger,
    "lonely": LonelyTrigger,
}
