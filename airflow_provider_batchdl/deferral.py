"""What deferring tasks have in common, and what a job looks like to Airflow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.jobs import Job
from airflow_provider_batchdl.redaction import redact

# How much later than the trigger's own deadline Airflow ends the deferral.
_BACKSTOP = timedelta(minutes=1)
# The vendor's words about a job: enough to read, and no more.
LONGEST_MESSAGE = 2_000


def default_deferrable() -> bool:
    """``[operators] default_deferrable``."""
    try:
        from airflow.sdk import conf
    except ImportError:  # Airflow 3.1
        from airflow.configuration import conf  # type: ignore[assignment]

    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def seconds_of(span: float | timedelta | None) -> float | None:
    """An operator's argument that is given in seconds or as a ``timedelta``."""
    return span.total_seconds() if isinstance(span, timedelta) else span


def backstop(deadline: float, now: float) -> timedelta:
    """How long Airflow is to wait for a trigger that keeps the time itself: it catches one that hangs.

    Args:
        deadline: the trigger's, as Unix time.
        now: the Unix time.
    """
    return timedelta(seconds=max(0.0, deadline - now)) + _BACKSTOP


def shown(job: Job) -> dict[str, Any]:
    """The job as it may lie in XCom and in an event: no secret in the vendor's words, and few of them."""
    message = redact(job.message)[:LONGEST_MESSAGE] if job.message else job.message
    return {**job.to_dict(), "message": message}


def ended_job(event: dict[str, Any]) -> Job | None:
    """The job that a trigger's event reports, None where the trigger's time was up.

    Raises:
        BatchDlError: what made the trigger give up.
    """
    if event["status"] == "error":
        raise BatchDlError.from_dict(event["error"])
    return Job.from_dict(event["job"]) if event["status"] == "ended" else None
