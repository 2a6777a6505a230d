"""Tell a user's kill (cancel the vendor job) from a worker or triggerer shutdown (keep it)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import Any

from airflow_provider_batchdl._airflow.compat import task_state
from airflow_provider_batchdl.exceptions import BatchDlError, JobNotFoundError

# Attempts of a trigger to cancel a job, and seconds between two: a short outage must not leave it running.
ATTEMPTS = 3
PAUSE_SECONDS = 3.0

# Less than `[triggerer] on_kill_timeout`, 30 seconds unless it is set.
ON_KILL_SECONDS = 25.0

# States of a task that nobody has ended: it runs, or will run again. A scheduler that misses a worker's heartbeats ends
# the try. The worker notices that when it is back; by then the next try may wait, run or be deferred.
_CONTINUED = frozenset({"running", "up_for_retry", "up_for_reschedule", "scheduled", "queued", "deferred"})


def is_worth_retrying(error: BatchDlError) -> bool:
    """True if a cancel that failed with this error may succeed in a retry; also if the job was not found."""
    return error.retryable or isinstance(error, JobNotFoundError)


def is_continued(ti: Any) -> bool:
    """True if a task instance runs, or will run again, without a user's doing: its job is still wanted. Blocks.

    ``on_kill`` is also called when a worker's pod is evicted: the state is still ``running`` then.
    """
    return task_state(ti) in _CONTINUED


async def shield_until_done(work: Coroutine[Any, Any, None]) -> None:
    """Run a trigger's ``on_kill`` to its end, shielded from cancellation.

    Airflow 3.3 cancels a trigger that is to end in every round of its loop, about once a second, and with it a running
    ``on_kill``, which would have one second instead of the thirty of ``on_kill_timeout``. It is stopped after 25.
    """
    task = asyncio.create_task(work)
    end = time.monotonic() + ON_KILL_SECONDS
    while not task.done() and (left := end - time.monotonic()) > 0:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task], timeout=left)
    if not task.done():
        task.cancel()
        raise TimeoutError(f"Could not cancel the job within {ON_KILL_SECONDS:.0f} s.")
    await task
