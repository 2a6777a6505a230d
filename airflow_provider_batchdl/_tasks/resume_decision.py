"""Report of a try's decision about the job of an earlier one, by the names of Airflow's own resumable operators.

Airflow 3.4's ``ResumableJobMixin`` sends counters ``resumable_job.*`` and a span ``resumable_job.resume_decision``
(``airflow/sdk/bases/resumablejobmixin.py``). Dashboards query these names, so tasks here send the same at the same
decisions, with every Airflow.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_batchdl._airflow.metrics import count_resume
from airflow_provider_batchdl._airflow.tracing import Note, resume_decision_span
from airflow_provider_batchdl._tasks.job_record import STATE_KEY
from airflow_provider_batchdl.jobs import Job, JobState

if TYPE_CHECKING:
    from airflow.sdk import Context


class ResumeDecision:
    """Reports one decision; there is nothing to decide without a record that outlives a try."""

    def __init__(self, context: Context, note: Note, *, has_record: bool) -> None:
        self._context = context
        self._note = note
        self._has_record = has_record
        self._attempted = False

    def attempt(self, job_id: str | None) -> None:
        """A record of this generation has a job; nothing where it has none."""
        if job_id is None or self._attempted:
            return
        self._attempted = True
        self._note(external_id=job_id)
        count_resume("reconnect_attempt", self._context)

    def found(self, job: Job) -> None:
        """The vendor has a job of an earlier try."""
        self.attempt(job.id)
        self._note(prior_status=job.vendor_state)

    def made(self, job: Job | None) -> None:
        """The try continues with ``job``; with None it submits a new one."""
        if not self._has_record:
            self._note(decision="no_task_state_store")
        elif job is None:
            self._decide("terminal_resubmit" if self._attempted else "fresh_submit")
        elif not job.state.is_terminal:
            self._note(decision="reconnect")
            count_resume("reconnect_success", self._context)
        elif job.state is JobState.CANCELLED:
            self._note(decision="cancelled")  # Airflow's would submit again; here the task fails
        else:
            self._decide("already_succeeded")

    def _decide(self, decision: str) -> None:
        self._note(decision=decision)
        count_resume(decision, self._context)


@contextmanager
def deciding(context: Context, *, durable: bool, has_record: bool) -> Iterator[ResumeDecision]:
    """Report the decision that is made in this block; nothing for a task that is not to be durable."""
    if not durable:
        yield ResumeDecision(context, lambda **_: None, has_record=False)
        return
    with resume_decision_span(type(context["task"]).__name__, STATE_KEY) as note:
        yield ResumeDecision(context, note, has_record=has_record)
