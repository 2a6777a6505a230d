"""What a task instance stores of its submit, so that another try, in another process, can continue with the job."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_provider_batchdl.exceptions import BatchDlError, StateStoreError
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.storable import storable
from airflow_provider_batchdl.waiting import YOUNG_SECONDS

if TYPE_CHECKING:
    from airflow_provider_batchdl.hooks.base import BatchApiHook

T = TypeVar("T")

log = get_logger(__name__)

STATE_KEY = "batchdl_job"
# Seconds between attempts to use the store; a restart of Airflow's API server takes about as long.
STORE_PAUSES = (1.0, 4.0)
DAMAGED_REMEDY = (
    "See at the vendor which job this task submitted, if any; then remove the record (Airflow's task state, or before "
    "Airflow 3.3 the object in the folder .batchdl beside the destination) and clear the task."
)


class JsonStore(Protocol):
    """Where small JSON outlives a try; Airflow's ``task_state_store`` is one."""

    def get(self, key: str) -> Any:
        """What was set; None where nothing was."""

    def set(self, key: str, value: dict[str, Any]) -> None:
        """Store it in place of what was there."""

    def delete(self, key: str) -> None:
        """Forget it; nothing happens where there is nothing."""


@dataclass(frozen=True)
class JobRecord:
    """The intent while ``job_id`` is None, the job after.

    Args:
        generation: which clear of the task it is of.
        key: the submission's token, which finds its job by an upload's name.
        submitted_at: when the submit's first byte went, ISO 8601.
        job_id: the vendor's id.
        conn_id: the connection it went through.
        earlier: the jobs that the task submitted before, to the same account.
        given_up: this job is among them as well: the next try submits another.
        account: what names the account at the vendor; None in records of older versions.
        inputs: digests of what was submitted, by part; None in records of older versions.
        lost_at: when it was found that no answer comes, ISO 8601; None where the process ended before.
    """

    generation: int
    key: str
    submitted_at: str
    job_id: str | None = None
    conn_id: str | None = None
    earlier: Sequence[str] = ()
    given_up: bool = False
    account: str | None = None
    inputs: dict[str, str] | None = None
    lost_at: str | None = None

    @classmethod
    def parse(cls, stored: object) -> JobRecord:
        """What was stored; members of a newer version are ignored.

        Raises:
            ValueError: it is no record.
        """
        known = {each.name for each in fields(cls)}
        try:
            record = cls(**{name: value for name, value in dict(stored).items() if name in known})  # type: ignore[call-overload]
            written = [record.submitted_at] if record.lost_at is None else [record.submitted_at, record.lost_at]
            times = [datetime.fromisoformat(each) for each in written]
            inputs = dict(record.inputs or {})
            words = [record.key, *record.earlier, *inputs, *inputs.values()]
        except (TypeError, ValueError):
            raise ValueError("a member is missing or of another type") from None
        words += [each for each in (record.job_id, record.conn_id, record.account) if each is not None]
        if (type(record.generation), type(record.given_up)) != (int, bool) or not all(map(_is_word, words)):
            raise ValueError("a member is of another type")
        if any(each.tzinfo is None for each in times):
            raise ValueError("a time has no time zone")
        return record

    def is_of(self, hook: BatchApiHook) -> bool:
        """Whether it went to the account that ``hook`` asks. Another's ids may be the same for other jobs."""
        if self.account is None:
            return self.conn_id in (None, hook.conn_id)
        return self.account == hook.account_fingerprint

    def jobs(self, hook: BatchApiHook) -> list[str]:
        """All that the task has submitted to that account."""
        if not self.is_of(hook):
            return []
        return [*self.earlier, *([self.job_id] if self.job_id else [])]

    @property
    def is_young(self) -> bool:
        """Whether the vendor may not show the job everywhere yet."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.submitted_at)).total_seconds() < YOUNG_SECONDS

    def seconds_unanswered(self) -> float:
        """How long the vendor has had time to list the job of a submit without an answer."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.lost_at or self.submitted_at)).total_seconds()


class RecordStore:
    """One task instance's record in a store whose failures are typed and, where they pass, waited out.

    Args:
        store: where it lies; None where nothing outlives a try.
    """

    def __init__(self, store: JsonStore | None) -> None:
        self._store = store

    def __bool__(self) -> bool:
        return self._store is not None

    def load(self) -> JobRecord | None:
        """The record.

        Raises:
            StateStoreError: the store does not answer, or what it has is no record.
        """
        store = self._store
        stored = None if store is None else _several_times("read", lambda: store.get(STATE_KEY))
        if not stored:
            return None
        try:
            return JobRecord.parse(stored)
        except ValueError as error:
            raise final(f"The task's record of its job is damaged: {error}.", DAMAGED_REMEDY) from error

    def save(self, record: JobRecord | None, *, once: bool = False) -> None:
        """Store the record; None removes it.

        Args:
            record: what to store.
            once: do not try again.

        Raises:
            StateStoreError: the store refused; what it has now is not known.
        """
        store = self._store
        if store is None:
            return
        if record is None:
            _several_times("written", lambda: store.delete(STATE_KEY), once=once)
        else:
            _several_times("written", lambda: store.set(STATE_KEY, storable(asdict(record))), once=once)


def _several_times(what: str, action: Callable[[], T], *, once: bool = False) -> T:
    pauses = iter(() if once else STORE_PAUSES)
    while True:
        try:
            return action()
        except Exception as error:
            final = isinstance(error, BatchDlError) and not error.retryable
            pause = None if final else next(pauses, None)
            if pause is None:
                raise _unusable(what, error) from error
            log.warning("The task's record of its job could not be %s, retrying in %.0f s: %s", what, pause, error)
        time.sleep(pause)


def _unusable(what: str, error: Exception) -> StateStoreError:
    if not isinstance(error, BatchDlError):
        return StateStoreError(f"The task's record of its job cannot be {what}: {str(error) or type(error).__name__}.")
    message = f"The task's record of its job cannot be {what}: {error.message.rstrip('.')}."
    if error.retryable:
        return StateStoreError(message)
    return final(message, f"{error.remedy} With durable=False no record is needed, and a retry submits another job.")


def final(message: str, remedy: str) -> StateStoreError:
    """The error for a record that nothing but somebody's act makes usable."""
    error = StateStoreError(message, remedy=remedy)
    error.retryable = False
    return error


def _is_word(value: object) -> bool:
    """Whether it is text as ids, names and digests are."""
    return isinstance(value, str) and value.isprintable()
