"""Filters of the list, from the query of its URL."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query

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
        vendor: the vendor's name; empty for all, as are the next three.
        conn_id: the connection's id.
        dag_id: the DAG's id.
        state: one of `STATES`.
        days: how far back, by the last note of the job.
        page: 1-based.
    """

    vendor: str = ""
    conn_id: str = ""
    dag_id: str = ""
    state: str = ""
    days: int = 3
    page: int = 1

    def query(self, **changes: Any) -> str:
        """The query of the same list with other values; what is as by default is left out."""
        default = asdict(Filters())
        given = asdict(replace(self, **{"page": 1, **changes}))
        return urlencode({name: value for name, value in given.items() if value != default[name]})


def filters(
    vendor: Annotated[str, Query(max_length=LONGEST)] = "",
    conn_id: Annotated[str, Query(max_length=LONGEST)] = "",
    dag_id: Annotated[str, Query(max_length=LONGEST)] = "",
    state: Annotated[str, Query(max_length=LONGEST)] = "",
    days: Annotated[int, Query(ge=1, le=365)] = 3,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Filters:
    """The filters of a request; an unknown state means all."""
    return Filters(vendor, conn_id, dag_id, state if state in STATES else "", days, page)
