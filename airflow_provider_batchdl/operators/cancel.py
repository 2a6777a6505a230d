"""A task that cancels a job, for teardowns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_batchdl import metrics
from airflow_provider_batchdl.deferral import shown
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidRequestError, JobNotFoundError
from airflow_provider_batchdl.failures import no_vain_retries
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.hooks.polls import find_job
from airflow_provider_batchdl.kills import may_pass
from airflow_provider_batchdl.links import BatchJobLink, show_link
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.waiting import until_found

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from airflow_provider_batchdl.jobs import Job
    from airflow_provider_batchdl.operators.job_record import JobRecord

log = get_logger(__name__)

# Airflow gives a task that a user has ended about five.
KILL_SECONDS = 3.5
# Before the second attempt, within the same time.
KILL_PAUSE = 0.5


class CancelBatchJobOperator(BaseOperator):
    """Cancels a job that still runs; one that has ended is left as it is. Returns the job as a dict.

    Args:
        conn_id: the account's connection; its type names the vendor.
        job_id: the vendor's id of the job.
    """

    template_fields: Sequence[str] = ("conn_id", "job_id")
    operator_extra_links = (BatchJobLink(),)
    ui_color = "#f4cccc"

    def __init__(self, *, conn_id: str, job_id: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.job_id: str = job_id  # type: ignore[assignment] # Airflow resolves it before execute
        self.vendor_url: str | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Cancel."""
        with no_vain_retries(), BatchApiHook.for_connection(self.conn_id) as hook:
            show_link(self, context, hook)
            return shown(cancel_unless_ended(hook, self.job_id))


def cancel_unless_ended(hook: BatchApiHook, job_id: str, *, young: bool = False) -> Job:
    """Cancel a job that still runs; the job as it is then.

    Args:
        hook: the account.
        job_id: the job.
        young: whether it may be new, so that the vendor may not find it yet.

    Raises:
        UnsupportedOperationError: it still runs, and the vendor's API cannot cancel.
        JobNotFoundError: it is gone.
        BatchDlError: what else went wrong, typed.
    """
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
    log.info("Asked the vendor to cancel job %s: %s.", job.id, job.vendor_state)
    return job


def cancel_quickly(hook: BatchApiHook, job_id: str) -> None:
    """Cancel, in the few seconds that an ended task has: once more where the first answer is soon there, and may pass.

    Raises:
        BatchDlError: it is not cancelled, or not known to be.
    """
    from airflow_provider_batchdl.client import BatchClient

    end = time.monotonic() + KILL_SECONDS
    while True:
        try:
            with BatchClient(hook.vendor, single_try=end - time.monotonic()) as client:
                client.run(client.vendor.cancel_job(job_id))
        except BatchDlError as error:
            if not may_pass(error) or time.monotonic() + 2 * KILL_PAUSE >= end:
                raise
            log.warning("Job %s is not cancelled yet, trying again: %s", job_id, error)
            time.sleep(KILL_PAUSE)
        else:
            metrics.count_cancel(hook.vendor.name)
            return


def supersede(hook: BatchApiHook, record: JobRecord, *, cancels: bool, event: str) -> None:
    """Cancel what was submitted before and is not wanted any more, where that is possible.

    Whatever becomes of it, the new job is submitted: this raises none of our errors. A try that ends before has stored
    nothing, so the next one comes here again.

    Args:
        hook: the account.
        record: what was submitted.
        cancels: whether it may be cancelled.
        event: why it is not wanted: "this task was cleared".
    """
    if record.job_id is None:
        log.warning(
            "Before %s, it began to submit at %s and did not learn the job's id. If the vendor has the job, it goes "
            "on.",
            event,
            record.submitted_at,
        )
    elif not cancels:
        log.info("Job %s of before %s is left as it is.", record.job_id, event)
    elif not record.is_of(hook):
        # The same id may be another job there.
        log.warning("Job %s goes on: it was submitted through connection %s.", record.job_id, record.conn_id)
    else:
        try:
            cancel_unless_ended(hook, record.job_id, young=record.is_young)
        except JobNotFoundError:
            log.info("Job %s of before %s is gone at the vendor.", record.job_id, event)
        except BatchDlError as error:
            log.warning("Job %s of before %s goes on: %s", record.job_id, event, error)
