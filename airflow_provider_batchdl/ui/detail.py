"""One job in full, from what Airflow has of its task: tries, record, wait, results, asset events, users' actions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancehistory import TaskInstanceHistory
from airflow.models.trigger import Trigger
from airflow.models.xcom import XComModel
from sqlalchemy import select

from airflow_provider_batchdl._airflow.compat import stored_task_state
from airflow_provider_batchdl._redaction.redactor import excerpt, redact_value
from airflow_provider_batchdl._tasks.job_record import STATE_KEY
from airflow_provider_batchdl._values.times import moment_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from airflow_provider_batchdl.ui.queries import Row

TRIGGER = "airflow_provider_batchdl.triggers.job.BatchJobTrigger"
# Files on a page; the manifest and the return value have all.
MOST_FILES = 200
MOST_ENTRIES = 100


@dataclass(frozen=True)
class Entry:
    """One line of a job's history.

    Args:
        when: its time.
        what: the words.
    """

    when: datetime
    what: str


@dataclass(frozen=True)
class Detail:
    """All that is known of a job beside its row.

    Args:
        landing: the task's return value, if it is a landing; redacted.
        files: its files, the first ones.
        history: oldest first.
        wait: deadline and poll interval of a deferred wait.
        earlier: ids of the task's previous jobs.
        assets: URIs of the assets that have an event of this task instance.
    """

    landing: Mapping[str, Any]
    files: list[Mapping[str, Any]]
    history: list[Entry]
    wait: Mapping[str, Any]
    earlier: list[str]
    assets: list[str]


def of(session: Session, row: Row) -> Detail:
    """The details of one job."""
    landing = _landing(session, row)
    stored = stored_task_state(session, row, STATE_KEY)
    record = redact_value(stored) if isinstance(stored, dict) else {}
    history = sorted(
        (*_tries(session, row), *_submit(record), *_actions(session, row), *_notes(row)), key=lambda entry: entry.when
    )
    return Detail(
        landing=landing,
        files=[file for file in landing.get("files", ())[:MOST_FILES] if isinstance(file, dict)],
        history=history[-MOST_ENTRIES:],
        wait=_wait(session, row),
        earlier=[str(each) for each in record.get("known_job_ids") or ()],
        assets=_assets(session, row),
    )


def _of_task(model: Any, row: Row) -> list[Any]:
    return [
        model.dag_id == row.dag_id,
        model.run_id == row.run_id,
        model.task_id == row.task_id,
        model.map_index == row.map_index,
    ]


def _landing(session: Session, row: Row) -> Mapping[str, Any]:
    wanted = select(XComModel.value).where(XComModel.key == "return_value", *_of_task(XComModel, row))
    value = session.scalar(wanted)
    is_landing = (
        isinstance(value, dict) and {"job_id", "vendor"} <= value.keys() and isinstance(value.get("files"), list)
    )
    return redact_value(value) if is_landing else {}


def _tries(session: Session, row: Row) -> Iterator[Entry]:
    for model in (TaskInstanceHistory, TaskInstance):
        columns: Any = (model.try_number, model.start_date, model.end_date, model.state)
        for number, start, end, state in session.execute(select(*columns).where(*_of_task(model, row))):
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


def _actions(session: Session, row: Row) -> Iterator[Entry]:
    wanted = select(Log.dttm, Log.event, Log.owner).where(*_of_task(Log, row)).order_by(Log.dttm.desc())
    for when, event, owner in session.execute(wanted.limit(MOST_ENTRIES)):
        if when is not None and event not in ("running", "success", "failed"):  # Airflow's own, said by the tries
            yield Entry(when, f"{event}{f' by {owner}' if owner else ''}")


def _wait(session: Session, row: Row) -> Mapping[str, Any]:
    """The arguments of a deferred wait's trigger; empty if there is none, or it cannot be decrypted."""
    wanted = select(Trigger).join(TaskInstance, TaskInstance.trigger_id == Trigger.id)
    found = session.scalars(wanted.where(Trigger.classpath == TRIGGER, *_of_task(TaskInstance, row))).first()
    if found is None:
        return {}
    try:
        arguments: Mapping[str, Any] = found.kwargs
    except Exception:  # noqa: BLE001  another key, or a newer Airflow's format
        return {}
    deadline = arguments.get("deadline")
    return {
        "poll_interval": arguments.get("poll_interval"),
        "deadline": None if deadline is None else datetime.fromtimestamp(deadline, UTC),
    }


def _assets(session: Session, row: Row) -> list[str]:
    wanted = select(AssetModel.uri).join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
    wanted = wanted.where(
        AssetEvent.source_dag_id == row.dag_id,
        AssetEvent.source_run_id == row.run_id,
        AssetEvent.source_task_id == row.task_id,
        AssetEvent.source_map_index == row.map_index,
    )
    return sorted({excerpt(uri, 500) for uri in session.scalars(wanted.limit(MOST_ENTRIES))})
