"""A task that submits a job, waits for it and lands its results."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseOperator

from airflow_provider_batchdl.deferral import (
    deadline_of,
    default_deferrable,
    ended_job,
    limit_of,
    seconds_of,
    wait_in_triggerer,
    wait_on_if_listed,
    wait_on_unless_answered,
)
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    EmptyResultError,
    InvalidRequestError,
    JobFailedError,
    UnsupportedOperationError,
)
from airflow_provider_batchdl.failures import AirflowTaskTimeout, no_vain_retries
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.hooks.polls import poll
from airflow_provider_batchdl.jobs import JobState
from airflow_provider_batchdl.kills import task_state
from airflow_provider_batchdl.links import BatchJobLink, show_link
from airflow_provider_batchdl.operators.cancel import cancel_quickly, cancel_unless_ended
from airflow_provider_batchdl.operators.choices import (
    OnChangedInput,
    OnUncertainSubmit,
    checked,
    parse_on_changed_input,
)
from airflow_provider_batchdl.operators.download import MAX_XCOM_BYTES
from airflow_provider_batchdl.operators.landing import LandsResults, as_given
from airflow_provider_batchdl.operators.submission import Submission
from airflow_provider_batchdl.rendering import HidesSignatures
from airflow_provider_batchdl.sections import log_group
from airflow_provider_batchdl.tracing import span
from airflow_provider_batchdl.waiting import Patience

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath, XComArg

    from airflow_provider_batchdl.jobs import Job


class _KilledError(BaseException):
    """Ends a wait from within ``on_kill``, which Airflow calls in a signal handler."""


class BatchJobOperator(HidesSignatures, LandsResults, BaseOperator):
    """Submits a job, waits for it and downloads its results, as one durable task.

    A retry reconnects to the job (before Airflow 3.3 only with a ``destination``) and, where it has ended, only
    downloads; one that failed is submitted anew, and one that was cancelled fails the task at once. Returns what
    ``DownloadBatchResultsOperator`` returns, and pushes the job's id as XCom ``job_id``.

    Args:
        conn_id: the account's connection; its type names the vendor.
        request: the vendor's request, a dict; see the vendor's section in the documentation.
        file: path or URL of a file to upload, anything ``ObjectStoragePath`` takes.
        destination: where the results go, as for ``DownloadBatchResultsOperator``; into XCom where left out.
        accept_partial: take what a cancelled job left, where the vendor keeps it.
        max_xcom_bytes: the most a result may have, in bytes, to go into XCom.
        manifest: whether to write ``_manifest.json``; only beside several files, or to ``"skip"``, where left out.
        if_exists: what becomes of an object at the destination, as for ``DownloadBatchResultsOperator``.
        on_empty: what becomes of a job that succeeded and has no result file, as there.
        sha256: whether to compute the files' SHA-256, as there.
        max_connections: the most to fetch one large file by, as there.
        partition_key: the partitions that the result is of, as there.
        poll_interval: seconds between looks; the connection's extra ``poll_interval`` or the vendor's where left out.
        max_poll_interval: most seconds between polls while deferred, where they become fewer; the connection's extra of
            that name, or eight times ``poll_interval`` and at most five minutes, where left out.
        timeout: seconds that a try waits for the job; until ``execution_timeout``, or a day without one, if left out.
        deferrable: wait in the triggerer; ``[operators] default_deferrable`` where left out. ``execution_timeout``
            holds there too, counted from the try's start.
        durable: remember the job across tries; before Airflow 3.3 in ``.batchdl/`` beside the destination.
        cancel_on_kill: cancel the job at the vendor when a user ends or clears the task, and when its time is up. A
            worker or triggerer that goes away leaves the job alone: the retry goes on with it.
        on_uncertain_submit: where a submit was sent, its answer was lost and the job cannot be found: ``fail``, with
            an error that says what to look for, or ``resubmit``, at the risk of paying twice.
        on_changed_input: where a retry finds another request, file or account than this task has submitted: ``fail``,
            with an error that names what changed, or ``resubmit``, as a clear does.
    """

    template_fields: Sequence[str] = ("conn_id", "request", "file", "destination", "partition_key")
    template_fields_renderers: ClassVar[dict[str, str]] = {"request": "json"}
    operator_extra_links = (BatchJobLink(),)
    ui_color = "#fff2cc"

    def __init__(
        self,
        *,
        conn_id: str,
        request: dict[str, Any] | XComArg | None = None,
        file: str | XComArg | None = None,
        destination: str | ObjectStoragePath | XComArg | None = None,
        accept_partial: bool = False,
        max_xcom_bytes: int = MAX_XCOM_BYTES,
        manifest: bool | None = None,
        if_exists: str = "replace",
        on_empty: str = "fail",
        sha256: bool = True,
        max_connections: int | None = None,
        partition_key: str | list[str] | XComArg | None = None,
        poll_interval: float | timedelta | None = None,
        max_poll_interval: float | timedelta | None = None,
        timeout: float | timedelta | None = None,
        deferrable: bool | None = None,
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
        self.destination: str | None = as_given(destination)  # Airflow resolves it before execute
        self.accept_partial = accept_partial
        self.max_xcom_bytes = max_xcom_bytes
        self.manifest = manifest
        self.if_exists = if_exists
        self.on_empty = on_empty
        self.sha256 = sha256
        self.max_connections = max_connections
        self.partition_key: str | list[str] | None = partition_key  # type: ignore[assignment] # as above
        self.poll_interval = seconds_of(poll_interval)
        self.max_poll_interval = seconds_of(max_poll_interval)
        self.timeout = limit_of(self, timeout)
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.durable = durable
        self.cancel_on_kill = cancel_on_kill
        self.on_uncertain_submit = checked(on_uncertain_submit)
        self.on_changed_input = parse_on_changed_input(on_changed_input)
        self.vendor_url: str | None = None
        self._waiting = False
        self._told: str | None = None

    def execute(self, context: Context) -> Any:
        """Submit, or reconnect; then wait here or in the triggerer; then download."""
        with no_vain_retries(JobFailedError), BatchApiHook.for_connection(self.conn_id) as hook:
            show_link(self, context, hook)
            self._prepare(context)
            submission = self._submission(context)
            job = submission.ensure(hook, self.request, self.file)
            context["ti"].xcom_push(key="job_id", value=job.id)
            self._note_lineage(hook, job.id)
            self._told = job.vendor_state
            if not hook.has_results(job, accept_partial=self.accept_partial):
                submission.store_again()
                if self.deferrable:
                    self._defer(context, job.id)
                self._wait(context, hook, job.id, submission)
            return self._land(context, hook, job.id)

    def execute_complete(self, context: Context, event: dict[str, Any], wait: dict[str, Any] | None = None) -> Any:
        """Go on after the trigger's event: download, or raise what the job's end means."""
        with no_vain_retries(JobFailedError), BatchApiHook.for_connection(self.conn_id) as hook:
            show_link(self, context, hook)
            wait_on_unless_answered(self, event, wait)
            wait_on_if_listed(self, hook, event, wait)
            submission = self._submission(context)
            submission.check_account(hook)
            context["ti"].xcom_push(key="job_id", value=event["job_id"])
            self._note_lineage(hook, event["job_id"])
            job = ended_job(event)
            if job is None:
                self._give_up(hook, event["job_id"], submission)
            else:
                self._tell(job)
                hook.has_results(job, accept_partial=self.accept_partial)
            return self._land(context, hook, event["job_id"])

    def _submission(self, context: Context) -> Submission:
        return Submission(
            context,
            durable=self.durable,
            destination=self.destination,
            cancel_superseded=self.cancel_on_kill,
            on_uncertain=self.on_uncertain_submit,
            on_changed=self.on_changed_input,
        )

    def _wait(self, context: Context, hook: BatchApiHook, job_id: str, submission: Submission) -> None:
        from airflow_provider_batchdl.retries import longest_pause

        longest = longest_pause(self, context) if submission.is_durable else float("inf")
        patience = Patience(self.poll_interval or hook.poll_interval, longest=longest)
        # Airflow itself interrupts by execution_timeout here; a deadline of the same moment would have it interrupt the
        # cancel that follows.
        deadline = None if self.timeout is None else time.time() + self.timeout
        self._waiting = True
        group = log_group(f"Waiting for job {job_id} at {hook.vendor.label}")
        try:
            with group, span("wait", vendor=hook.vendor.name, job_id=job_id):
                while not self._look(hook, job_id, patience, deadline):
                    if deadline is not None and time.time() >= deadline:
                        raise AirflowTaskTimeout
        except AirflowTaskTimeout:
            self._waiting = False
            self._give_up(hook, job_id, submission)
        except _KilledError:
            self._stop(context, hook, job_id, submission)
        finally:
            self._waiting = False

    def _look(self, hook: BatchApiHook, job_id: str, patience: Patience, deadline: float | None) -> bool:
        time.sleep(patience.pause() if deadline is None else max(0.0, min(patience.pause(), deadline - time.time())))
        job = poll(hook, job_id, patience)
        if job is None:
            return False
        self._tell(job)
        return hook.has_results(job, accept_partial=self.accept_partial)

    def _tell(self, job: Job) -> None:
        """Log the job's state where it has changed."""
        if job.vendor_state != self._told:
            self._told = job.vendor_state
            self.log.info("Job %s is %s.", job.id, job.vendor_state)

    def on_kill(self) -> None:
        """End the wait, to decide outside of the signal handler what becomes of the job."""
        if self._waiting:
            self._waiting = False
            raise _KilledError

    def _stop(self, context: Context, hook: BatchApiHook, job_id: str, submission: Submission) -> NoReturn:
        """Cancel the job where a user ended the task. There are some five seconds left."""
        if submission.is_durable and task_state(context["ti"]) == "running":
            raise RuntimeError(f"This worker was told to stop. Job {job_id} goes on, and so does a retry with it.")
        if self.cancel_on_kill:
            try:
                cancel_quickly(hook, job_id)
                self.log.info("Cancelled job %s at the vendor.", job_id)
            except BatchDlError as error:
                self.log.warning("Job %s could not be cancelled at the vendor: %s", job_id, error)
        raise RuntimeError(f"The task was ended while job {job_id} ran.")

    def _defer(self, context: Context, job_id: str) -> None:
        from airflow_provider_batchdl.triggers.job import BatchJobTrigger

        trigger = BatchJobTrigger(
            conn_id=self.conn_id,
            job_id=job_id,
            poll_interval=self.poll_interval,
            deadline=deadline_of(self, context, self.timeout),
            cancel_on_kill=self.cancel_on_kill,
            max_poll_interval=self.max_poll_interval,
            since=time.time(),
        )
        wait_in_triggerer(self, trigger)

    def _give_up(self, hook: BatchApiHook, job_id: str, submission: Submission) -> None:
        """End the wait whose time is up, unless the job has ended by now.

        Raises:
            AirflowTaskTimeout: as Airflow ends a task that does not defer; it may be retried.
        """
        if self.cancel_on_kill:
            try:
                job = cancel_unless_ended(hook, job_id)
            except (UnsupportedOperationError, InvalidRequestError) as error:
                self.log.warning("Job %s is not cancelled at the vendor: %s", job_id, error.message)
            else:
                if job.state in (JobState.SUCCEEDED, JobState.FAILED):
                    hook.has_results(job)
                    return
                # A retry is a new attempt in its own time: it must not reconnect to what was just cancelled.
                submission.give_up()
        raise AirflowTaskTimeout(f"Job {job_id} has not ended within the task's timeout or execution_timeout.")

    def _land(self, context: Context, hook: BatchApiHook, job_id: str) -> Any:
        try:
            return super()._land(context, hook, job_id)
        except EmptyResultError:
            raise
        except BatchDlError:
            self.log.warning(
                "Job %s has ended, and its results are still at the vendor. A retry lands them. Clearing this task "
                "submits, and pays for, a new job; DownloadBatchResultsOperator with this job_id does not.",
                job_id,
            )
            raise
