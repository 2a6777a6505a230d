"""Operator that downloads a job's results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._airflow.fail_fast import fail_fast
from airflow_provider_batchdl._tasks.download_mixin import MAX_XCOM_BYTES, LandsResults
from airflow_provider_batchdl._values.inputs import parse_job_id
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.links import BatchJobLink, push_link
from airflow_provider_batchdl.retries import left_to_policy

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

__all__ = ["MAX_XCOM_BYTES", "DownloadBatchResultsOperator"]


class DownloadBatchResultsOperator(LandsResults):
    """Download a job's results: to object storage, or, without a destination, parsed into XCom.

    The destination holds the whole, verified result or nothing. Returns the ``Landing`` as a dict, or the parsed
    result: JSON as it is, JSON lines and CSV rows as a list.

    Args:
        conn_id: the account's connection; its type names the vendor.
        job_id: the vendor's id of the job, which must have ended: wait with ``BatchJobSensor``.
        kwargs: where the result goes and how, see :class:`LandsResults`; and what every operator takes.
    """

    template_fields: Sequence[str] = ("conn_id", "job_id", "destination", "partition_key")
    operator_extra_links = (BatchJobLink(),)
    ui_color = "#d9ead3"

    def __init__(self, *, conn_id: str, job_id: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id: str = self._checked("conn_id", conn_id)
        self.job_id: str = self._checked("job_id", job_id)  # Airflow resolves it before execute

    def execute(self, context: Context) -> Any:
        """Download; return the ``Landing`` as a dict, or the parsed result where there is no destination.

        Raises:
            BatchTaskFailedError: an error that no retry can fix; its cause is the typed one.
            AirflowSkipException: there is no result file, and ``on_empty`` is ``"skip"``.
            BatchDlError: any other error; Airflow retries the task.
        """
        failing = fail_fast(*left_to_policy(self), task=self, context=context)
        with failing, BatchApiHook.for_connection(self.conn_id) as hook:
            push_link(self, context, hook, self.job_id)
            job_id = parse_job_id(self.job_id)
            self._prepare(context)
            return self._land(context, hook, job_id)
