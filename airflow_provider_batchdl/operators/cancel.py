"""A task that cancels a job, for teardowns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.failures import no_vain_retries
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.links import BatchJobLink

if TYPE_CHECKING:
    from airflow.sdk import Context


class CancelBatchJobOperator(BaseOperator):
    """Cancels a job that still runs; one that has ended is left as it is. Returns the job as a dict.

    Args:
        conn_id: the account's connection; its type names the vendor.
        job_id: the vendor's id of the job.
    """

    template_fields: Sequence[str] = ("conn_id", "job_id")
    operator_extra_links = (BatchJobLink(),)
    ui_color = "#f4cccc"

    def __init__(self, *, conn_id: str, job_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.job_id = job_id
        self.vendor_url: str | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Cancel."""
        with no_vain_retries(), BatchApiHook.for_connection(self.conn_id) as hook:
            self.vendor_url = hook.vendor.docs_url
            job = hook.get_job(self.job_id)
            if job.state.is_terminal:
                self.log.info("Job %s has already ended: %s.", job.id, job.vendor_state)
                return job.to_dict()
            try:
                job = hook.cancel_job(self.job_id)
            except InvalidRequestError:
                job = hook.get_job(self.job_id)  # it may have ended in between
                if not job.state.is_terminal:
                    raise
            self.log.info("Asked the vendor to cancel job %s: %s.", job.id, job.vendor_state)
            return job.to_dict()
