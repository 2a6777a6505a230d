"""The button on a task that leads to the vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from airflow_provider_batchdl.storable import storable_text

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

    from airflow_provider_batchdl.hooks.base import BatchApiHook


class BatchJobLink(BaseOperatorLink):
    """Leads to the vendor's page about jobs: none of the four documents an address for a single job."""

    name = "Vendor"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address, empty until the task has read its connection."""
        return storable_text(getattr(operator, "vendor_url", None) or "")


def show_link(operator: Any, context: Context, hook: BatchApiHook) -> None:
    """Give the operator's button its address while the task still runs: Airflow does so only at the end."""
    if operator.vendor_url is None:
        operator.vendor_url = hook.vendor.docs_url
        for link in operator.operator_extra_links:
            context["ti"].xcom_push(key=link.xcom_key, value=link.get_link(operator, ti_key=context["ti"]))
