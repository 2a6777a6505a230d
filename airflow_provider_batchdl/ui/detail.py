"""One job in full, from what Airflow has of its task: tries, record, wait, results, asset events, users' actions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskreschedule import TaskReschedule
from airflow.models.trigger import Trigger
from sqlalchemy import func, select

from airflow_provider_batchdl._airflow.compat_database import same_task_instance, stored_task_state, tries_of
from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl._tasks.job_record import STATE_KEY
from airflow_provider_batchdl._values.times import moment_of
from airflow_provider_batchdl.ui import shapes
from airflow_provider_batchdl.ui.access import may_read_asset, may_read_audit_log
from airflow_provider_batchdl.ui.queries import xcom_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from airflow_provider_batchdl.ui.queries import Row

TRIGGER = "airflow_provider_batchdl.triggers.job.BatchJobTrigger"
MOST_ENTRIES = 100


@dataclass(frozen=True)
class Entry:
    """One line of a job's history."""

    when: datetime
    what: str


@dataclass(frozen=True)
class Detail:
    """All that is known of a job beside its row.

    Args:
        landing: the task's return value, if it is a landing, with its first files; ``more_files`` says how many follow.
        rescheduled: when a sensor that gave up its slot polls again.
        record: the task's record of its submit, as it is stored; None without one.
        wait: arguments of a deferred wait's trigger.
        earlier: ids of the task's previous jobs.
    """

    landing: Mapping[str, Any]
    more_files: int
    history: list[Entry]
    rescheduled: datetime | None
    record: Any
    wait: Mapping[str, Any]
    earlier: list[str]
    assets: list[str]


def of(session: Session, row: Row, user: Any) -> Detail:
    """The details of one job, as far as ``user`` may see them."""
    landing, files = _landing(session, row)
    stored = stored_task_state(session, row, STATE_KEY)
    record = shapes.RECORD(stored)
    actions = _actions(session, row) if may_read_audit_log(user, row.dag_id) else ()
    entries = (*_tries(session, row), *_submit(record), *actions, *_notes(row), *_polls(row))
    history = sorted(entries, key=lambda entry: entry.when)
    return Detail(
        landing=landing,
        more_files=files - len(landing.get("files", ())),
        history=history[-MOST_ENTRIES:],
        rescheduled=_rescheduled(session, row),
        record=stored,
        wait=_wait(session, row),
        earlier=record.get("known_job_ids", []),
        assets=_assets(session, row, user),
    )


def _landing(session: Session, row: Row) -> tuple[Mapping[str, Any], int]:
    """The task's return value, and how many files it has; empty if it is no landing."""
    value = xcom_of(session, row, "return_value")
    found = shapes.LANDING(value)
    return (found, len(value["files"])) if {"job_id", "vendor", "files"} <= found.keys() else ({}, 0)


def _tries(session: Session, row: Row) -> Iterator[Entry]:
    for number, start, end, state in tries_of(session, row):
        if start is not None:
            yield Entry(start, f"Try {number} started")
        if end is not None:
            yield Entry(end, f"Try {number} ended: {state}")


def _submit(record: Mapping[str, Any]) -> Iterator[Entry]:
    if (when := moment_of(record.get("submitted_at"))) is not None:
        job_id = record.get("job_id")
        yield Entry(when, f"Job {job_id} submitted" if job_id else "Submit sent; no job id stored")


def _notes(row: Row) -> Iterator[Entry]:
    words = row.note.get("vendor_state")
    if (error := row.note.get("error")) is not None:
        yield Entry(row.noted, f"Error: {error.get('type')}")
    elif row.note.get("landed"):
        yield Entry(row.noted, "Results landed")
    elif words:
        yield Entry(row.noted, f"Last poll by the task: {words}")


def _polls(row: Row) -> Iterator[Entry]:
    if (when := moment_of(row.poll.get("polled_at"))) is not None:
        yield Entry(when, f"Last poll that is noted: {row.poll.get('vendor_state') or 'no response yet'}")


def _actions(session: Session, row: Row) -> Iterator[Entry]:
    wanted = select(Log.dttm, Log.event, Log.owner).where(*same_task_instance(Log, row)).order_by(Log.dttm.desc())
    for when, event, owner in session.execute(wanted.limit(MOST_ENTRIES)):
        if when is not None and event not in ("running", "success", "failed"):  # Airflow's own, said by the tries
            yield Entry(when, f"{event}{f' by {owner}' if owner else ''}")


def _wait(session: Session, row: Row) -> Mapping[str, Any]:
    """The arguments of a deferred wait's trigger; empty if there is none, or it cannot be decrypted."""
    wanted = select(Trigger).join(TaskInstance, TaskInstance.trigger_id == Trigger.id)
    found = session.scalars(wanted.where(Trigger.classpath == TRIGGER, *same_task_instance(TaskInstance, row))).first()
    if found is None:
        return {}
    try:
        arguments = shapes.WAIT(found.kwargs)
    except Exception:  # noqa: BLE001  another key, or a newer Airflow's format
        return {}
    return arguments | {"deadline": moment_of(arguments.get("deadline"))}


def _rescheduled(session: Session, row: Row) -> datetime | None:
    if row.task_state != "up_for_reschedule":
        return None
    wanted = select(func.max(TaskReschedule.reschedule_date)).join(
        TaskInstance, TaskReschedule.ti_id == TaskInstance.id
    )
    found: datetime | None = session.scalar(wanted.where(*same_task_instance(TaskInstance, row)))
    return found


def _assets(session: Session, row: Row, user: Any) -> list[str]:
    wanted = select(AssetModel.id, AssetModel.uri).distinct().join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
    wanted = wanted.where(
        AssetEvent.source_dag_id == row.dag_id,
        AssetEvent.source_run_id == row.run_id,
        AssetEvent.source_task_id == row.task_id,
        AssetEvent.source_map_index == row.map_index,
    )
    found = session.execute(wanted.limit(MOST_ENTRIES))
    return sorted(excerpt(uri, 500) for asset_id, uri in found if may_read_asset(user, asset_id))
