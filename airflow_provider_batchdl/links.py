"""The button on a task that leads to the vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class BatchJobLink(BaseOperatorLink):
    """Leads to the vendor's page about jobs: none of the four documents an address for a single job."""

    name = "Vendor"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address, empty until the task has read its connection."""
        return str(getattr(operator, "vendor_url", None) or "")
