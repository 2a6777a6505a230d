"""Deferral: deadlines, and tasks that defer again because the trigger event was not theirs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_batchdl.exceptions import JobNotFoundError, UnexpectedResponseError
from airflow_provider_batchdl.triggers.events import is_event_of

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from airflow_provider_batchdl.hooks.base import BatchApiHook

# The usual completion window of batch APIs; Airflow's own default is a week for a sensor, and none for a task.
LONGEST_WAIT = timedelta(hours=24)
# Airflow ends the deferral this much later than the trigger's own deadline.
_BACKSTOP = timedelta(minutes=1)


def limit_of(operator: BaseOperator, timeout: float | None) -> float | None:
    """The most seconds of a wait: ``timeout``, else a day; None where the task's ``execution_timeout`` is all."""
    if timeout is not None:
        return timeout
    return LONGEST_WAIT.total_seconds() if operator.execution_timeout is None else None


def wait_in_triggerer(operator: Any, context: Context, job_id: str, *, cancel_on_kill: bool = False) -> NoReturn:
    """Defer a task until its job has ended, or its ``timeout`` or ``execution_timeout`` is over."""
    now = time.time()
    ends = [] if operator.timeout is None else [now + operator.timeout]
    if operator.execution_timeout is not None:
        ends.append(context["ti"].start_date.timestamp() + operator.execution_timeout.total_seconds())
    wait = {
        "conn_id": operator.conn_id,
        "job_id": job_id,
        "poll_interval": operator.poll_interval,
        "deadline": min(ends, default=None),
        "cancel_on_kill": cancel_on_kill,
        "max_poll_interval": operator.max_poll_interval,
        "since": now,
    }
    _defer(operator, wait)


def _defer(operator: BaseOperator, wait: Mapping[str, Any]) -> NoReturn:
    """Defer a task; its ``execute_complete`` gets the event, and as ``wait`` the trigger's arguments.

    A trigger with a deadline ends the wait itself; Airflow's time-out of the deferral is for one that hangs.
    """
    from airflow_provider_batchdl.triggers.job import BatchJobTrigger

    trigger, timeout = BatchJobTrigger(**wait), None
    if trigger.deadline is not None:
        timeout = timedelta(seconds=max(0.0, trigger.deadline - time.time())) + _BACKSTOP
    kwargs = {"wait": trigger.serialize()[1]}
    operator.defer(trigger=trigger, method_name="execute_complete", kwargs=kwargs, timeout=timeout)


def keep_waiting_unless_answered(operator: BaseOperator, event: object, wait: Mapping[str, Any] | None) -> None:
    """Defer a task again if it was resumed by an event of another trigger.

    Airflow finds a deferred task by its trigger's id in the database. SQLite reuses the ids of deleted triggers, while
    a triggerer may still run the old one, for a second or as long as it waits: with Airflow 3.3.2, a cleared task got
    the event of the job that the clear had cancelled.
    """
    if wait is None or is_event_of(event, wait):
        return
    operator.log.warning("Ignoring a trigger event of another deferral; still waiting for job %s", wait["job_id"])
    _defer(operator, wait)


def keep_waiting_if_listed(
    operator: BaseOperator, hook: BatchApiHook, event: Mapping[str, Any], wait: Mapping[str, Any] | None
) -> None:
    """Defer a task again if its trigger did not find the job, but the vendor lists and finds it now."""
    error = event.get("error")
    gone = isinstance(error, Mapping) and error.get("type") == JobNotFoundError.__name__
    if wait is None or not gone or not hook.is_listed(event["job_id"]):
        return
    from airflow_provider_batchdl.hooks._polls import find_job

    try:
        find_job(hook, event["job_id"])
    except (JobNotFoundError, UnexpectedResponseError):
        return
    operator.log.warning("Job %s was not found for a while, but the vendor lists it; still waiting", event["job_id"])
    _defer(operator, wait)
