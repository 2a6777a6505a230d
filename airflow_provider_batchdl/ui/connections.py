"""Connections of our types, each with the jobs of the period by state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.models import Connection
from sqlalchemy import select

from airflow_provider_batchdl import vendors
from airflow_provider_batchdl._values.times import moment_of
from airflow_provider_batchdl.ui import queries
from airflow_provider_batchdl.ui.queries import Count, Row

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Requests:
    """Requests that the running triggerers sent in the last window of one limit, by the older of their notes."""

    sent: int
    limit: int
    seconds: float
    noted: datetime


@dataclass
class ConnectionJobs:
    """A connection, without anything secret, its jobs by state, and the one that a task last noted something about."""

    conn_id: str
    vendor: str
    jobs: Counter[str] = field(default_factory=Counter)
    noted: datetime | None = None
    last: Row | None = None
    requests: dict[tuple[int, float], Requests] = field(default_factory=dict)

    def add(self, poll: Mapping[str, Any]) -> None:
        """Add the requests that a triggerer noted with a poll, see `shapes.POLL`."""
        noted = moment_of(poll.get("polled_at"))
        for each in poll.get("requests", ()):
            if noted is None or not {"requests", "limit", "seconds"} <= each.keys():
                continue
            limit = each["limit"], each["seconds"]
            before = self.requests.get(limit, Requests(0, *limit, noted))
            self.requests[limit] = Requests(before.sent + each["requests"], *limit, min(before.noted, noted))


def of_connections(
    session: Session,
    counted: Iterable[Count],
    dag_ids: Collection[str],
    readable: Callable[[Iterable[str]], Collection[str]],
) -> list[ConnectionJobs]:
    """The connections that jobs of the period have used, and those of Airflow's database that have had none.

    Connections elsewhere, a secrets backend's, cannot be listed. Of those given, ``readable`` returns the user's.
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
    for row in queries.at_moments(session, {each.noted for each in known.values() if each.noted}, dag_ids):
        if (used := known.get(row.note.get("conn_id", ""))) is not None and used.noted == row.noted:
            used.last = row
    last = {(poll.get("conn_id", ""), poll.get("poller")): poll for poll in queries.recent_polls(session, dag_ids)}
    for (conn_id, _), poll in last.items():
        if (used := known.get(conn_id)) is not None:
            used.add(poll)
    return sorted(known.values(), key=lambda each: each.conn_id)
