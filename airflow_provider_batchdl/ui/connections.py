"""Connections of our types, each with the jobs of the period by state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from airflow.models import Connection
from sqlalchemy import select

from airflow_provider_batchdl import vendors
from airflow_provider_batchdl.ui.queries import Count

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass
class ConnectionJobs:
    """A connection, without anything secret, and its jobs.

    Args:
        conn_id: its id.
        vendor: the vendor's name.
        jobs: number of jobs by state, see `STATES`.
        noted: when a task last learned something about one of them.
    """

    conn_id: str
    vendor: str
    jobs: Counter[str] = field(default_factory=Counter)
    noted: datetime | None = None


def of_connections(
    session: Session, counted: Iterable[Count], readable: Callable[[Iterable[str]], Collection[str]]
) -> list[ConnectionJobs]:
    """The connections that jobs of the period have used, and those of Airflow's database that have had none.

    Args:
        session: of Airflow's database.
        counted: the jobs that the user may see.
        readable: returns those that the user may see. Connections elsewhere, a secrets backend's, cannot be listed.
    """
    wanted = select(Connection.conn_id, Connection.conn_type).where(Connection.conn_type.in_(vendors.names()))
    found_types = {str(conn_id): str(conn_type) for conn_id, conn_type in session.execute(wanted)}
    known = {conn_id: ConnectionJobs(conn_id, found_types[conn_id]) for conn_id in readable(found_types)}
    for each in counted:
        if each.conn_id is None:
            continue
        found = known.setdefault(each.conn_id, ConnectionJobs(each.conn_id, each.vendor or ""))
        found.jobs[each.group] += each.jobs
        found.noted = max(filter(None, (found.noted, each.noted)))
    return sorted(known.values(), key=lambda each: each.conn_id)
