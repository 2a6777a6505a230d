"""Polling one job: what one failed poll means, the same for sensors, operators and whatever continues with a job."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_batchdl.exceptions import BatchDlError, JobNotFoundError
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.waiting import FORGIVEN_FAILURES, until_found

if TYPE_CHECKING:
    from airflow_provider_batchdl.hooks.base import BatchApiHook
    from airflow_provider_batchdl.jobs import Job
    from airflow_provider_batchdl.waiting import Patience

log = get_logger(__name__)


def poll(hook: BatchApiHook, job_id: str, patience: Patience) -> Job | None:
    """Poll a job that is waited for; None where that failed in a way that is forgiven.

    Raises:
        JobNotFoundError: it was not found several times in a row, and the vendor does not list it, or it was not found
            twice as often.
        BatchDlError: waiting on will not help, or it is one failure too many.
    """
    try:
        job = hook.get_job(job_id)
    except BatchDlError as error:
        try:
            patience.forgive(error)
        except JobNotFoundError:
            if patience.failures >= 2 * FORGIVEN_FAILURES or not hook.is_listed(job_id):
                raise
            log.warning("The vendor does not find job %s, and lists it: still waiting.", job_id)
        return None
    patience.reset()
    return job


def find_job(hook: BatchApiHook, job_id: str, *, young: bool = False) -> Job:
    """The job; one that is not found is asked for again a few times, and looked for in the vendor's list.

    Args:
        hook: the account.
        job_id: the job.
        young: whether it may be new; then it takes two minutes until it counts as gone, else some seconds.

    Raises:
        JobNotFoundError: it is gone.
        BatchDlError: what else went wrong, typed.
    """
    return until_found(partial(hook.get_job, job_id), partial(hook.is_listed, job_id), young=young)
