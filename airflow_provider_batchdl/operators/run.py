"""Operator that submits a job, waits for it and downloads its results."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_batchdl._airflow.compat import AirflowTaskTimeout, default_deferrable
from airflow_provider_batchdl._airflow.fail_fast import fail_fast
from airflow_provider_batchdl._airflow.job_note import note_job, note_wait, try_push
from airflow_provider_batchdl._airflow.log_groups import log_group
from airflow_provider_batchdl._airflow.tracing import span
from airflow_provider_batchdl._tasks.arguments import FailOrResubmit
from airflow_provider_batchdl._tasks.cancel import cancel_unless_ended
from airflow_provider_batchdl._tasks.deferral import (
    keep_waiting_if_listed,
    keep_waiting_unless_answered,
    limit_of,
    wait_in_triggerer,
)
from airflow_provider_batchdl._tasks.destinations import refuse_input, refuse_unparsable, warn_of_replacing
from airflow_provider_batchdl._tasks.download_mixin import LandsResults
from airflow_provider_batchdl._tasks.kills import Kill, KilledError, end_task
from airflow_provider_batchdl._tasks.submit_once import SubmitOnce
from airflow_provider_batchdl._tasks.unlanded import download_command, log_how_to_download
from airflow_provider_batchdl._tasks.warnings import SubmitsJobs
from airflow_provider_batchdl._values.arguments import refuse_crossed
from airflow_provider_batchdl._values.inputs import parse_request
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    EmptyResultError,
    InvalidRequestError,
    JobFailedError,
    JobNotFoundError,
    UnsupportedOperationError,
)
from airflow_provider_batchdl.hooks._polls import poll
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.jobs import JobState, state_words
from airflow_provider_batchdl.links import BatchJobLink, push_link
from airflow_provider_batchdl.polling.backoff import PollBackoff
from airflow_provider_batchdl.retries import left_to_policy, longest_pause
from airflow_provider_batchdl.triggers.events import ended_job

if TYPE_CHECKING:
    from os import PathLike

    from airflow.sdk import Context, ObjectStoragePath, XComArg

    from airflow_provider_batchdl.jobs import Job

__all__ = ["BatchJobOperator"]


class BatchJobOperator(LandsResults, SubmitsJobs):
    """Submit a job, wait for it and download its results, as one durable task.

    A retry reconnects to the job (before Airflow 3.3 only with a ``destination``) and, where it has ended, only
    downloads; one that failed is submitted anew, and one that was cancelled fails the task at once. Returns what
    ``DownloadBatchResultsOperator`` returns, and pushes the job's id as XCom ``job_id``.

    Args:
        conn_id: the account's connection; its type names the vendor.
        request: the vendor's request, a dict or the JSON text of one; see the vendor's section in the documentation.
        file: path or URL of a file to upload, anything ``ObjectStoragePath`` takes, or a path object.
        poll_interval: seconds between polls; the connection's extra ``poll_interval`` or the vendor's where left out.
        max_poll_interval: most seconds between polls while deferred, where the interval grows with the job's age; the
            connection's extra of that name, or eight times ``poll_interval`` and at most five minutes, where left out.
        timeout: seconds that a try waits for the job; if left out, until ``execution_timeout``, or a day without one.
        deferrable: wait in the triggerer; ``[operators] default_deferrable`` where left out. ``execution_timeout``
            holds there too, counted from the try's start.
        durable: remember the job across tries; before Airflow 3.3 in ``.batchdl/`` beside the destination.
        cancel_on_kill: cancel the job at the vendor when a user kills or clears the task, and when its time is up. The
            shutdown of a worker or triggerer does not cancel the job: the retry reconnects to it.
        on_uncertain_submit: where a submit was sent, got no response, and the job cannot be found: ``fail``, with an
            error that says what to check, or ``resubmit``, at the risk of paying twice.
        on_changed_input: where a retry finds another request, file or account than this task has submitted: ``fail``,
            with an error that names what changed, or ``resubmit``, as a clear does.
    """

    __supports_durable_execution: ClassVar[bool] = True  # for Airflow's registry; a subclass declares its own

    template_fields: Sequence[str] = ("conn_id", "request", "file", "destination", "partition_key")
    template_fields_renderers: ClassVar[dict[str, str]] = {"request": "json"}
    operator_extra_links = (BatchJobLink(),)
    ui_color = "#fff2cc"

    def __init__(
        self,
        *,
        conn_id: str,
        request: dict[str, Any] | str | XComArg | None = None,
        file: str | PathLike[str] | ObjectStoragePath | XComArg | None = None,
        poll_interval: float | timedelta | None = None,
        max_poll_interval: float | timedelta | None = None,
        timeout: float | timedelta | None = None,
        deferrable: bool | None = None,
        durable: bool = True,
        cancel_on_kill: bool = True,
        on_uncertain_submit: FailOrResubmit = "fail",
        on_changed_input: FailOrResubmit = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id: str = self._checked("conn_id", conn_id)
        self.request: dict[str, Any] | str | None = self._checked("request", request)  # Airflow resolves it
        self.file: str | None = self._checked("file", file)  # before execute
        self.poll_interval: float | None = self._checked("poll_interval", poll_interval)
        self.max_poll_interval: float | None = self._checked("max_poll_interval", max_poll_interval)
        with self._refusing():
            refuse_crossed(vars(self))
            refuse_input(self.destination, self.file)
        self.timeout = limit_of(self, self._checked("timeout", timeout))
        self.deferrable = default_deferrable() if deferrable is None else self._checked("deferrable", deferrable)
        self.durable: bool = self._checked("durable", durable)
        self.cancel_on_kill: bool = self._checked("cancel_on_kill", cancel_on_kill)
        self.on_uncertain_submit: FailOrResubmit = self._checked("on_uncertain_submit", on_uncertain_submit)
        self.on_changed_input: FailOrResubmit = self._checked("on_changed_input", on_changed_input)
        self._kill, self._is_id_pushed = Kill(), True
        self._logged_state: str | None = None

    def execute(self, context: Context) -> Any:
        """Submit, or reconnect; then wait here or in the triggerer; then download.

        Returns:
            The ``Landing`` as a dict, or the parsed result where there is no destination.

        Raises:
            BatchTaskFailedError: an error that no retry can fix; its cause is the typed one.
            AirflowTaskTimeout: the wait took longer than ``timeout``.
            TaskDeferred: the wait continues in the triggerer.
            BatchDlError: any other error; Airflow retries the task.
        """
        failing = fail_fast(JobFailedError, *left_to_policy(self), task=self, context=context)
        with failing, BatchApiHook.for_connection(self.conn_id) as hook:
            push_link(self, context, hook)
            self._prepare(context, submits=True)
            self._refuse_lost_input()
            refuse_unparsable(parse_request(self.request), self.destination)
            submission = self._submission(context)
            try:
                before_submit = partial(self._before_submit, context, hook)
                job = submission.ensure(hook, self.request, self.file, before_submit=before_submit)
            except KilledError:
                raise RuntimeError("The task was ended before it submitted a job.") from None
            note_job(self, context, job)
            push_link(self, context, hook, job.id)
            self._is_id_pushed = try_push(context, "job_id", job.id)
            self._note_lineage(hook.vendor, job.id)
            self._logged_state = job.vendor_state
            try:
                if not hook.ensure_results(job, accept_partial=self.options.accept_partial):
                    submission.store_again()
                    self._kill.check()
                    if self.deferrable:
                        wait_in_triggerer(self, context, job.id, cancel_on_kill=self.cancel_on_kill)
                    self._wait(context, hook, job.id, submission)
            except KilledError:
                end_task(context, hook, job.id, cancels=self.cancel_on_kill, is_durable=submission.is_durable)
            return self._land(context, hook, job.id)

    def execute_complete(self, context: Context, event: dict[str, Any], wait: dict[str, Any] | None = None) -> Any:
        """Resume with the trigger's event: download, or raise the job's failure.

        Args:
            context: the task's context.
            event: the trigger's event; see ``triggers/events.py``.
            wait: the arguments that the trigger was created with.

        Raises:
            BatchDlError: as :meth:`execute`.
        """
        failing = fail_fast(JobFailedError, *left_to_policy(self), task=self, context=context)
        with failing, BatchApiHook.for_connection(self.conn_id) as hook:
            push_link(self, context, hook, (wait or event)["job_id"])  # not the event's, which may be another task's
            keep_waiting_unless_answered(self, event, wait)
            submission = self._submission(context)
            submission.check_account(hook, job_id=event["job_id"], conn_id=(wait or event)["conn_id"])
            keep_waiting_if_listed(self, hook, event, wait)
            self._is_id_pushed = try_push(context, "job_id", event["job_id"])
            self._note_lineage(hook.vendor, event["job_id"])
            job = ended_job(event)
            if job is None:
                self._give_up(hook, event["job_id"], submission)
            else:
                self._log_state(context, job)
                hook.ensure_results(job, accept_partial=self.options.accept_partial)
            return self._land(context, hook, event["job_id"])

    def _before_submit(self, context: Context, hook: BatchApiHook, job_ids: Collection[str]) -> None:
        warn_of_replacing(self.destination, self.options, context, hook.vendor.name, job_ids)
        self._kill.check()

    def _submission(self, context: Context) -> SubmitOnce:
        return SubmitOnce(
            context,
            durable=self.durable,
            destination=self.destination,
            cancel_superseded=self.cancel_on_kill,
            on_uncertain=self.on_uncertain_submit,
            on_changed=self.on_changed_input,
            accept_partial=self.options.accept_partial,
        )

    def _wait(self, context: Context, hook: BatchApiHook, job_id: str, submission: SubmitOnce) -> None:
        longest = longest_pause(self, context) if submission.is_durable else float("inf")
        backoff = PollBackoff(self.poll_interval or hook.poll_interval, longest=longest)
        # Without execution_timeout: Airflow interrupts by it, and at that moment would interrupt the cancel below, too.
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        group = log_group(f"Waiting for job {job_id} at {hook.vendor.label}")
        try:
            with group, span("wait", vendor=hook.vendor.name, job_id=job_id):
                while not self._poll(context, hook, job_id, backoff, deadline):
                    submission.store_again()
                    if deadline is not None and time.monotonic() >= deadline:
                        raise AirflowTaskTimeout
        except AirflowTaskTimeout:
            self._give_up(hook, job_id, submission)

    def _poll(self, context: Context, hook: BatchApiHook, job_id: str, backoff: PollBackoff, end: float | None) -> bool:
        with self._kill.interruptible():
            delay = backoff.next_delay()
            time.sleep(delay if end is None else max(0.0, min(delay, end - time.monotonic())))
            job = poll(hook, job_id, backoff)
        if job is None:
            return False
        self._log_state(context, job)
        return hook.ensure_results(job, accept_partial=self.options.accept_partial)

    def _log_state(self, context: Context, job: Job) -> None:
        """Log and note the job's state if it has changed, and note the poll now and then."""
        note_wait(self, context, job)
        if job.vendor_state != self._logged_state:
            self._logged_state = job.vendor_state
            note_job(self, context, job)
            self.log.info("Job %s is %s.", job.id, state_words(job))

    def on_kill(self) -> None:
        """End the wait; whether to cancel the job is decided outside of the signal handler."""
        self._kill.request()

    def _give_up(self, hook: BatchApiHook, job_id: str, submission: SubmitOnce) -> None:
        """End a wait whose time is up, as Airflow does where a task does not defer, unless the job has ended by now."""
        if self.cancel_on_kill:
            try:
                job = cancel_unless_ended(hook, job_id)
            except (UnsupportedOperationError, InvalidRequestError) as error:
                self.log.warning("Cannot cancel job %s; it is still running: %s", job_id, error.message)
            else:
                if job.state in (JobState.SUCCEEDED, JobState.FAILED):
                    hook.ensure_results(job, accept_partial=self.options.accept_partial)
                    return
                # A retry is a new attempt in its own time: it must not reconnect to what was just cancelled.
                submission.give_up()
        raise AirflowTaskTimeout(
            f"Job {job_id} has not ended within the task's timeout or execution_timeout; raise these to wait longer."
        )

    def _land(self, context: Context, hook: BatchApiHook, job_id: str) -> Any:
        try:
            landed = super()._land(context, hook, job_id)
        except (EmptyResultError, JobNotFoundError):
            raise
        except BatchDlError as error:
            command = download_command(self.conn_id, job_id, self.destination, self.options)
            log_how_to_download(error, context["ti"], job_id, command)
            raise
        if not self._is_id_pushed:
            context["ti"].xcom_push(key="job_id", value=job_id)
        return landed
