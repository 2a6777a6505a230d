"""Record of a task instance's submit, from which another try, in another process, resumes the job."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._values import times
from airflow_provider_batchdl._values.storable import storable
from airflow_provider_batchdl.exceptions import BatchDlError, StateStoreError
from airflow_provider_batchdl.polling.backoff import YOUNG_SECONDS

if TYPE_CHECKING:
    from airflow_provider_batchdl.hooks.base import BatchApiHook

T = TypeVar("T")

log = get_logger(__name__)

STATE_KEY = "batchdl_job"
# In no id that a vendor may give. Other letters that cannot be printed may be: a hard blank, an emoji of next year.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Seconds between attempts to use the store; a restart of Airflow's API server takes about as long.
STORE_PAUSES = (1.0, 4.0)
DAMAGED_REMEDY = (
    "Check at the vendor which job this task submitted, if any; then remove the record (Airflow's task state, or "
    "before Airflow 3.3 the object in the folder .batchdl beside the destination) and clear the task."
)


@dataclass(frozen=True)
class JobRecord:
    """A submit: only started while ``job_id`` is None, answered after.

    Args:
        generation: number of the task's clear that it belongs to.
        key: the submission's token, which finds its job by an upload's name.
        submitted_at: when the submit's first byte went, ISO 8601.
        job_id: the vendor's id.
        conn_id: the connection that it was submitted through.
        known_job_ids: the jobs that the task submitted before, to the same account.
        given_up: the job counts as a previous one: the next try submits another.
        account: fingerprint of the account at the vendor; None in records of older versions.
        inputs: digests of the submitted input, by part; None in records of older versions.
        lost_at: when the submit was found to get no response, ISO 8601; None if the process ended before.
        clear_number: how often tasks of the DAG run had been cleared; None in records of older versions.
    """

    generation: int
    key: str
    submitted_at: str
    job_id: str | None = None
    conn_id: str | None = None
    known_job_ids: Sequence[str] = ()
    given_up: bool = False
    account: str | None = None
    inputs: dict[str, str] | None = None
    lost_at: str | None = None
    clear_number: int | None = None

    @classmethod
    def parse(cls, stored: object) -> JobRecord:
        """Parse a stored record; members of a newer version are ignored."""
        import msgspec

        try:
            record = msgspec.convert(stored, cls)
        except msgspec.ValidationError:
            raise ValueError("a member is missing or of another type") from None
        inputs = record.inputs or {}
        words = (record.key, record.job_id, record.conn_id, record.account, *record.known_job_ids)
        if any(map(_CONTROL.search, filter(None, (*words, *inputs, *inputs.values())))):
            raise ValueError("a member is no id, name or digest")
        written = [each for each in (record.submitted_at, record.lost_at) if each is not None]
        if any(times.moment_of(each, zone=None) is None for each in written):
            raise ValueError("a time is invalid or has no time zone")
        return record

    def is_of(self, hook: BatchApiHook) -> bool:
        """True if it was submitted to the account of ``hook``. Another account may use the same ids for other jobs."""
        if self.account is None:
            return self.conn_id in (None, hook.conn_id)
        return self.account == hook.account_fingerprint

    def jobs(self, hook: BatchApiHook) -> list[str]:
        """Ids of all jobs that the task has submitted to that account."""
        if not self.is_of(hook):
            return []
        return [*self.known_job_ids, *([self.job_id] if self.job_id else [])]

    @property
    def submitted(self) -> datetime:
        """Time of the submit's first byte."""
        return times.moment_of(self.submitted_at, zone=None) or times.now()

    @property
    def is_young(self) -> bool:
        """True while the vendor may not show the job everywhere yet."""
        return times.now().timestamp() - self.submitted.timestamp() < YOUNG_SECONDS

    def seconds_unanswered(self) -> float:
        """Seconds that the vendor has had to list the job of a submit without a response."""
        lost = times.moment_of(self.lost_at) or self.submitted
        return times.now().timestamp() - lost.timestamp()


class RecordStore:
    """Store of one task instance's record; false where there is none. Retries short outages; its errors are typed."""

    def __init__(self, store: Any) -> None:
        self._store = store  # Airflow's ``task_state_store``, or a `SidecarStore`

    def __bool__(self) -> bool:
        return self._store is not None

    def load(self) -> JobRecord | None:
        """The record; None without one."""
        stored = _several_times("read", lambda: self._store.get(STATE_KEY)) if self else None
        if stored is None:
            return None
        try:
            return JobRecord.parse(stored)
        except ValueError as error:
            raise final(f"The task's record of its job is damaged: {error}.", DAMAGED_REMEDY) from error

    def save(self, record: JobRecord | None, *, once: bool = False) -> None:
        """Store the record; None removes it. After an error, what the store holds is unknown."""
        if self and record is None:
            _several_times("written", lambda: self._store.delete(STATE_KEY), once=once)
        elif self and record:
            document = storable(asdict(record))
            _several_times("written", lambda: self._store.set(STATE_KEY, document), once=once)


def _several_times(what: str, action: Callable[[], T], *, once: bool = False) -> T:
    from tenacity import Retrying

    from airflow_provider_batchdl.client.retrying import retry_options

    def on_retry(error: Exception, pause: float) -> None:
        log.warning("The task's record of its job could not be %s, retrying in %.0f s: %s", what, pause, error)

    options = retry_options(
        1 if once else len(STORE_PAUSES) + 1,
        is_retryable=lambda error: not isinstance(error, BatchDlError) or error.retryable,
        delay=lambda failures, _: STORE_PAUSES[failures - 1],
        on_retry=on_retry,
        kind=Exception,
    )
    try:
        return Retrying(**options)(action)
    except Exception as error:
        raise _unusable(what, error) from error


def _unusable(what: str, error: Exception) -> StateStoreError:
    if not isinstance(error, BatchDlError):
        return StateStoreError(f"The task's record of its job cannot be {what}: {str(error) or type(error).__name__}.")
    message = f"The task's record of its job cannot be {what}: {error.message.rstrip('.')}."
    if error.retryable:
        return StateStoreError(message)
    return final(message, f"{error.remedy} With durable=False no record is needed, and a retry submits another job.")


def final(message: str, remedy: str) -> StateStoreError:
    """A non-retryable error for a record that somebody has to repair."""
    error = StateStoreError(message, remedy=remedy)
    error.retryable = False
    return error
