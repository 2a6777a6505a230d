"""Filters of the list, from the query of its URL."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

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

# PostgreSQL refuses a U+0000 in a query.
Text = Annotated[str, Field(max_length=500), AfterValidator(lambda given: storable_text(given).strip())]
State = Annotated[str, AfterValidator(lambda given: given if given in STATES else "")]


class Filters(BaseModel):
    """Filters and page of the list; an empty text means all. ``days`` counts back from a job's last note."""

    model_config = ConfigDict(frozen=True)

    vendor: Text = ""
    conn_id: Text = ""
    dag_id: Text = ""
    task_id: Text = ""
    job_id: Text = ""
    state: State = ""
    days: Annotated[int, Field(ge=1, le=365)] = 3
    page: Annotated[int, Field(ge=1, le=100_000)] = 1

    def query(self, **changes: Any) -> str:
        """The query of the same list with other values; what is as by default is left out."""
        return urlencode(self.model_copy(update={"page": 1, **changes}).model_dump(exclude_defaults=True))
