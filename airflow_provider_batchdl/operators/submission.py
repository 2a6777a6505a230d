"""One submission for each generation of a task instance: the rule behind "never a second bill".

A *generation* begins with the task's first try and with every clear by a user; automatic retries, crashes and
restarts stay within it. Airflow raises ``max_tries`` by every clear and by nothing else, so it names the generation.

What must survive lies in Airflow's ``task_state_store`` (3.3 and later): first the intent, with the key that finds
the job again, then the job's id. Before 3.3 there is no such place, and a retry submits again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.exceptions import BatchDlError, JobNotFoundError, SubmitUncertainError
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.redaction import get_logger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_batchdl.hooks.base import BatchApiHook

log = get_logger(__name__)

STATE_KEY = "batchdl_job"


@dataclass(frozen=True)
class _State:
    """What is stored: the intent while ``job_id`` is None, the job after."""

    generation: int
    key: str
    submitted_at: str
    job_id: str | None = None


class Submission:
    """A task instance's one submission.

    Args:
        context: the task's context.
        durable: whether to remember the job across tries; needs Airflow 3.3.
    """

    def __init__(self, context: Context, *, durable: bool = True) -> None:
        store: Any = context.get("task_state_store") if durable else None
        self._store = store
        self._generation = int(getattr(context["ti"], "max_tries", 0) or 0)
        if durable and store is None:
            log.info("This Airflow has no task_state_store: a retry of this task submits a new job.")

    def ensure(self, hook: BatchApiHook, request: Mapping[str, Any] | None, file: str | None) -> Job:
        """The job of this generation: the one submitted before, or a new one.

        Raises:
            SubmitUncertainError: an earlier try may have submitted it, and it cannot be found.
            BatchDlError: what else went wrong, typed.
        """
        state = self._load()
        job = None
        if state is not None:
            job = self._reconnected(hook, state) if state.job_id else self._adopted(hook, state, request, file)
        return job or self._submitted(hook, request, file)

    @property
    def is_durable(self) -> bool:
        """Whether the next try will know of the job."""
        return self._store is not None

    def forget(self) -> None:
        """Make the next try submit a new job."""
        if self._store is not None:
            self._store.delete(STATE_KEY)

    def _submitted(self, hook: BatchApiHook, request: Mapping[str, Any] | None, file: str | None) -> Job:
        intent = _State(self._generation, uuid.uuid4().hex[:12], datetime.now(UTC).isoformat())
        self._save(intent)
        try:
            job = hook.submit_job(dict(request or {}), file, key=intent.key)
        except SubmitUncertainError:
            raise
        except BatchDlError:
            self.forget()  # it was surely not accepted
            raise
        log.info("Submitted job %s (%s).", job.id, job.vendor_state)  # first, in case that it cannot be stored
        self._save(replace(intent, job_id=job.id))
        return job

    def _reconnected(self, hook: BatchApiHook, state: _State) -> Job | None:
        """The job of an earlier try, unless it failed or is gone: then a new one is in order."""
        try:
            job = hook.get_job(str(state.job_id))
        except JobNotFoundError:
            log.warning("Job %s of an earlier try is gone at the vendor; submitting a new one.", state.job_id)
            return None
        if job.state is JobState.FAILED:
            log.warning("Job %s of an earlier try failed; submitting a new one.", job.id)
            return None
        log.info("Reconnected to job %s of an earlier try (%s).", job.id, job.vendor_state)
        return job

    def _adopted(self, hook: BatchApiHook, state: _State, request: Mapping[str, Any] | None, file: str | None) -> Job:
        """The job of a try that ended between its submit and the answer."""
        job = hook.find_submitted(
            dict(request or {}), file, key=state.key, submitted_at=datetime.fromisoformat(state.submitted_at)
        )
        if job is None:
            raise SubmitUncertainError(
                f"An earlier try began to submit at {state.submitted_at} and did not learn the job's id; no such job "
                "is found.",
                vendor=hook.vendor.name,
            )
        self._save(replace(state, job_id=job.id))
        log.warning("Found job %s, submitted by an earlier try that did not learn its id.", job.id)
        return job

    def _load(self) -> _State | None:
        stored = self._store.get(STATE_KEY) if self._store is not None else None
        if not stored or stored.get("generation") != self._generation:
            return None
        known = {field.name for field in fields(_State)}
        return _State(**{name: value for name, value in stored.items() if name in known})

    def _save(self, state: _State) -> None:
        if self._store is not None:
            self._store.set(STATE_KEY, asdict(state))
