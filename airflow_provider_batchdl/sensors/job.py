"""A task that waits for a job."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_batchdl.deferral import (
    default_deferrable,
    ended_job,
    seconds_of,
    shown,
    wait_in_triggerer,
    wait_on_if_listed,
    wait_on_unless_answered,
)
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.failures import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    no_vain_retries,
)
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.hooks.polls import poll
from airflow_provider_batchdl.links import BatchJobLink, show_link
from airflow_provider_batchdl.waiting import Patience

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from airflow_provider_batchdl.jobs import Job

FAILURES_KEY = "batchdl_failures"


class BatchJobSensor(BaseSensorOperator):
    """Waits until a job has results, and returns the job as a dict.

    A job that failed or was cancelled fails the sensor at once (``soft_fail`` turns that into a skip, as it does for
    the time-out): waiting again would not change it. A vendor that cannot be reached, or does not find the job, is
    forgiven four polls in a row; a job that it neither finds for two minutes nor lists is gone. A sensor never cancels
    the job it watches.

    Args:
        conn_id: the account's connection; its type names the vendor.
        job_id: the vendor's id of the job.
        accept_partial: end the wait also for a cancelled job whose partial results the vendor keeps.
        poll_interval: seconds between looks; the connection's extra ``poll_interval`` or the vendor's where left
            out.
        max_poll_interval: most seconds between looks while deferred, where they become fewer as the job goes on; the
            connection's extra ``max_poll_interval``, or eight times ``poll_interval`` and at most five minutes, where
            left out.
        poke_interval: the same as ``poll_interval``, by the name that every sensor knows.
        deferrable: wait in the triggerer; ``[operators] default_deferrable`` where left out. ``timeout`` and
            ``execution_timeout`` hold there too.
        kwargs: what every sensor takes, ``timeout`` and ``soft_fail`` among it.
    """

    template_fields: Sequence[str] = ("conn_id", "job_id")
    operator_extra_links = (BatchJobLink(),)
    ui_color = "#d5e8f0"

    def __init__(
        self,
        *,
        conn_id: str,
        job_id: str | XComArg,
        accept_partial: bool = False,
        poll_interval: float | timedelta | None = None,
        max_poll_interval: float | timedelta | None = None,
        poke_interval: float | timedelta | None = None,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        # Named in the signature, or Airflow would not hand over one from default_args here.
        wanted = poke_interval if poll_interval is None else poll_interval
        if wanted is not None:
            kwargs["poke_interval"] = wanted
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.job_id: str = job_id  # type: ignore[assignment] # Airflow resolves it before execute
        self.accept_partial = accept_partial
        self.poll_interval = None if wanted is None else self.poke_interval
        self.max_poll_interval = seconds_of(max_poll_interval)
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.vendor_url: str | None = None
        self._patience: Patience | None = None
        self._remembered = 0
        self._told: str | None = None

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once. While deferrable, a job that goes on defers the task instead of returning."""
        with no_vain_retries(), BatchApiHook.for_connection(self.conn_id) as hook:
            show_link(self, context, hook)
            if self._patience is None:
                self._patience = Patience(self.poll_interval or hook.poll_interval, self._failures_before(context))
            job = poll(hook, self.job_id, self._patience)
            self._remember_failures(context, self._patience.failures)
            if job is not None:
                if hook.has_results(job, accept_partial=self.accept_partial):
                    return PokeReturnValue(is_done=True, xcom_value=self._found(job))
                if job.vendor_state != self._told:
                    self._told = job.vendor_state
                    self.log.info("Job %s is %s.", job.id, job.vendor_state)
        # What a vendor asks for may be long, and Airflow looks at the time only after having slept.
        self.poke_interval = min(self._patience.pause(), self.timeout)
        if self.deferrable:
            self._defer(context)
        return PokeReturnValue(is_done=False)

    def _failures_before(self, context: Context) -> int:
        """Failures in a row of this try's looks so far: rescheduled, each look is a process of its own."""
        store: Any = context.get("task_state_store") if self.reschedule else None
        stored = (store.get(FAILURES_KEY) if store is not None else None) or {}
        self._remembered = stored.get("failures", 0) if stored.get("try") == context["ti"].try_number else 0
        return self._remembered

    def _remember_failures(self, context: Context, failures: int) -> None:
        store: Any = context.get("task_state_store") if self.reschedule else None
        if store is not None and failures != self._remembered:
            store.set(FAILURES_KEY, {"failures": failures, "try": context["ti"].try_number})
            self._remembered = failures

    def _found(self, job: Job) -> dict[str, Any]:
        self.log.info("Job %s has results: %s.", job.id, job.vendor_state)
        return shown(job)

    def _defer(self, context: Context) -> None:
        from airflow_provider_batchdl.triggers.job import BatchJobTrigger

        now = time.time()
        deadline = now + self.timeout
        if self.execution_timeout is not None:
            deadline = min(deadline, context["ti"].start_date.timestamp() + self.execution_timeout.total_seconds())
        trigger = BatchJobTrigger(
            conn_id=self.conn_id,
            job_id=str(self.job_id),
            poll_interval=self.poll_interval,
            deadline=deadline,
            max_poll_interval=self.max_poll_interval,
            since=now,
        )
        wait_in_triggerer(self, trigger)

    def _give_up(self) -> NoReturn:
        """End a wait whose time is up, as Airflow does while poking: by the time-out that comes first."""
        if self.execution_timeout is not None and self.execution_timeout.total_seconds() < self.timeout:
            raise AirflowTaskTimeout(f"Job {self.job_id} has not ended within the task's execution_timeout.")
        raise AirflowSensorTimeout(f"Job {self.job_id} has not ended within {self.timeout:.0f} s.")

    def execute_complete(
        self, context: Context, event: dict[str, Any], wait: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Go on after the trigger's event: return the job, or raise what its end means."""
        try:
            with no_vain_retries(), BatchApiHook.for_connection(self.conn_id) as hook:
                show_link(self, context, hook)  # first: Airflow shows what a task that fails leaves here
                wait_on_unless_answered(self, event, wait)
                wait_on_if_listed(self, hook, event, wait)
                job = ended_job(event)
                if job is None:
                    self._give_up()
                hook.has_results(job, accept_partial=self.accept_partial)
        except (BatchDlError, AirflowException) as error:
            # Airflow applies never_fail to its own exceptions only when a task resumes, and the first 3.1 to none;
            # while poking, to all.
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            raise
        return self._found(job)
