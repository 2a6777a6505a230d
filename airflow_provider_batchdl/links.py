"""Extra link "Vendor" of a task; pushes it while the task runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from airflow_provider_batchdl._airflow.job_note import note, try_push
from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._redaction.secret_places import signatures
from airflow_provider_batchdl._values.inputs import parse_job_id
from airflow_provider_batchdl._values.storable import storable_text
from airflow_provider_batchdl.jobs import Job, JobState

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

    from airflow_provider_batchdl.hooks.base import BatchApiHook

__all__ = ["BatchJobLink"]

log = get_logger(__name__)


class BatchJobLink(BaseOperatorLink):
    """Link to the job's page at the vendor; to its documentation of jobs where it has none, as the four built in."""

    name = "Vendor"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The URL; empty until the task has read its connection."""
        return storable_text(getattr(operator, "vendor_url", None) or "")


def push_link(operator: Any, context: Context, hook: BatchApiHook, job_id: object = None) -> None:
    """Push the operator's extra links, and the note of its job, while the task still runs.

    Airflow pushes links only at the end.
    """
    url = _job_url(hook, job_id) or operator.vendor_url or hook.vendor.docs_url
    if operator.vendor_url != url:
        operator.vendor_url = url
        for link in operator.operator_extra_links:
            try_push(context, link.xcom_key, link.get_link(operator, ti_key=context["ti"]))
    known = {} if job_id is None else {"job_id": storable_text(str(job_id))}
    note(operator, context, conn_id=hook.conn_id, vendor=hook.vendor.name, **known)


def _job_url(hook: BatchApiHook, job_id: object) -> str | None:
    """The job's page; None where the vendor has none that can be shown."""
    if job_id is None:
        return None
    try:
        url = hook.vendor.job_url(Job(parse_job_id(job_id), JobState.PENDING, ""))
        if url is None or (url.startswith(("https://", "http://")) and not any(signatures(url))):
            return url
        log.warning("Not showing the page of job %s: its URL may hold a secret", job_id)
    except Exception as error:  # noqa: BLE001  a link is not worth a task
        log.debug("Cannot tell the page of job %s: %s", job_id, error)
    return None
