"""A task that submits a job and does not wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_provider_batchdl.failures import no_vain_retries
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.links import BatchJobLink, show_link
from airflow_provider_batchdl.operators.submission import Submission

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg


class SubmitBatchJobOperator(BaseOperator):
    """Submits a job, once for each generation of the task instance, and returns its id.

    A retry reconnects to the job that was submitted (Airflow 3.3 and later); a clear by a user submits a new one.

    Args:
        conn_id: the account's connection; its type names the vendor.
        request: the vendor's request, a dict; see the vendor's section in the documentation.
        file: path or URL of a file to upload, anything ``ObjectStoragePath`` takes.
        durable: remember the job across tries.
    """

    template_fields: Sequence[str] = ("conn_id", "request", "file")
    template_fields_renderers: ClassVar[dict[str, str]] = {"request": "json"}
    operator_extra_links = (BatchJobLink(),)
    ui_color = "#fff2cc"

    def __init__(
        self,
        *,
        conn_id: str,
        request: dict[str, Any] | XComArg | None = None,
        file: str | XComArg | None = None,
        durable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.request: dict[str, Any] | None = request  # type: ignore[assignment] # Airflow resolves it before execute
        self.file: str | None = file  # type: ignore[assignment] # Airflow resolves it before execute
        self.durable = durable
        self.vendor_url: str | None = None

    def execute(self, context: Context) -> str:
        """Submit."""
        with no_vain_retries(), BatchApiHook.for_connection(self.conn_id) as hook:
            show_link(self, context, hook)
            return Submission(context, durable=self.durable).ensure(hook, self.request, self.file).id
