"""A task that submits a job and does not wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_provider_batchdl.failures import no_vain_retries
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.lineage import JobLineage, TellsLineage
from airflow_provider_batchdl.links import BatchJobLink, show_link
from airflow_provider_batchdl.operators.choices import (
    OnChangedInput,
    OnUncertainSubmit,
    checked,
    parse_on_changed_input,
)
from airflow_provider_batchdl.operators.submission import Submission
from airflow_provider_batchdl.rendering import HidesSignatures

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg


class SubmitBatchJobOperator(HidesSignatures, TellsLineage, BaseOperator):
    """Submits a job, once for each generation of the task instance, and returns its id.

    A retry reconnects to the job that was submitted (Airflow 3.3 and later; before that,
    ``BatchJobOperator`` with a destination does); a clear by a user submits a new one.

    Args:
        conn_id: the account's connection; its type names the vendor.
        request: the vendor's request, a dict; see the vendor's section in the documentation.
        file: path or URL of a file to upload, anything ``ObjectStoragePath`` takes.
        durable: remember the job across tries.
        cancel_on_kill: cancel the job that this task submitted before a user cleared it, if it still runs; the id that
            other tasks read is the new job's. A task that is ended in any other way cancels nothing, since it does
            not wait.
        on_uncertain_submit: where a submit was sent, its answer was lost and the job cannot be found: ``fail``, with
            an error that says what to look for, or ``resubmit``, at the risk of paying twice.
        on_changed_input: where a retry finds another request, file or account than this task has submitted: ``fail``,
            with an error that names what changed, or ``resubmit``, as a clear does.
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
        cancel_on_kill: bool = True,
        on_uncertain_submit: OnUncertainSubmit = "fail",
        on_changed_input: OnChangedInput = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.request: dict[str, Any] | None = request  # type: ignore[assignment] # Airflow resolves it before execute
        self.file: str | None = file  # type: ignore[assignment] # Airflow resolves it before execute
        self.durable = durable
        self.cancel_on_kill = cancel_on_kill
        self.on_uncertain_submit = checked(on_uncertain_submit)
        self.on_changed_input = parse_on_changed_input(on_changed_input)
        self.vendor_url: str | None = None

    def execute(self, context: Context) -> str:
        """Submit."""
        with no_vain_retries(), BatchApiHook.for_connection(self.conn_id) as hook:
            show_link(self, context, hook)
            submission = Submission(
                context,
                durable=self.durable,
                cancel_superseded=self.cancel_on_kill,
                on_uncertain=self.on_uncertain_submit,
                on_changed=self.on_changed_input,
            )
            job = submission.ensure(hook, self.request, self.file)
            self._lineage = JobLineage.of(self, hook.vendor, job.id, file=self.file, submits_only=True)
            return job.id
