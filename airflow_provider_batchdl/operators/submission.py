"""One submission for each generation of a task instance: the rule behind "never a second bill".

A *generation* begins with the task's first try and with every clear by a user; automatic retries, crashes and
restarts stay within it. Airflow raises ``max_tries`` by every clear and by nothing else, so it names the generation.

What must survive lies in Airflow's ``task_state_store`` (3.3 and later): first the intent, with the key that finds
the job again, then the job's id; and the ids of the jobs before it, none of which may be taken for it. Before 3.3
there is no such place, and a retry submits again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from airflow_provider_batchdl.exceptions import BatchDlError, JobNotFoundError, SubmitUncertainError
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.metrics import count_submit
from airflow_provider_batchdl.operators.cancel import cancel_unless_ended
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.vendors.base import Submission as VendorSubmission

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_batchdl.hooks.base import BatchApiHook

log = get_logger(__name__)

STATE_KEY = "batchdl_job"

OnUncertainSubmit: TypeAlias = Literal["fail", "resubmit"]


def checked(choice: str) -> OnUncertainSubmit:
    """An operator's ``on_uncertain_submit``.

    Raises:
        ValueError: there is no such choice.
    """
    for known in get_args(OnUncertainSubmit):
        if choice == known:
            return known  # type: ignore[no-any-return]
    raise ValueError(f'on_uncertain_submit is "fail" or "resubmit", not {choice!r}.')


@dataclass(frozen=True)
class _State:
    """What is stored: the intent while ``job_id`` is None, the job after.

    ``earlier`` are the jobs that the task submitted before, through the same connection; ``given_up`` says that this
    one is among them as well.
    """

    generation: int
    key: str
    submitted_at: str
    job_id: str | None = None
    conn_id: str | None = None
    earlier: Sequence[str] = ()
    given_up: bool = False

    def jobs(self, conn_id: str) -> list[str]:
        """All that the task has submitted through that connection. Another's ids may be the same for other jobs."""
        if self.conn_id != conn_id:
            return []
        return [*self.earlier, *([self.job_id] if self.job_id else [])]


class Submission:
    """A task instance's one submission.

    Args:
        context: the task's context.
        durable: whether to remember the job across tries; needs Airflow 3.3.
        cancel_superseded: whether to cancel the job of an earlier generation, where it still runs.
        on_uncertain: what to do where a submit was sent, its answer was lost, and the job cannot be found: ``fail``,
            or ``resubmit`` at the risk of paying twice.
    """

    def __init__(
        self,
        context: Context,
        *,
        durable: bool = True,
        cancel_superseded: bool = False,
        on_uncertain: OnUncertainSubmit = "fail",
    ) -> None:
        self._store: Any = context.get("task_state_store") if durable else None
        self._generation = int(getattr(context["ti"], "max_tries", 0) or 0)
        self._forgetful = durable and self._store is None
        self._cancel_superseded = cancel_superseded
        self._resubmits = on_uncertain == "resubmit"
        self._state: _State | None = None

    def ensure(self, hook: BatchApiHook, request: Mapping[str, Any] | None, file: str | None) -> Job:
        """The job of this generation: the one submitted before, or a new one.

        Raises:
            SubmitUncertainError: this or an earlier try may have submitted it, and it cannot be found.
            BatchDlError: what else went wrong, typed.
        """
        if self._forgetful:
            _say_what_older_airflows_lack()
        request = dict(request or {})
        state = self._state = self._load()
        job = None
        if state and state.generation != self._generation:
            self._supersede(hook, state)
        elif state and state.job_id:
            job = None if state.given_up else self._reconnected(hook, state.job_id)
        elif state:
            job = self._adopted(hook, state, request, file)
        return job or self._submitted(hook, request, file)

    @property
    def is_durable(self) -> bool:
        """Whether the next try will know of the job."""
        return self._store is not None

    def give_up(self) -> None:
        """Make the next try submit a new job, which this one is not taken for."""
        state = self._load()
        if state is not None:
            self._save(replace(state, given_up=True))

    def _submitted(self, hook: BatchApiHook, request: dict[str, Any], file: str | None) -> Job:
        try:
            return self._submitted_once(hook, request, file)
        except SubmitUncertainError as error:
            if not self._resubmits:
                raise
            log.warning("%s Submitting again, which may be billed twice, as on_uncertain_submit says.", error.message)
        try:
            return self._submitted_once(hook, request, file)
        except SubmitUncertainError as error:
            error.retryable = True  # the next try goes on in the same way, within the task's retries
            raise

    def _submitted_once(self, hook: BatchApiHook, request: dict[str, Any], file: str | None) -> Job:
        before, conn_id = self._state, str(hook.conn_id)
        earlier = before.jobs(conn_id) if before else []
        key, now = uuid.uuid4().hex[:12], datetime.now(UTC)
        intent = _State(self._generation, key, now.isoformat(), conn_id=conn_id, earlier=earlier)
        self._save(intent)
        try:
            job = hook.submit_job(request, file, key=key, earlier=earlier)
        except SubmitUncertainError:
            raise
        except BatchDlError:
            self._save(before)  # it was surely not accepted
            raise
        log.info("Submitted job %s (%s).", job.id, job.vendor_state)  # first, in case that it cannot be stored
        self._save(replace(intent, job_id=job.id))
        count_submit(hook.vendor.name)  # last: to find a StatsD host may take long, and the id must not wait for it
        return job

    def _supersede(self, hook: BatchApiHook, state: _State) -> None:
        """A user cleared the task: what it submitted before is not wanted any more.

        Whatever comes of it, the new job is submitted. A try that ends before has stored nothing, so the next one
        comes here again.
        """
        if state.job_id is None:
            log.warning(
                "Before this task was cleared, it began to submit at %s and did not learn the job's id. If the vendor "
                "has the job, it goes on.",
                state.submitted_at,
            )
        elif not self._cancel_superseded:
            log.info("Job %s of before this task was cleared is left as it is.", state.job_id)
        elif state.conn_id not in (None, hook.conn_id):
            # The same id may be another job there.
            log.warning("Job %s goes on: it was submitted through connection %s.", state.job_id, state.conn_id)
        else:
            try:
                cancel_unless_ended(hook, state.job_id)
            except JobNotFoundError:
                log.info("Job %s of before this task was cleared is gone at the vendor.", state.job_id)
            except BatchDlError as error:
                log.warning("Job %s of before this task was cleared goes on: %s", state.job_id, error)

    def _reconnected(self, hook: BatchApiHook, job_id: str) -> Job | None:
        """The job of an earlier try, unless it failed or is gone: then a new one is in order."""
        try:
            job = hook.get_job(job_id)
        except JobNotFoundError:
            log.warning("Job %s of an earlier try is gone at the vendor; submitting a new one.", job_id)
            return None
        if job.state is JobState.FAILED:
            log.warning("Job %s of an earlier try failed; submitting a new one.", job.id)
            return None
        log.info("Reconnected to job %s of an earlier try (%s).", job.id, job.vendor_state)
        return job

    def _adopted(self, hook: BatchApiHook, state: _State, request: dict[str, Any], file: str | None) -> Job | None:
        """The job of a try that ended between its submit and the answer."""
        vendor, submitted_at = hook.vendor, datetime.fromisoformat(state.submitted_at)
        lost = SubmitUncertainError(
            f"An earlier try began to submit to {vendor.label} and did not learn the job's id; no such job is found. "
            f"{vendor.to_check(VendorSubmission(request, file, state.key, submitted_at))}",
            vendor=vendor.name,
        )
        try:
            job = hook.find_submitted(
                request, file, key=state.key, submitted_at=submitted_at, earlier=state.jobs(str(hook.conn_id))
            )
        except BatchDlError:
            log.warning("%s", lost.message)  # the vendor cannot be asked, and this may be the last try
            raise
        if job is not None:
            self._save(replace(state, job_id=job.id))
            log.warning("Found job %s, submitted by an earlier try that did not learn its id.", job.id)
            return job
        if not self._resubmits:
            raise lost
        log.warning("%s Submitting again, which may be billed twice, as on_uncertain_submit says.", lost.message)
        return None

    def _load(self) -> _State | None:
        stored = self._store.get(STATE_KEY) if self._store is not None else None
        if not stored:
            return None
        known = {field.name for field in fields(_State)}
        return _State(**{name: value for name, value in stored.items() if name in known})

    def _save(self, state: _State | None) -> None:
        self._state = state
        if self._store is None:
            return
        if state is None:
            self._store.delete(STATE_KEY)
        else:
            self._store.set(STATE_KEY, asdict(state))


@cache
def _say_what_older_airflows_lack() -> None:
    """Once in a process, which is once in a try."""
    log.warning(
        "This Airflow is older than 3.3. A retry or a clear of this task submits a new job and leaves the old one as "
        "it is, and so does ending the task while it is deferred. durable=False says that this is known."
    )
