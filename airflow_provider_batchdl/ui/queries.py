"""The list of jobs: the notes that tasks left, with their task instances, filtered and paged by the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import func, or_, select

from airflow_provider_batchdl._airflow.compat_database import is_of_task_instance
from airflow_provider_batchdl._airflow.job_note import NOTE_KEY, POLL_KEY
from airflow_provider_batchdl._values.times import moment_of, now
from airflow_provider_batchdl.ui import shapes
from airflow_provider_batchdl.ui.filters import GROUP_OF, PAGE_SIZE, STATES, Filters

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# So old may be a note of polls that counts as what a triggerer does now: with few jobs, each has one a minute.
RECENT_SECONDS = 150
MOST_POLLS = 500
# Listed however old their notes are: a job that waits for days is one that somebody looks for.
NOT_ENDED = [*STATES["waiting"], *STATES["retrying"]]
VENDOR = XComModel.value["vendor"].as_string()
CONNECTION = XComModel.value["conn_id"].as_string()
JOB_ID = XComModel.value["job_id"].as_string()
SAME_TASK = is_of_task_instance(XComModel, TaskInstance)
# DAG, run, task and map index.
Place: TypeAlias = tuple[str, str, str, int]


@dataclass(frozen=True)
class Row:
    """One task's job: the task instance with its last try, and what it noted, see `shapes.NOTE` and `shapes.POLL`."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    task_state: str | None
    try_number: int
    started: datetime | None
    noted: datetime
    note: Mapping[str, Any]
    poll: Mapping[str, Any] = field(default_factory=dict)

    @property
    def last(self) -> Mapping[str, Any]:
        """The vendor's last answer that is noted: the note's, or a later poll's; ``at`` is when."""
        polled = moment_of(self.poll.get("polled_at"))
        if polled is None or polled <= self.noted:
            return {**self.note, "at": self.noted}
        return {**self.note, **self.poll, "at": polled}

    @property
    def place(self) -> Place:
        """The ids of the task instance."""
        return self.dag_id, self.run_id, self.task_id, self.map_index

    @property
    def group(self) -> str:
        """The state's group, see `STATES`."""
        return GROUP_OF.get(self.task_state, "other")

    @property
    def job_id(self) -> str | None:
        """The vendor's id of the job; None if nothing was submitted."""
        return self.note.get("job_id")


PLACE = (XComModel.dag_id, XComModel.run_id, XComModel.task_id, XComModel.map_index)
COLUMNS = (
    *PLACE,
    TaskInstance.state,
    TaskInstance.try_number,
    TaskInstance.start_date,
    XComModel.timestamp,
    XComModel.value,
)


@dataclass(frozen=True)
class Listed:
    """One page of the list, newest first, and how many jobs there are on all pages."""

    rows: list[Row]
    total: int

    @property
    def pages(self) -> int:
        """Number of pages, at least one."""
        return max(1, -(-self.total // PAGE_SIZE))


def _where(filters: Filters, dag_ids: Collection[str]) -> list[Any]:
    wanted = [
        XComModel.key == NOTE_KEY,
        or_(XComModel.timestamp >= now() - timedelta(days=filters.days), TaskInstance.state.in_(NOT_ENDED)),
        XComModel.dag_id.in_(dag_ids),
    ]
    asked_for = (
        (VENDOR, filters.vendor),
        (CONNECTION, filters.conn_id),
        (JOB_ID, filters.job_id),
        (XComModel.dag_id, filters.dag_id),
        (XComModel.task_id, filters.task_id),
    )
    wanted += [column == value for column, value in asked_for if value]
    if filters.state:
        wanted.append(or_(*(TaskInstance.state == state for state in STATES[filters.state])))  # None is "IS NULL"
    return wanted


def _jobs(*where: Any) -> Any:
    return select(*COLUMNS).join(TaskInstance, SAME_TASK).where(*where)


def _rows(session: Session, wanted: Any) -> list[Row]:
    return [Row(*(*facts, shapes.NOTE(note))) for *facts, note in session.execute(wanted)]


def listed(session: Session, filters: Filters, dag_ids: Collection[str]) -> Listed:
    """One page of the jobs of the given DAGs."""
    where = _where(filters, dag_ids)
    total = session.scalar(select(func.count()).select_from(XComModel).join(TaskInstance, SAME_TASK).where(*where))
    ordered = _jobs(*where).order_by(
        XComModel.timestamp.desc(), XComModel.dag_id, XComModel.task_id, XComModel.map_index
    )
    rows = _rows(session, ordered.limit(PAGE_SIZE).offset((filters.page - 1) * PAGE_SIZE))
    polls = _polls(session, rows)
    return Listed([replace(row, poll=polls.get(row.place, {})) for row in rows], total or 0)


def _polls(session: Session, rows: Collection[Row]) -> dict[Place, dict[str, Any]]:
    if not rows:
        return {}
    among = [column.in_({row.place[at] for row in rows}) for at, column in enumerate(PLACE)]
    wanted = select(*PLACE, XComModel.value).join(TaskInstance, SAME_TASK).where(XComModel.key == POLL_KEY, *among)
    return {(dag, run, task, at): shapes.POLL(value) for dag, run, task, at, value in session.execute(wanted)}


def job_row(session: Session, place: Place) -> Row | None:
    """The job of one task instance; None if it has no note."""
    for row in _rows(session, _jobs(*_xcom(NOTE_KEY, place))):
        return replace(row, poll=shapes.POLL(xcom_of(session, row, POLL_KEY)))
    return None


def xcom_of(session: Session, row: Row, key: str) -> Any:
    """The value of another XCom of a job's task; None without one."""
    return session.scalar(select(XComModel.value).join(TaskInstance, SAME_TASK).where(*_xcom(key, row.place)))


def _xcom(key: str, place: Place) -> list[Any]:
    return [XComModel.key == key, *(column == value for column, value in zip(PLACE, place, strict=True))]


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
        Count(shapes.text(vendor), shapes.text(conn_id), GROUP_OF.get(state, "other"), jobs, noted)
        for vendor, conn_id, state, jobs, noted in session.execute(wanted)
    ]


def dags(session: Session, filters: Filters, dag_ids: Collection[str]) -> list[str]:
    """Ids of the DAGs that have jobs in the period."""
    wanted = select(XComModel.dag_id).join(TaskInstance, SAME_TASK).where(*_where(Filters(days=filters.days), dag_ids))
    return sorted(session.scalars(wanted.distinct()))


def at_moments(session: Session, moments: Collection[datetime], dag_ids: Collection[str]) -> list[Row]:
    """The jobs that were noted at exactly one of these times."""
    noted_then = (XComModel.key == NOTE_KEY, XComModel.timestamp.in_(moments), XComModel.dag_id.in_(dag_ids))
    return _rows(session, _jobs(*noted_then)) if moments else []


def recent_polls(session: Session, dag_ids: Collection[str]) -> list[dict[str, Any]]:
    """The polls that were noted in the last minutes, see `shapes.POLL`, oldest first."""
    wanted = select(XComModel.value).where(
        XComModel.key == POLL_KEY,
        XComModel.timestamp >= now() - timedelta(seconds=RECENT_SECONDS),
        XComModel.dag_id.in_(dag_ids),
    )
    found = session.scalars(wanted.order_by(XComModel.timestamp.desc()).limit(MOST_POLLS))
    return [shapes.POLL(value) for value in reversed(found.all())]
