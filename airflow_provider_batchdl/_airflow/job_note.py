"""Note of a task's job for the page "Batch jobs" in Airflow's UI: the XCom ``batchdl_job``.

While it is deferred, a trigger notes polls beside it, as the XCom ``batchdl_poll``; a task that waits itself does, too.
The task pushes its note whenever it learns something: the connection, the job's id, its state, the landing, an error.
Airflow removes both when the task is tried again or cleared, and with the task instance.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._airflow.compat import (
    AirflowException,
    AirflowTaskTimeout,
    is_ui_enabled,
    push_from_triggerer,
)
from airflow_provider_batchdl._redaction.redactor import excerpt, get_logger, redact_value
from airflow_provider_batchdl._values.storable import storable
from airflow_provider_batchdl._values.times import now, rfc3339
from airflow_provider_batchdl.exceptions import BatchDlError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_batchdl.jobs import Job, Landing

log = get_logger(__name__)

NOTE_KEY = "batchdl_job"
POLL_KEY = "batchdl_poll"
# Minimum seconds between two notes of one job's polls.
POLL_SECONDS = 60.0
# Characters of an error that is not ours.
LONGEST_ERROR = 500


def note(task: Any, context: Context, **facts: Any) -> None:
    """Add facts to the note of a task's job, and push it if it has changed."""
    if not is_ui_enabled():
        return
    known: dict[str, Any] = task.__dict__.setdefault("_job_note", {})
    changed = known | storable(redact_value(facts))
    if changed != known:
        known |= changed
        try_push(context, NOTE_KEY, changed | {"noted_at": rfc3339(now())})


def note_job(task: Any, context: Context, job: Job) -> None:
    """Note a job as the vendor described it."""
    note(task, context, job_id=job.id, name=job.name, **facts_of(job))


def facts_of(job: Job) -> dict[str, Any]:
    """The members of a note that a poll shows."""
    known = {"state": job.state.value, "vendor_state": job.vendor_state, "message": job.message}
    return known | {"progress": job.progress, "records": job.records}


def note_wait(task: Any, context: Context, job: Job) -> None:
    """Note a poll of a task that waits itself, at most one a minute; a change is noted at once by `note_job`."""
    at = time.monotonic()
    if at - task.__dict__.setdefault("_poll_noted_at", at) >= POLL_SECONDS and is_ui_enabled():
        task.__dict__["_poll_noted_at"] = at
        try_push(context, POLL_KEY, storable(redact_value({"polled_at": rfc3339(now()), **facts_of(job)})))


def note_landing(task: Any, context: Context, landing: Landing, destination: str) -> None:
    """Note a finished download; its files are in the task's return value."""
    facts = {"bytes": landing.bytes, "files": len(landing.files), "rows": landing.rows, "destination": destination}
    note(task, context, state="succeeded", landed=facts, error=None)


async def note_poll(task_instance: Any, facts: dict[str, Any]) -> None:
    """Note, in a triggerer, what a poll of a deferred task's job saw. It never raises."""
    if not is_ui_enabled():
        return
    try:
        await push_from_triggerer(task_instance, POLL_KEY, storable(redact_value(facts)))
    except Exception as error:  # noqa: BLE001  a note is not worth a wait
        log.debug("Cannot push XCom %s: %s", POLL_KEY, error)


def note_error(task: Any, context: Context, error: BaseException) -> None:
    """Note the error that ends a try, with the vendor's own words and the remedy."""
    if isinstance(error, BatchDlError):
        facts = error.to_dict()
        known = {name: facts[name] for name in ("conn_id", "vendor", "job_id") if facts[name] is not None}
        note(task, context, **known, error=facts)
    elif isinstance(error, AirflowException | AirflowTaskTimeout):
        facts = {"type": type(error).__name__, "message": excerpt(str(error), LONGEST_ERROR)}
        note(task, context, error=facts)


def try_push(context: Context, key: str, value: Any) -> bool:
    """Push an XCom; return whether Airflow did: if it is down, that must not fail a try that has paid for a job."""
    try:
        context["ti"].xcom_push(key=key, value=value)
    except Exception as error:  # noqa: BLE001  whatever stands between a task and Airflow's database
        log.warning("Cannot push XCom %s: %s", key, error)
        return False
    return True
