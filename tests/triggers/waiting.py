"""Many waits at once, for tests of the shared poll loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.triggers.job import BatchJobTrigger

# No test waits longer for what must happen, on however busy a machine.
PATIENCE = 120.0
_WAIT = "a test's wait"
# Jobs that are due together are polled by one list request. The older a job is, the longer its interval, and the wider
# its jitter: on a machine that takes seconds, some are polled alone. With this maximum they stay together.
TOGETHER: dict[str, Any] = {"max_poll_interval": 0.1}


async def payload_of(trigger: BatchJobTrigger) -> dict[str, Any]:
    events: Any = trigger.run()
    async with aclosing(events):
        payload: dict[str, Any] = (await anext(events)).payload
    return payload


def waits_for(jobs: Iterable[EmulatedJob], **more: Any) -> list[asyncio.Task[dict[str, Any]]]:
    """A task for each job that waits for it."""
    triggers = [BatchJobTrigger(f"{job.vendor}_default", job.id, **more) for job in jobs]
    return [asyncio.create_task(payload_of(trigger), name=_WAIT) for trigger in triggers]


@asynccontextmanager
async def patience() -> AsyncIterator[None]:
    """A bound on all that is done within; whoever still waits at its end is told to stop, and has stopped then."""
    async with asyncio.timeout(PATIENCE):
        try:
            yield
        finally:
            left = [task for task in asyncio.all_tasks() if task.get_name() == _WAIT]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 the emulator runs in another thread
        await asyncio.sleep(0.02)


def statuses(events: Iterable[dict[str, Any]]) -> set[str]:
    return {event["status"] for event in events}


def errors(events: Iterable[dict[str, Any]]) -> set[type[BatchDlError]]:
    return {type(BatchDlError.from_dict(event["error"])) for event in events}
