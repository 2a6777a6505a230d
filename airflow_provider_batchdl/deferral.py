"""What deferring tasks have in common, and what a job looks like to Airflow."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_batchdl.exceptions import BatchDlError, JobNotFoundError, UnexpectedResponseError
from airflow_provider_batchdl.jobs import Job
from airflow_provider_batchdl.redaction import redact_value
from airflow_provider_batchdl.storable import bounded_text, storable

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from airflow_provider_batchdl.hooks.base import BatchApiHook
    from airflow_provider_batchdl.triggers.job import BatchJobTrigger

# The window that batch APIs promise an answer in; Airflow's own default for a sensor is a week, and for a task none.
LONGEST_WAIT = timedelta(hours=24)
# How much later than the trigger's own deadline Airflow ends the deferral.
_BACKSTOP = timedelta(minutes=1)
# UTF-8 bytes of JSON that a job's files take in XCom or in an event. The rest is left out, and counted: a download asks
# the vendor for them anyway.
LARGEST_FILES = 16 * 1024


def default_deferrable() -> bool:
    """``[operators] default_deferrable``."""
    try:
        from airflow.sdk import conf
    except ImportError:  # Airflow 3.1
        from airflow.configuration import conf  # type: ignore[assignment]

    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def seconds_of(span: float | timedelta | None) -> float | None:
    """An operator's argument that is given in seconds or as a ``timedelta``."""
    return span.total_seconds() if isinstance(span, timedelta) else span


def limit_of(operator: BaseOperator, timeout: float | timedelta | None) -> float | None:
    """The most seconds of a wait: ``timeout``, else a day; None where the task's ``execution_timeout`` is all."""
    if timeout is not None:
        return seconds_of(timeout)
    return LONGEST_WAIT.total_seconds() if operator.execution_timeout is None else None


def deadline_of(operator: BaseOperator, context: Context, limit: float | None) -> float | None:
    """When a wait that begins now is over, in Unix time: after ``limit`` seconds or by ``execution_timeout``."""
    ends = [] if limit is None else [time.time() + limit]
    if operator.execution_timeout is not None:
        ends.append(context["ti"].start_date.timestamp() + operator.execution_timeout.total_seconds())
    return min(ends, default=None)


def wait_in_triggerer(operator: BaseOperator, trigger: BatchJobTrigger) -> NoReturn:
    """Defer a task until the trigger fires: then its ``execute_complete`` gets the event, and as ``wait`` what for.

    A trigger with a deadline keeps the time itself; Airflow's own patience with it catches one that hangs.

    Raises:
        TaskDeferred: by which Airflow learns of it.
    """
    _, wait = trigger.serialize()
    timeout = None
    if trigger.deadline is not None:
        timeout = timedelta(seconds=max(0.0, trigger.deadline - time.time())) + _BACKSTOP
    operator.defer(trigger=trigger, method_name="execute_complete", kwargs={"wait": wait}, timeout=timeout)


def wait_on_unless_answered(operator: BaseOperator, event: object, wait: Mapping[str, Any] | None) -> None:
    """Defer a task again where the event that woke it is not of its own trigger.

    Airflow knows a deferred task by its trigger's number in the database. SQLite gives the numbers of triggers that
    are gone to new ones, while a triggerer may still run an old one, for a second or as long as it waits: seen with
    Airflow 3.3.2, where a task that was cleared got the end of the job that the clear had cancelled.

    Args:
        operator: the task.
        event: what woke it.
        wait: what its trigger was made with; None where that is not known.

    Raises:
        TaskDeferred: it waits on.
    """
    if wait is None or _answers(event, wait):
        return
    from airflow_provider_batchdl.triggers.job import BatchJobTrigger

    operator.log.warning("Airflow woke this task by the event of another wait. Waiting on for job %s.", wait["job_id"])
    wait_in_triggerer(operator, BatchJobTrigger(**wait))


def wait_on_if_listed(
    operator: BaseOperator, hook: BatchApiHook, event: Mapping[str, Any], wait: Mapping[str, Any] | None
) -> None:
    """Defer a task again where its trigger did not find the job, and the vendor lists it, and finds it by now.

    Args:
        operator: the task.
        hook: the account.
        event: the trigger's.
        wait: what the trigger was made with; None where that is not known.

    Raises:
        TaskDeferred: it waits on.
        BatchDlError: the list cannot be read.
    """
    gone = event["status"] == "error" and event["error"].get("type") == JobNotFoundError.__name__
    if wait is None or not gone or not hook.is_listed(event["job_id"]):
        return
    from airflow_provider_batchdl.hooks.polls import find_job
    from airflow_provider_batchdl.triggers.job import BatchJobTrigger

    try:
        find_job(hook, event["job_id"])
    except (JobNotFoundError, UnexpectedResponseError):
        return
    operator.log.warning("The vendor did not find job %s for a while: still waiting.", event["job_id"])
    wait_in_triggerer(operator, BatchJobTrigger(**wait))


def _answers(event: object, wait: Mapping[str, Any]) -> bool:
    if not isinstance(event, Mapping) or event.get("job_id") != storable(wait["job_id"]):
        return False
    # Ids are the vendor's, and the time that is up may be that of another wait for the same job.
    facts = ("conn_id", "deadline") if event.get("status") == "timeout" else ("conn_id",)
    return all(event.get(fact, wait[fact]) == wait[fact] for fact in facts)


def shown(job: Job) -> dict[str, Any]:
    """The job as it may lie in XCom and in an event: storable, small, and with no secret in the vendor's words.

    Of very many files it has the first, and in ``files_omitted`` how many more there are. A file's id may be a signed
    URL, and is masked then: who downloads asks for the job again, and has it from there.
    """
    facts = {**redact_value(job.to_dict()), "id": job.id}
    facts["message"] = bounded_text(facts["message"]) if job.message else job.message
    ends = accumulate(len(json.dumps(file, ensure_ascii=False).encode()) for file in facts["files"])
    fitting = max(1, sum(end <= LARGEST_FILES for end in ends))
    if fitting < len(job.files):
        facts |= {"files": facts["files"][:fitting], "files_omitted": len(job.files) - fitting}
    return facts


def ended_job(event: dict[str, Any]) -> Job | None:
    """The job that a trigger's event reports, None where the trigger's time was up.

    Raises:
        BatchDlError: what made the trigger give up.
    """
    if event["status"] == "error":
        raise BatchDlError.from_dict(event["error"])
    return Job.from_dict(event["job"]) if event["status"] == "ended" else None
