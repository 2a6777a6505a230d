"""Minimum time from a deferral to its event: Airflow needs it to notice the deferral everywhere.

A worker notices that its task has ended, for a deferral too, within ``[workers] min_heartbeat_interval`` (five seconds
by default), and the scheduler hears of it a moment later. Where the trigger has fired by then and the task is queued or
runs again, the scheduler takes the first end for the second, and fails the task: "the task instance finished with state
success, but the task instance's state attribute is queued" (``SchedulerJobRunner.process_executor_events`` of Airflow
3.3.2). A trigger that fires no sooner than this cannot cause it.
"""

from __future__ import annotations

# From the worker's notice to the scheduler's: a loop of it, and a message of the executor.
_SCHEDULER_SECONDS = 3.0


def settling_seconds() -> float:
    """Minimum seconds between the start of a trigger and its event."""
    from airflow.configuration import conf

    return conf.getfloat("workers", "min_heartbeat_interval", fallback=5.0) + _SCHEDULER_SECONDS
