"""Poll one job: the rule for failed polls, shared by sensors, operators and tasks that resume a job."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import BatchDlError, JobNotFoundError
from airflow_provider_batchdl.polling.backoff import MAX_FAILURES, until_found

if TYPE_CHECKING:
    from airflow_provider_batchdl.hooks.base import BatchApiHook
    from airflow_provider_batchdl.jobs import Job
    from airflow_provider_batchdl.polling.backoff import PollBackoff

log = get_logger(__name__)


def poll(hook: BatchApiHook, job_id: str, backoff: PollBackoff) -> Job | None:
    """Poll a job that a task waits for; None if the poll failed and is to be retried.

    A job that the vendor lists may be missing twice as often in a row as one that it does not.
    """
    try:
        job = hook.get_job(job_id)
    except BatchDlError as error:
        try:
            backoff.record_failure(error)
        except JobNotFoundError:
            if backoff.failures >= 2 * MAX_FAILURES or not hook.is_listed(job_id):
                raise
            log.warning("Job %s was not found, but the vendor lists it; still waiting", job_id)
        return None
    backoff.reset()
    return job


def find_job(hook: BatchApiHook, job_id: str, *, young: bool = False) -> Job:
    """Get a job; see :func:`until_found` for one that is not found."""
    return until_found(partial(hook.get_job, job_id), partial(hook.is_listed, job_id), young=young)
