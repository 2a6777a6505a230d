"""Requests to a vendor that a person makes: ask for a job's state, cancel it, ask for a connection's state."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.models.log import Log

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._tasks.cancel import cancel_unless_ended
from airflow_provider_batchdl._values.inputs import parse_job_id
from airflow_provider_batchdl.exceptions import BatchDlError, UnexpectedResponseError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.jobs import JobState
from airflow_provider_batchdl.triggers.events import job_to_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from airflow_provider_batchdl.ui.named_job import NamedJob
    from airflow_provider_batchdl.ui.queries import Row

log = get_logger(__name__)

# Seconds for the vendor's answer: a person waits for it.
PATIENCE = 10.0


@dataclass(frozen=True)
class Answer:
    """The outcome of a request to the vendor: the job as it is now, the error, or words."""

    title: str
    job: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    words: str | None = None


def ask(named: NamedJob) -> Answer:
    """Ask the vendor for a job's state."""

    def get(hook: BatchApiHook) -> Answer:
        named.check_account(hook)
        return Answer("The vendor's answer", job=job_to_event(hook.get_job(named.job_id)))

    return _answer(named.conn_id, get)


def cancel(named: NamedJob) -> Answer:
    """Cancel a job that is still running."""

    def cancel_it(hook: BatchApiHook) -> Answer:
        named.check_account(hook)
        job = cancel_unless_ended(hook, parse_job_id(named.job_id))
        ended = "It had ended: nothing was cancelled" if job.state.is_terminal else "The vendor was asked to cancel it"
        return Answer("Cancelled" if job.state is JobState.CANCELLED else ended, job=job_to_event(job))

    return _answer(named.conn_id, cancel_it)


def ask_account(conn_id: str) -> Answer:
    """Ask the vendor whether a connection works, and for the credits that are left."""

    def test(hook: BatchApiHook) -> Answer:
        works, words = hook.test_connection()
        balance = hook.get_balance() if works else None
        credits_left = "" if balance is None else f" Credits left: {balance:,}."
        return Answer(f"Connection {conn_id}: {'works' if works else 'does not work'}", words=f"{words}{credits_left}")

    return _answer(conn_id, test, failed=f"Connection {conn_id}")


def _answer(conn_id: str, ask: Callable[[BatchApiHook], Answer], failed: str = "That did not work") -> Answer:
    """Ask without keeping a person or a thread of the API server waiting: each request is sent once."""
    try:
        hook = BatchApiHook.for_connection(conn_id)
        hook.single_try = PATIENCE
        with hook:
            return ask(hook)
    except Exception as error:  # noqa: BLE001  a page shows it
        return Answer(failed, error=_typed(error, conn_id).to_dict())


def _typed(error: Exception, conn_id: str) -> BatchDlError:
    if isinstance(error, BatchDlError):
        return error
    log.error("A request of the page Batch jobs failed: %s", type(error).__name__)
    return UnexpectedResponseError(f"The request failed: {type(error).__name__}.", conn_id=conn_id)


def record(session: Session, user: Any, event: str, row: Row) -> None:
    """Add an action to Airflow's audit log."""
    facts = {name: getattr(row, name) for name in ("dag_id", "run_id", "task_id", "map_index", "try_number")}
    entry: Any = Log
    extra = json.dumps({"job_id": row.job_id, "conn_id": row.note.get("conn_id")})
    session.add(entry(event, owner=user.get_name(), owner_display_name=user.get_name(), extra=extra, **facts))
