"""The list of jobs: the notes that tasks left, with their task instances, filtered and paged by the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import and_, func, or_, select

from airflow_provider_batchdl._airflow.job_note import NOTE_KEY
from airflow_provider_batchdl._redaction.redactor import redact_value
from airflow_provider_batchdl._values.times import now
from airflow_provider_batchdl.ui.filters import GROUP_OF, PAGE_SIZE, STATES, Filters

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

VENDOR = XComModel.value["vendor"].as_string()
CONNECTION = XComModel.value["conn_id"].as_string()
SAME_TASK = and_(
    XComModel.dag_id == TaskInstance.dag_id,
    XComModel.run_id == TaskInstance.run_id,
    XComModel.task_id == TaskInstance.task_id,
    XComModel.map_index == TaskInstance.map_index,
)


@dataclass(frozen=True)
class Row:
    """One task's job.

    Args:
        dag_id: the task instance's, as the next four.
        run_id: of the DAG run.
        task_id: of the task.
        map_index: -1 if the task is not mapped.
        task_state: Airflow's word for it.
        try_number: of the last try.
        started: start of the last try.
        ended: its end.
        noted: when the task last learned something about its job.
        note: see ``_airflow/job_note.py``; redacted. Empty where an XCom backend stores it elsewhere.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    task_state: str | None
    try_number: int
    started: datetime | None
    ended: datetime | None
    noted: datetime
    note: Mapping[str, Any]

    @property
    def group(self) -> str:
        """The state's group, see `STATES`."""
        return GROUP_OF.get(self.task_state, "other")

    @property
    def job_id(self) -> str | None:
        """The vendor's id of the job; None if nothing was submitted."""
        return self.note.get("job_id")


COLUMNS = (
    XComModel.dag_id,
    XComModel.run_id,
    XComModel.task_id,
    XComModel.map_index,
    TaskInstance.state,
    TaskInstance.try_number,
    TaskInstance.start_date,
    TaskInstance.end_date,
    XComModel.timestamp,
    XComModel.value,
)


@dataclass(frozen=True)
class Listed:
    """One page of the list.

    Args:
        rows: the page's jobs, newest first.
        total: how many there are on all pages.
    """

    rows: list[Row]
    total: int

    @property
    def pages(self) -> int:
        """Number of pages, at least one."""
        return max(1, -(-self.total // PAGE_SIZE))


def row_of(found: Any) -> Row:
    """A row of the database as a `Row`."""
    *facts, note = found
    return Row(*(*facts, checked(note) if isinstance(note, dict) else {}))


def checked(note: Mapping[str, Any]) -> dict[str, Any]:
    """A note for a page: redacted, and without members of another type. Any task can push an XCom of that name."""
    nested = ("error", "landed")
    return {name: value for name, value in redact_value(note).items() if isinstance(value, dict) is (name in nested)}


def _where(filters: Filters, dag_ids: Collection[str]) -> list[Any]:
    wanted = [
        XComModel.key == NOTE_KEY,
        XComModel.timestamp >= now() - timedelta(days=filters.days),
        XComModel.dag_id.in_(dag_ids),
    ]
    if filters.vendor:
        wanted.append(filters.vendor == VENDOR)
    if filters.conn_id:
        wanted.append(filters.conn_id == CONNECTION)
    if filters.dag_id:
        wanted.append(XComModel.dag_id == filters.dag_id)
    if filters.state:
        states = [state for state in STATES[filters.state] if state is not None]
        among: Any = TaskInstance.state.in_(states)
        wanted.append(or_(among, TaskInstance.state.is_(None)) if None in STATES[filters.state] else among)
    return wanted


def listed(session: Session, filters: Filters, dag_ids: Collection[str]) -> Listed:
    """One page of the jobs of the given DAGs."""
    where = _where(filters, dag_ids)
    total = session.scalar(select(func.count()).select_from(XComModel).join(TaskInstance, SAME_TASK).where(*where))
    page = (
        select(*COLUMNS)
        .join(TaskInstance, SAME_TASK)
        .where(*where)
        .order_by(XComModel.timestamp.desc(), XComModel.dag_id, XComModel.task_id, XComModel.map_index)
        .limit(PAGE_SIZE)
        .offset((filters.page - 1) * PAGE_SIZE)
    )
    return Listed([row_of(each) for each in session.execute(page)], total or 0)


def job_row(session: Session, dag_id: str, run_id: str, task_id: str, map_index: int) -> Row | None:
    """The job of one task instance; None if it has no note."""
    wanted = select(*COLUMNS).join(TaskInstance, SAME_TASK)
    wanted = wanted.where(
        XComModel.key == NOTE_KEY,
        XComModel.dag_id == dag_id,
        XComModel.run_id == run_id,
        XComModel.task_id == task_id,
        XComModel.map_index == map_index,
    )
    found = session.execute(wanted).first()
    return None if found is None else row_of(found)


@dataclass(frozen=True)
class Count:
    """Number of jobs of a connection in one state, and when the last of them was noted."""

    vendor: str | None
    conn_id: str | None
    group: str
    jobs: int
    noted: datetime


def counts(session: Session, filters: Filters, dag_ids: Collection[str]) -> list[Count]:
    """The jobs of the period counted by connection and state."""
    wanted = (
        select(VENDOR, CONNECTION, TaskInstance.state, func.count(), func.max(XComModel.timestamp))
        .select_from(XComModel)
        .join(TaskInstance, SAME_TASK)
        .where(*_where(Filters(days=filters.days), dag_ids))
        .group_by(VENDOR, CONNECTION, TaskInstance.state)
    )
    return [
        Count(vendor, conn_id, GROUP_OF.get(state, "other"), jobs, noted)
        for vendor, conn_id, state, jobs, noted in session.execute(wanted)
    ]


def dags(session: Session, filters: Filters, dag_ids: Collection[str]) -> list[str]:
    """Ids of the DAGs that have jobs in the period."""
    wanted = select(XComModel.dag_id).join(TaskInstance, SAME_TASK).where(*_where(Filters(days=filters.days), dag_ids))
    return sorted(session.scalars(wanted.distinct()))
