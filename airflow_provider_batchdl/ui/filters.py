"""Filters of the list, from the query of its URL."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query

from airflow_provider_batchdl._values.storable import storable_text

PAGE_SIZE = 50
# Task states by what they mean for a job.
STATES: dict[str, tuple[str | None, ...]] = {
    "waiting": ("running", "deferred", "queued", "scheduled", "up_for_reschedule", "restarting"),
    "retrying": ("up_for_retry",),
    "failed": ("failed", "upstream_failed"),
    "done": ("success",),
    "other": ("skipped", "removed", None),
}
GROUP_OF = {state: group for group, states in STATES.items() for state in states}
PERIODS = (1, 3, 7, 30)
LONGEST = 500


@dataclass(frozen=True)
class Filters:
    """Which jobs to list.

    Args:
        vendor: the vendor's name; empty for all, as are the next five.
        conn_id: the connection's id.
        dag_id: the DAG's id.
        task_id: the task's id.
        job_id: the vendor's id of the job.
        state: one of `STATES`.
        days: how far back, by the last note of the job; what still waits is always listed.
        page: 1-based.
    """

    vendor: str = ""
    conn_id: str = ""
    dag_id: str = ""
    task_id: str = ""
    job_id: str = ""
    state: str = ""
    days: int = 3
    page: int = 1

    def query(self, **changes: Any) -> str:
        """The query of the same list with other values; what is as by default is left out."""
        default = asdict(Filters())
        given = asdict(replace(self, **{"page": 1, **changes}))
        return urlencode({name: value for name, value in given.items() if value != default[name]})


Text = Annotated[str, Query(max_length=LONGEST)]


def filters(
    vendor: Text = "",
    conn_id: Text = "",
    dag_id: Text = "",
    task_id: Text = "",
    job_id: Text = "",
    state: Text = "",
    days: Annotated[int, Query(ge=1, le=365)] = 3,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Filters:
    """The filters of a request; an unknown state means all. PostgreSQL refuses a U+0000 in a query."""
    texts = {"vendor": vendor, "conn_id": conn_id, "dag_id": dag_id, "task_id": task_id, "job_id": job_id}
    clean: Any = {name: storable_text(given).strip() for name, given in texts.items()}
    return Filters(state=state if state in STATES else "", days=days, page=page, **clean)
