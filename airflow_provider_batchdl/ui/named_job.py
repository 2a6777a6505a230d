"""The job that an action is about: the one that the task's note, record, wait and landing agree on.

A note is an XCom. Whoever may write a DAG's XComs could name any connection and any job in it, and wait for a
colleague who cancels it. So the user needs the right to read the connection, and what Airflow has of the task beside
its note must name the same job: the record of its submit, its deferred wait, its landing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._tasks.job_record import JobRecord
from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.ui import shapes
from airflow_provider_batchdl.ui.access import Refused, require_connection

if TYPE_CHECKING:
    from airflow_provider_batchdl.hooks.base import BatchApiHook
    from airflow_provider_batchdl.ui.detail import Detail
    from airflow_provider_batchdl.ui.queries import Row


@dataclass(frozen=True)
class NamedJob:
    """A job that the user may ask for or cancel; ``record`` is the one of its submit, if there is one."""

    conn_id: str
    job_id: str
    record: JobRecord | None = None

    def check_account(self, hook: BatchApiHook) -> None:
        """Refuse another account than the job was submitted to, where that is known: its jobs can have the same ids."""
        if self.record is not None and not self.record.is_of(hook):
            raise InvalidRequestError(
                f"The task submitted its job to another account (connection {self.record.conn_id!r} then).",
                vendor=hook.vendor.name,
                conn_id=self.conn_id,
                job_id=self.job_id,
                remedy="Check at the vendor which account has the job.",
            )


def named_job(row: Row, found: Detail, user: Any) -> NamedJob:
    """The job that a task's note names; refuses with 409 if it names none, or another than the rest."""
    conn_id, job_id = row.note.get("conn_id"), row.job_id
    if conn_id is None or job_id is None:
        raise Refused(409, "The task has submitted no job.")
    require_connection(user, conn_id)
    record = _parsed(found.record)
    known = {
        "record": {"job_id": None if record is None else shapes.text(record.job_id)},
        "wait": {name: found.wait.get(name) for name in ("conn_id", "job_id")},
        "landing": {"job_id": found.landing.get("job_id")},
    }
    noted = {"conn_id": conn_id, "job_id": job_id}
    for where, facts in known.items():
        if any(value not in (None, noted[name]) for name, value in facts.items()):
            raise Refused(
                409,
                f"The task's note names job {job_id} of connection {conn_id}, and its {where} another: "
                "nothing is sent. Ask at the vendor, or clear the task.",
            )
    return NamedJob(conn_id, job_id, record)


def _parsed(record: object) -> JobRecord | None:
    try:
        return JobRecord.parse(record)
    except ValueError:  # none, or one that the task itself will refuse
        return None
