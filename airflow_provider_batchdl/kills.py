"""Telling a user who ends a task from a machine that goes away: only the first means that the job is not wanted."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import Any

from airflow_provider_batchdl.exceptions import BatchDlError, JobNotFoundError

# A trigger's attempts to cancel a job, and the seconds between two: a slip or a short outage must not leave it running.
ATTEMPTS = 3
PAUSE_SECONDS = 3.0

# Less than `[triggerer] on_kill_timeout`, 30 seconds unless it is set.
ON_KILL_SECONDS = 25.0


def may_pass(error: BatchDlError) -> bool:
    """Whether a cancel that failed so may succeed when it is sent again: also where the job is not found, once."""
    return error.retryable or isinstance(error, JobNotFoundError)


def task_state(ti: Any) -> str | None:
    """The task instance's state, as Airflow has it now; None where it is gone. Blocks.

    ``on_kill`` is also called when a worker's pod is evicted (the state is still ``running`` then) and when another
    triggerer takes a trigger over (``deferred``).
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    map_index = -1 if ti.map_index is None else ti.map_index
    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=map_index
    )
    # A mapped task's instance goes by another name in the answer.
    name = ti.task_id if map_index < 0 else f"{ti.task_id}_{map_index}"
    state = states.get(ti.run_id, {}).get(name)
    return None if state is None else str(getattr(state, "value", state))


async def undisturbed(work: Coroutine[Any, Any, None]) -> None:
    """Do what a trigger's ``on_kill`` has to do, to its end.

    Airflow 3.3 cancels a trigger that is to end again with every round of its loop, about once a second, and with it
    an ``on_kill`` that is under way: it would have one second rather than the thirty of ``on_kill_timeout``.

    Raises:
        TimeoutError: it takes too long; it is stopped.
    """
    task = asyncio.create_task(work)
    end = time.monotonic() + ON_KILL_SECONDS
    while not task.done() and (left := end - time.monotonic()) > 0:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task], timeout=left)
    if not task.done():
        task.cancel()
        raise TimeoutError(f"The job could not be cancelled within {ON_KILL_SECONDS:.0f} s.")
    await task
