"""Operator that cancels a job, for teardown tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._airflow.fail_fast import fail_fast
from airflow_provider_batchdl._tasks.arguments import ChecksArguments
from airflow_provider_batchdl._tasks.cancel import cancel_unless_ended
from airflow_provider_batchdl._values.inputs import parse_job_id
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.links import BatchJobLink, push_link
from airflow_provider_batchdl.triggers.events import job_to_event

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

__all__ = ["CancelBatchJobOperator"]


class CancelBatchJobOperator(ChecksArguments):
    """Cancel a job that is still running; a job that has ended is only returned. Returns the job as a dict.

    Args:
        conn_id: the account's connection; its type names the vendor.
        job_id: the vendor's id of the job.
    """

    template_fields: Sequence[str] = ("conn_id", "job_id")
    operator_extra_links = (BatchJobLink(),)
    ui_color = "#f4cccc"

    def __init__(self, *, conn_id: str, job_id: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id: str = self._checked("conn_id", conn_id)
        self.job_id: str = self._checked("job_id", job_id)  # Airflow resolves it before execute

    def execute(self, context: Context) -> dict[str, Any]:
        """Cancel the job, and return it as a dict: ``Job.to_dict()`` without URLs.

        Raises:
            BatchTaskFailedError: the vendor's API cannot cancel, or no retry can help for another reason.
            BatchDlError: the vendor cannot be reached; Airflow retries the task.
        """
        with fail_fast(task=self, context=context), BatchApiHook.for_connection(self.conn_id) as hook:
            push_link(self, context, hook, self.job_id)
            return job_to_event(cancel_unless_ended(hook, parse_job_id(self.job_id)))
