"""What the shared loop is compared with: triggers that only sleep, and triggers that each look for themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_batchdl.deferral import shown
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.triggers.job import BatchJobTrigger
from airflow_provider_batchdl.waiting import Patience


class SleepingTrigger(BatchJobTrigger):
    """Never looks."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep for a day."""
        await asyncio.sleep(86_400)
        yield TriggerEvent({})  # type: ignore[no-untyped-call]


class LonelyTrigger(BatchJobTrigger):
    """Looks for itself, as most triggers do (and this one did before its account's loop was shared)."""

    async def _wait(self) -> dict[str, Any]:
        async with BatchApiHook(self.conn_id) as hook:
            patience = Patience(hook.poll_interval)
            while True:
                await asyncio.sleep(patience.pause())
                try:
                    job = await hook.aget_job(self.job_id)
                    patience.reset()
                except BatchDlError as error:
                    patience.forgive(error)
                else:
                    if job.state.is_terminal:
                        return {"job_id": self.job_id, "status": "ended", "job": shown(job)}


KINDS: dict[str, type[BatchJobTrigger]] = {
    "sleeping": SleepingTrigger,
    "shared": BatchJobTrigger,
    "lonely": LonelyTrigger,
}
