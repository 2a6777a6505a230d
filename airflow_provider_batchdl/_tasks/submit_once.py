"""One submission for each generation of a task instance: the rule behind "never a second bill".

A *generation* starts with the task's first try and with every clear by a user; automatic retries, crashes and
restarts stay within it. Airflow raises ``max_tries`` with every clear and never otherwise: it numbers the generations.

The :class:`JobRecord` must survive: first the intent, stored right before the submit's first byte is sent, with the
key that finds the job again; then the job's id, as soon as the vendor has returned it; and the ids of the previous
jobs, none of which may be taken for it. It is stored in Airflow's ``task_state_store`` (3.3 and later), else beside the
task's destination (:class:`SidecarStore`); a task without either has none.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._airflow import metrics
from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._tasks.arguments import FailOrResubmit
from airflow_provider_batchdl._tasks.cancel import supersede
from airflow_provider_batchdl._tasks.input_digests import (
    account_changed,
    changed,
    fingerprint,
    given_input,
    input_changed,
)
from airflow_provider_batchdl._tasks.job_record import JobRecord, RecordStore
from airflow_provider_batchdl._tasks.resume_decision import ResumeDecision, deciding
from airflow_provider_batchdl._tasks.sidecar import SidecarStore, warn_not_durable
from airflow_provider_batchdl._values import times
from airflow_provider_batchdl.exceptions import BatchDlError, JobNotFoundError, StateStoreError, SubmitUncertainError
from airflow_provider_batchdl.hooks._polls import find_job
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.vendors.base import Submission
from airflow_provider_batchdl.vendors.listing import LISTED_WITHIN
from airflow_provider_batchdl.vendors.states import is_cancelled

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_batchdl.hooks.base import BatchApiHook
    from airflow_provider_batchdl.vendors.base import Vendor

log = get_logger(__name__)


class SubmitOnce:
    """The one submit of a task instance's generation, and the client's journal of it.

    The arguments are those of the operators; ``destination`` is rendered, and None for a task that lands nothing.
    """

    def __init__(
        self,
        context: Context,
        *,
        durable: bool = True,
        destination: Any = None,
        cancel_superseded: bool = False,
        on_uncertain: FailOrResubmit = "fail",
        on_changed: FailOrResubmit = "fail",
        accept_partial: bool = False,
    ) -> None:
        store: Any = context.get("task_state_store") if durable else None
        if durable and store is None and destination is not None:
            store = SidecarStore(destination, context)
        self._store = RecordStore(store)
        self._generation = int(getattr(context["ti"], "max_tries", 0) or 0)
        self._clear_number = getattr(context["dag_run"], "clear_number", None)
        self._context, self._durable = context, durable
        self._decision: ResumeDecision
        self._cancel_superseded = cancel_superseded
        self._resubmits = on_uncertain == "resubmit"
        self._resubmits_changed = on_changed == "resubmit"
        self._accept_partial = accept_partial
        self._state: JobRecord | None = None
        self._unstored: JobRecord | None = None
        # A submit's record, what it replaces, and whether that happened.
        self._intent: JobRecord
        self._before: JobRecord | None = None
        self._is_noted = False

    def ensure(
        self, hook: BatchApiHook, request: Any, file: Any, *, before_submit: Callable[[Collection[str]], None]
    ) -> Job:
        """The job of this generation: the one of an earlier try, or a new one.

        ``before_submit`` is called before a new submit, with the ids of the jobs that this task submitted before.
        """
        if self._durable and not self.is_durable:
            warn_not_durable()
        request, file = given_input(hook.vendor, request, file)
        with deciding(self._context, durable=self._durable, has_record=self.is_durable) as self._decision:
            state = self._state = self._store.load()
            job = None
            if state and state.generation != self._generation:
                supersede(hook, state, cancels=self._cancel_superseded, event="the clear")
            elif state:
                self._decision.attempt(state.job_id)
                job = None if state.given_up else self._continued(hook, state, request, file)
            self._decision.made(job)
        if job is None:
            before_submit(state.jobs(hook) if state else ())
        return job or self._submitted(hook, request, file)

    @property
    def is_durable(self) -> bool:
        """True if the next try will reconnect to the job."""
        return bool(self._store)

    def give_up(self) -> None:
        """Make the next try submit a new job instead of reconnecting to this one."""
        state = self._state or self._store.load()
        if state is not None:
            self._try_save(replace(state, given_up=True))

    def store_again(self) -> None:
        """Store the job's id if that failed before. Never raises."""
        if self._unstored is not None and self._try_save(self._unstored, once=True):
            self._unstored = None

    def check_account(self, hook: BatchApiHook, *, job_id: str, conn_id: str) -> None:
        """Refuse to resume a job at another account than it was submitted to: there, its id may be another job's."""
        state = self._store.load() or JobRecord(self._generation, "", "", conn_id=conn_id)
        if not state.is_of(hook):
            raise account_changed(hook, replace(state, job_id=job_id))

    # An earlier try's job.

    def _continued(self, hook: BatchApiHook, state: JobRecord, request: dict[str, Any], file: str | None) -> Job | None:
        """The job of an earlier try of this generation; None if a new one is to be submitted."""
        if not state.is_of(hook):
            if not self._resubmits_changed:
                raise account_changed(hook, state)
            supersede(hook, state, cancels=self._cancel_superseded, event="the change of account")
            return None
        job = self._reconnected(hook, state, state.job_id) if state.job_id else None
        if state.job_id and job is None:
            return None
        parts = changed(state.inputs, fingerprint(request, file, state.key)) if state.inputs else []
        if not parts:
            return job or self._adopted(hook, state, request, file)
        if not self._resubmits_changed:
            raise input_changed(hook.vendor.name, state, " and ".join(parts))
        supersede(hook, state, cancels=self._cancel_superseded, event=f"the change of {' and '.join(parts)}")
        return None

    def _reconnected(self, hook: BatchApiHook, state: JobRecord, job_id: str) -> Job | None:
        """The job of an earlier try; None if it failed or is gone, so that a new one is to be submitted."""
        try:
            job = find_job(hook, job_id, young=state.is_young)
        except JobNotFoundError:
            log.warning("Job %s of an earlier try no longer exists at the vendor; submitting a new one", job_id)
            return None
        self._decision.found(job)
        if job.state is JobState.FAILED and not (self._accept_partial and hook.vendor.has_partial_results(job)):
            log.warning("Job %s of an earlier try failed; submitting a new one", job.id)
            return None
        if is_cancelled(job) and self._clear_number != state.clear_number is not None:
            log.warning("Job %s of an earlier try was cancelled, as by the clear since; submitting a new one", job.id)
            return None
        log.info("Reconnected to job %s of an earlier try (%s).", job.id, job.vendor_state)
        return job

    def _adopted(self, hook: BatchApiHook, state: JobRecord, request: dict[str, Any], file: str | None) -> Job | None:
        """Adopt the job of a submit that got no response; None if a new one may be submitted."""
        vendor, submitted_at = hook.vendor, state.submitted
        lost = SubmitUncertainError(
            f"An earlier try's submit to {vendor.label} got no response, and no such job is found. "
            f"{vendor.describe_where_to_check(Submission(request, file, state.key, submitted_at))}",
            vendor=vendor.name,
        )
        job, decides = None, vendor.lists_every_submit
        try:
            job = hook.find_submitted(
                request, file, key=state.key, submitted_at=submitted_at, known_job_ids=state.jobs(hook)
            )
        except SubmitUncertainError as error:  # the list is incomplete now, and may be complete later
            lost, decides = error, False
            lost.retryable, lost.retry_after = True, LISTED_WITHIN
        except BatchDlError:
            log.warning("%s", lost.message)  # the vendor cannot be reached, and this may be the last try
            raise
        if job is not None:
            self._decision.found(job)
            self._try_save(replace(state, job_id=job.id))
            log.warning("Adopted job %s, whose submit by an earlier try got no response", job.id)
            return job
        if self._resubmits:
            _log_second_submit(lost)
            return None
        left = vendor.listed_within - state.seconds_unanswered()
        if not decides or left > 0:
            raise _decided_later(lost, vendor, left) if decides else lost
        log.warning(
            "%s lists all jobs and not this one, %.0f minutes after its submit: not accepted; submitting it again",
            vendor.label,
            state.seconds_unanswered() / 60,
        )
        return None

    # A new job.

    def _submitted(self, hook: BatchApiHook, request: dict[str, Any], file: str | None) -> Job:
        try:
            return self._submitted_once(hook, request, file)
        except SubmitUncertainError as error:
            if not self._resubmits:
                if self.is_durable and hook.vendor.lists_every_submit:
                    raise _decided_later(error, hook.vendor, hook.vendor.listed_within) from error
                raise
            _log_second_submit(error)
        try:
            return self._submitted_once(hook, request, file)
        except SubmitUncertainError as error:
            error.retryable = True  # the next try continues in the same way, within the task's retries
            raise

    def _submitted_once(self, hook: BatchApiHook, request: dict[str, Any], file: str | None) -> Job:
        self._before, self._is_noted = self._state, False
        known_job_ids, key = self._before.jobs(hook) if self._before else [], uuid.uuid4().hex[:12]
        self._intent = JobRecord(
            self._generation,
            key,
            times.now().isoformat(),
            conn_id=str(hook.conn_id),
            known_job_ids=known_job_ids,
            account=hook.account_fingerprint,
            inputs=fingerprint(request, file, key) if self._store else None,
            clear_number=self._clear_number,
        )
        try:
            job = hook.submit_job(request, file, key=key, known_job_ids=known_job_ids, journal=self)
        except SubmitUncertainError:
            self._try_save(replace(self._intent, lost_at=times.now().isoformat()), once=True)
            raise
        except BatchDlError:
            self.turned_away()  # it was certainly not accepted
            raise
        log.info("Submitted job %s (%s).", job.id, job.vendor_state)  # first, in case it cannot be stored
        record = replace(self._intent, job_id=job.id)
        if not self._try_save(record):
            self._unstored = record
            log.error(
                "Could not store the id of job %s. This try continues with it; if it fails, the next one has to find "
                "the job at the vendor. If it cannot, pass the id to BatchJobSensor and DownloadBatchResultsOperator",
                job.id,
            )
        metrics.count("batchdl.submits", vendor=hook.vendor.name)  # last: a StatsD host may take long to resolve
        return job

    def sending(self) -> None:
        """Store the intent: the submit's first byte goes next."""
        self._is_noted = True  # even if it fails: a store may have saved what it did not confirm
        self._intent = replace(self._intent, submitted_at=times.now().isoformat())
        self._store.save(self._intent)
        self._state = self._intent

    def turned_away(self) -> None:
        """Restore the record from before: the vendor has certainly not accepted the submit."""
        if self._is_noted:
            self._is_noted = not self._try_save(self._before)

    def _try_save(self, state: JobRecord | None, *, once: bool = False) -> bool:
        """Store the record without failing the task; return whether it was stored."""
        try:
            self._store.save(state, once=once)
        except StateStoreError as error:
            log.warning("%s", error.message)
            return False
        finally:
            self._state = state
        return True


def _log_second_submit(error: SubmitUncertainError) -> None:
    log.warning("%s Submitting again, which may be billed twice (on_uncertain_submit='resubmit')", error.message)


def _decided_later(error: SubmitUncertainError, vendor: Vendor, seconds: float) -> SubmitUncertainError:
    """Make ``error`` retryable after ``seconds``: the list of ``vendor`` can decide it then."""
    within = vendor.listed_within
    error.retryable, error.retry_after = True, max(1.0, seconds)
    error.remedy = (
        "A retry searches for it again: if the vendor does not list it "
        f"{f'{within / 60:.0f} minutes' if within >= 60 else f'{within:.0f} seconds'} after the submit, it was not "
        "accepted, and the retry submits it. If no retry is left, clear the task then."
    )
    return error
