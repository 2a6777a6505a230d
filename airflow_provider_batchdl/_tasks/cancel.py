"""Cancel jobs: one that is still running, one whose task a user killed, one that a clear has superseded."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_batchdl._airflow import metrics
from airflow_provider_batchdl._airflow.on_kill import is_worth_retrying
from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidRequestError, JobNotFoundError
from airflow_provider_batchdl.hooks._polls import find_job
from airflow_provider_batchdl.polling.backoff import until_found

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_batchdl._tasks.job_record import JobRecord
    from airflow_provider_batchdl.hooks.base import BatchApiHook
    from airflow_provider_batchdl.jobs import Job
    from airflow_provider_batchdl.vendors.base import Flow

log = get_logger(__name__)

# Seconds; Airflow leaves a killed task about five.
KILL_SECONDS = 3.5
# Between two attempts, within the same time.
KILL_PAUSE = 0.5


def cancel_unless_ended(hook: BatchApiHook, job_id: str, *, young: bool = False) -> Job:
    """Cancel a job that is still running; return the job as it is then."""
    job = find_job(hook, job_id, young=young)
    if job.state.is_terminal:
        log.info("Job %s has already ended: %s.", job.id, job.vendor_state)
        return job
    try:
        job = until_found(partial(hook.cancel_job, job_id), partial(hook.is_listed, job_id), young=young)
    except InvalidRequestError:
        job = hook.get_job(job_id)  # it may have ended in between
        if not job.state.is_terminal:
            raise
    log.info("Asked the vendor to cancel job %s; its state is %s.", job.id, job.vendor_state)
    return job


def cancel_quickly(hook: BatchApiHook, job_id: str) -> None:
    """Cancel within the few seconds that a killed task has, with retries if there is time; not a job that has ended.

    One whose state cannot be asked in half of that time is cancelled.
    """
    from tenacity import Retrying

    from airflow_provider_batchdl.client import BatchClient
    from airflow_provider_batchdl.client.retrying import retry_options

    end = time.monotonic() + KILL_SECONDS

    def ask(operation: Callable[[str], Flow[Job]], share: float = 1.0) -> Job:
        with BatchClient(hook.vendor, single_try=(end - time.monotonic()) * share) as client:
            return client.run(operation(job_id))

    with suppress(BatchDlError):
        job = ask(hook.vendor.get_job, share=0.5)
        if job.state.is_terminal:
            log.info("Job %s has already ended: %s.", job_id, job.vendor_state)
            return
    options = retry_options(
        int(KILL_SECONDS / KILL_PAUSE),
        is_retryable=lambda error: is_worth_retrying(error) and time.monotonic() + 2 * KILL_PAUSE < end,
        delay=lambda *_: KILL_PAUSE,
        on_retry=lambda error, delay: log.warning("Could not cancel job %s, retrying: %s", job_id, error),
    )
    Retrying(**options)(ask, hook.vendor.ensure_cancelled)
    metrics.count("batchdl.cancels", vendor=hook.vendor.name)
    log.info("Cancelled job %s at the vendor.", job_id)


def supersede(hook: BatchApiHook, record: JobRecord, *, cancels: bool, event: str) -> None:
    """Cancel a previous job that is not wanted any more, if possible. Raises none of our errors.

    The new job is submitted in any case. A try that ends before has stored nothing, so the next one does this again.
    """
    if record.job_id is None:
        log.warning(
            "A submit started at %s, before %s, got no response. If the vendor accepted it, its job is still running",
            record.submitted_at,
            event,
        )
    elif not cancels:
        log.info("Not cancelling job %s from before %s (cancel_on_kill=False)", record.job_id, event)
    elif not record.is_of(hook):
        # The same id may be another job at this account.
        log.warning(
            "Not cancelling job %s from before %s: it was submitted to another account (connection %s)",
            record.job_id,
            event,
            record.conn_id,
        )
    else:
        try:
            cancel_unless_ended(hook, record.job_id, young=record.is_young)
        except JobNotFoundError:
            log.info("Job %s from before %s no longer exists at the vendor", record.job_id, event)
        except BatchDlError as error:
            log.warning("Could not cancel job %s from before %s; it is still running: %s", record.job_id, event, error)
