"""Operator that submits a job and does not wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_batchdl._airflow.fail_fast import fail_fast
from airflow_provider_batchdl._tasks.arguments import FailOrResubmit
from airflow_provider_batchdl._tasks.destinations import as_given, check_place, refuse_input, warn_of_replacing
from airflow_provider_batchdl._tasks.lineage import LineageMixin
from airflow_provider_batchdl._tasks.submit_once import SubmitOnce
from airflow_provider_batchdl._tasks.warnings import SubmitsJobs
from airflow_provider_batchdl.exceptions import InvalidArgumentError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.links import BatchJobLink, push_link
from airflow_provider_batchdl.options import DownloadOptions
from airflow_provider_batchdl.retries import left_to_policy

if TYPE_CHECKING:
    from os import PathLike

    from airflow.sdk import Context, ObjectStoragePath, XComArg

    from airflow_provider_batchdl.options import IfExists, Keep

__all__ = ["SubmitBatchJobOperator"]


class SubmitBatchJobOperator(LineageMixin, SubmitsJobs):
    """Submit a job, once per generation of the task instance, and return its id.

    A retry reconnects to the submitted job (Airflow 3.3 and later; before that, ``BatchJobOperator`` with a destination
    does); a clear by a user starts a new generation and submits a new job.

    Args:
        conn_id: the account's connection; its type names the vendor.
        request: the vendor's request, a dict or the JSON text of one; see the vendor's section in the documentation.
        file: path or URL of a file to upload, anything ``ObjectStoragePath`` takes, or a path object.
        destination: where another task will land the result, as for ``DownloadBatchResultsOperator``: it is checked
            before the submit, so that a missing bucket costs no job. Nothing is written there.
        if_exists: as for that task; with ``"error"``, nothing is submitted where an object is there already.
        keep: as for that task; with ``"latest"``, no warning is logged where the result of an earlier run is replaced.
        manifest: as for that task; with False, the files of an earlier result in a folder stay, and with True and
            ``if_exists="error"``, nothing is submitted where a manifest is there already.
        durable: remember the job across tries.
        cancel_on_kill: cancel the job that this task submitted before a user cleared it, if it is still running: other
            tasks read the new job's id. Killing the task cancels nothing, since it does not wait.
        on_uncertain_submit: where a submit was sent, got no response, and the job cannot be found: ``fail``, with an
            error that says what to check, or ``resubmit``, at the risk of paying twice.
        on_changed_input: where a retry finds another request, file or account than this task has submitted: ``fail``,
            with an error that names what changed, or ``resubmit``, as a clear does.
    """

    # Airflow's registry shows it as durable by this name, which is mangled: a subclass has to declare its own.
    __supports_durable_execution: ClassVar[bool] = True

    template_fields: Sequence[str] = ("conn_id", "request", "file", "destination")
    template_fields_renderers: ClassVar[dict[str, str]] = {"request": "json"}
    operator_extra_links = (BatchJobLink(),)
    ui_color = "#fff2cc"
    _submits_only = True

    def __init__(
        self,
        *,
        conn_id: str,
        request: dict[str, Any] | str | XComArg | None = None,
        file: str | PathLike[str] | ObjectStoragePath | XComArg | None = None,
        destination: str | ObjectStoragePath | XComArg | None = None,
        if_exists: IfExists = "replace",
        keep: Keep = "all",
        manifest: bool | None = None,
        durable: bool = True,
        cancel_on_kill: bool = True,
        on_uncertain_submit: FailOrResubmit = "fail",
        on_changed_input: FailOrResubmit = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.multiple_outputs:
            with self._refusing():
                raise InvalidArgumentError(
                    "multiple_outputs unrolls a dict, and SubmitBatchJobOperator returns one text: the job's id.",
                    remedy="Leave multiple_outputs out.",
                )
        self.conn_id: str = self._checked("conn_id", conn_id)
        self.request: dict[str, Any] | str | None = self._checked("request", request)  # Airflow resolves it
        self.file: str | None = self._checked("file", file)  # before execute
        self.destination: str | None = self._checked("destination", as_given(destination))
        with self._refusing():
            refuse_input(self.destination, self.file)
            self.options = DownloadOptions(if_exists=if_exists, keep=keep, manifest=manifest)
        self.durable: bool = self._checked("durable", durable)
        self.cancel_on_kill: bool = self._checked("cancel_on_kill", cancel_on_kill)
        self.on_uncertain_submit: FailOrResubmit = self._checked("on_uncertain_submit", on_uncertain_submit)
        self.on_changed_input: FailOrResubmit = self._checked("on_changed_input", on_changed_input)

    def execute(self, context: Context) -> str:
        """Submit the job, or reconnect to the one that an earlier try submitted; return its id.

        Raises:
            BatchTaskFailedError: an error that no retry can fix; its cause is the typed one.
            BatchDlError: any other error; Airflow retries the task.
        """
        failing = fail_fast(*left_to_policy(self), task=self, context=context)
        with failing, BatchApiHook.for_connection(self.conn_id) as hook:
            push_link(self, context, hook)
            self._refuse_lost("destination")
            self._refuse_lost_input()
            refuse_input(self.destination, self.file)
            if self.destination is not None:
                check_place(self.destination, self.options)
            submission = SubmitOnce(
                context,
                durable=self.durable,
                cancel_superseded=self.cancel_on_kill,
                on_uncertain=self.on_uncertain_submit,
                on_changed=self.on_changed_input,
            )
            warn = partial(warn_of_replacing, self.destination, self.options, context, hook.vendor.name)
            job = submission.ensure(hook, self.request, self.file, before_submit=warn)
            push_link(self, context, hook, job.id)
            self._note_lineage(hook.vendor, job.id)
            return job.id
