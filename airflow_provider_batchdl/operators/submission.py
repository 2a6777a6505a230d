"""One submission for each generation of a task instance: the rule behind "never a second bill".

A *generation* begins with the task's first try and with every clear by a user; automatic retries, crashes and
restarts stay within it. Airflow raises ``max_tries`` by every clear and by nothing else, so it names the generation.

What must survive is a :class:`JobRecord`: first the intent, stored right before the submit's first byte goes, with the
key that finds the job again; then the job's id, as soon as the vendor has said it; and the ids of the jobs before it,
none of which may be taken for it. It lies in Airflow's ``task_state_store`` (3.3 and later), else beside the task's
destination (:class:`SidecarStore`); a task without either has none.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InputChangedError,
    JobNotFoundError,
    StateStoreError,
    SubmitUncertainError,
)
from airflow_provider_batchdl.hooks.polls import find_job
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.metrics import count_submit
from airflow_provider_batchdl.operators.cancel import supersede
from airflow_provider_batchdl.operators.choices import OnChangedInput, OnUncertainSubmit, checked
from airflow_provider_batchdl.operators.inputs import changed, fingerprint, input_changed
from airflow_provider_batchdl.operators.job_record import STATE_KEY, JobRecord, RecordStore
from airflow_provider_batchdl.operators.sidecar import SidecarStore
from airflow_provider_batchdl.operators.uncertain import NOT_LISTED_SECONDS, decide_later, lists_all
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.vendors.base import Submission as VendorSubmission

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_batchdl.hooks.base import BatchApiHook

__all__ = ["NOT_LISTED_SECONDS", "STATE_KEY", "OnUncertainSubmit", "Submission", "checked"]

log = get_logger(__name__)


class Submission:
    """A task instance's one submission.

    Args:
        context: the task's context.
        durable: whether to remember the job across tries; needs Airflow 3.3, or a destination.
        destination: where the task's results go, rendered; None for a task that lands nothing.
        cancel_superseded: whether to cancel the job of an earlier generation, where it still runs.
        on_uncertain: what to do where a submit was sent, its answer was lost, and the job cannot be found: ``fail``,
            or ``resubmit`` at the risk of paying twice.
        on_changed: what to do where a retry finds another request, file or account than it submitted: ``fail``, or
            ``resubmit``.
    """

    def __init__(
        self,
        context: Context,
        *,
        durable: bool = True,
        destination: Any = None,
        cancel_superseded: bool = False,
        on_uncertain: OnUncertainSubmit = "fail",
        on_changed: OnChangedInput = "fail",
    ) -> None:
        store: Any = context.get("task_state_store") if durable else None
        if durable and store is None and destination is not None:
            store = SidecarStore(destination, context)
        self._store = RecordStore(store)
        self._generation = int(getattr(context["ti"], "max_tries", 0) or 0)
        self._forgetful = durable and store is None
        self._cancel_superseded = cancel_superseded
        self._resubmits = on_uncertain == "resubmit"
        self._resubmits_changed = on_changed == "resubmit"
        self._state: JobRecord | None = None
        self._unstored: JobRecord | None = None

    def ensure(self, hook: BatchApiHook, request: Mapping[str, Any] | None, file: str | None) -> Job:
        """The job of this generation: the one submitted before, or a new one.

        Raises:
            SubmitUncertainError: this or an earlier try may have submitted it, and it cannot be found.
            InputChangedError: an earlier try submitted something else.
            BatchDlError: what else went wrong, typed.
        """
        if self._forgetful:
            _say_what_older_airflows_lack()
        request = dict(request or {})
        state = self._state = self._load()
        job = None
        if state and state.generation != self._generation:
            supersede(hook, state, cancels=self._cancel_superseded, event="this task was cleared")
        elif state and not state.given_up:
            job = self._continued(hook, state, request, file)
        return job or self._submitted(hook, request, file)

    @property
    def is_durable(self) -> bool:
        """Whether the next try will know of the job."""
        return bool(self._store)

    def give_up(self) -> None:
        """Make the next try submit a new job, which this one is not taken for."""
        state = self._state or self._load()
        if state is not None:
            self._try_save(replace(state, given_up=True))

    def store_again(self) -> None:
        """Store the job's id where that failed before. Never raises."""
        if self._unstored is not None and self._try_save(self._unstored, once=True):
            self._unstored = None

    def check_account(self, hook: BatchApiHook) -> None:
        """Refuse to continue with a job at another account than it was submitted to.

        Raises:
            InputChangedError: the connection leads to another account by now.
        """
        state = self._load()
        if state is not None and state.job_id and not state.is_of(hook):
            raise self._other_account(hook, state)

    # An earlier try's job.

    def _continued(self, hook: BatchApiHook, state: JobRecord, request: dict[str, Any], file: str | None) -> Job | None:
        """The job of an earlier try of this generation; None where a new one is in order."""
        if not state.is_of(hook):
            if not self._resubmits_changed:
                raise self._other_account(hook, state)
            supersede(hook, state, cancels=self._cancel_superseded, event="the account changed")
            return None
        job = self._reconnected(hook, state, state.job_id) if state.job_id else None
        if state.job_id and job is None:
            return None
        parts = changed(state.inputs, fingerprint(request, file, state.key)) if state.inputs else []
        if not parts:
            return job or self._adopted(hook, state, request, file)
        if not self._resubmits_changed:
            raise input_changed(hook.vendor.name, state, " and ".join(parts))
        supersede(hook, state, cancels=self._cancel_superseded, event=f"{' and '.join(parts)} changed")
        return None

    @staticmethod
    def _reconnected(hook: BatchApiHook, state: JobRecord, job_id: str) -> Job | None:
        """The job of an earlier try, unless it failed or is gone: then a new one is in order."""
        try:
            job = find_job(hook, job_id, young=state.is_young)
        except JobNotFoundError:
            log.warning("Job %s of an earlier try is gone at the vendor; submitting a new one.", job_id)
            return None
        if job.state is JobState.FAILED:
            log.warning("Job %s of an earlier try failed; submitting a new one.", job.id)
            return None
        log.info("Reconnected to job %s of an earlier try (%s).", job.id, job.vendor_state)
        return job

    def _adopted(self, hook: BatchApiHook, state: JobRecord, request: dict[str, Any], file: str | None) -> Job | None:
        """The job of a try that ended between its submit and the answer; None where one may be submitted."""
        vendor, submitted_at = hook.vendor, datetime.fromisoformat(state.submitted_at)
        lost = SubmitUncertainError(
            f"An earlier try began to submit to {vendor.label} and did not learn the job's id; no such job is found. "
            f"{vendor.to_check(VendorSubmission(request, file, state.key, submitted_at))}",
            vendor=vendor.name,
        )
        job, decides = None, lists_all(hook)
        try:
            job = hook.find_submitted(request, file, key=state.key, submitted_at=submitted_at, earlier=state.jobs(hook))
        except SubmitUncertainError as error:  # the list does not show all; it may do so later
            lost, decides = error, False
            lost.retryable, lost.retry_after = True, NOT_LISTED_SECONDS
        except BatchDlError:
            log.warning("%s", lost.message)  # the vendor cannot be asked, and this may be the last try
            raise
        if job is not None:
            self._try_save(replace(state, job_id=job.id))
            log.warning("Found job %s, submitted by an earlier try that did not learn its id.", job.id)
            return job
        if self._resubmits:
            log.warning("%s Submitting again, which may be billed twice, as on_uncertain_submit says.", lost.message)
            return None
        left = NOT_LISTED_SECONDS - state.seconds_unanswered()
        if not decides or left > 0:
            raise decide_later(lost, left) if decides else lost
        log.warning(
            "%s lists all jobs and, %.0f minutes after the submit, not this one: it was not accepted. Submitting it.",
            vendor.label,
            state.seconds_unanswered() / 60,
        )
        return None

    @staticmethod
    def _other_account(hook: BatchApiHook, state: JobRecord) -> InputChangedError:
        what = f"the account (connection {state.conn_id!r} then, {hook.conn_id!r} now)"
        return input_changed(hook.vendor.name, state, what)

    # A new job.

    def _submitted(self, hook: BatchApiHook, request: dict[str, Any], file: str | None) -> Job:
        try:
            return self._submitted_once(hook, request, file)
        except SubmitUncertainError as error:
            if not self._resubmits:
                if self.is_durable and lists_all(hook):
                    raise decide_later(error, NOT_LISTED_SECONDS) from error
                raise
            log.warning("%s Submitting again, which may be billed twice, as on_uncertain_submit says.", error.message)
        try:
            return self._submitted_once(hook, request, file)
        except SubmitUncertainError as error:
            error.retryable = True  # the next try continues in the same way, within the task's retries
            raise

    def _submitted_once(self, hook: BatchApiHook, request: dict[str, Any], file: str | None) -> Job:
        before = self._state
        earlier, key = before.jobs(hook) if before else [], uuid.uuid4().hex[:12]
        intent = JobRecord(
            self._generation,
            key,
            datetime.now(UTC).isoformat(),
            conn_id=str(hook.conn_id),
            earlier=earlier,
            account=hook.account_fingerprint,
            inputs=fingerprint(request, file, key) if self._store else None,
        )
        journal = _Journal(self, before, intent)
        try:
            job = hook.submit_job(request, file, key=key, earlier=earlier, journal=journal)
        except SubmitUncertainError:
            self._try_save(replace(journal.intent, lost_at=datetime.now(UTC).isoformat()), once=True)
            raise
        except BatchDlError:
            journal.turned_away()  # it was surely not accepted
            raise
        log.info("Submitted job %s (%s).", job.id, job.vendor_state)  # first, in case that it cannot be stored
        record = replace(journal.intent, job_id=job.id)
        if not self._try_save(record):
            self._unstored = record
            log.error(
                "The id of job %s could not be stored. This try continues with it; should it fail, the next one has to "
                "find the job. If that fails, too, give the id to BatchJobSensor and DownloadBatchResultsOperator.",
                job.id,
            )
        count_submit(hook.vendor.name)  # last: to find a StatsD host may take long, and the id must not wait for it
        return job

    # The record.

    def _load(self) -> JobRecord | None:
        return self._store.load()

    def _save(self, state: JobRecord | None) -> None:
        self._store.save(state)
        self._state = state

    def _try_save(self, state: JobRecord | None, *, once: bool = False) -> bool:
        """Store what must not fail the task; whether that was possible."""
        try:
            if once:
                self._store.save(state, once=True)
            else:
                self._save(state)
        except StateStoreError as error:
            log.warning("%s", error.message)
            return False
        finally:
            self._state = state
        return True


class _Journal:
    """Stores the intent right before the submit's first byte goes, and takes it back where the vendor turns it away."""

    def __init__(self, submission: Submission, before: JobRecord | None, intent: JobRecord) -> None:
        self._submission, self._before, self.intent = submission, before, intent
        self._noted = False

    def sending(self) -> None:
        self._noted = True  # also where it fails: a store may take what it does not confirm
        self.intent = replace(self.intent, submitted_at=datetime.now(UTC).isoformat())
        self._submission._save(self.intent)

    def turned_away(self) -> None:
        if self._noted:
            self._noted = not self._submission._try_save(self._before)


@cache
def _say_what_older_airflows_lack() -> None:
    """Once in a process, which is once in a try."""
    log.warning(
        "This Airflow is older than 3.3, and this task has no destination, beside which its job could be noted. A "
        "retry or a clear of it submits, and pays for, a new job and leaves the old one as it is. BatchJobOperator "
        "with a destination reconnects. durable=False says that this is known."
    )
