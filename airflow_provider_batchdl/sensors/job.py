"""Sensor that waits for a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_batchdl._airflow.compat import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    default_deferrable,
)
from airflow_provider_batchdl._airflow.fail_fast import fail_fast
from airflow_provider_batchdl._airflow.job_note import note_job, note_wait
from airflow_provider_batchdl._tasks.arguments import CHECKS, ChecksArguments, checked
from airflow_provider_batchdl._tasks.deferral import (
    keep_waiting_if_listed,
    keep_waiting_unless_answered,
    wait_in_triggerer,
)
from airflow_provider_batchdl._values.arguments import Check, refuse_crossed, seconds, unless_none
from airflow_provider_batchdl._values.inputs import parse_job_id
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.hooks._polls import poll
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.jobs import state_words
from airflow_provider_batchdl.links import BatchJobLink, push_link
from airflow_provider_batchdl.polling.backoff import PollBackoff
from airflow_provider_batchdl.triggers.events import ended_job, job_to_event

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from airflow_provider_batchdl.jobs import Job

__all__ = ["BatchJobSensor"]

FAILURES_KEY = "batchdl_failures"


class BatchJobSensor(ChecksArguments, BaseSensorOperator):
    """Wait until a job has results; return the job as a dict.

    A job that failed or was cancelled fails the sensor at once (``soft_fail`` turns that into a skip, as it does for
    the time-out): waiting again would not change it. Up to four consecutive polls
    may fail because the vendor cannot be reached or does not find the job; a job that it neither finds for two minutes
    nor lists is gone. A sensor never cancels the job that it waits for.

    Args:
        conn_id: the account's connection; its type names the vendor.
        job_id: the vendor's id of the job.
        accept_partial: end the wait also for a job that did not succeed and whose partial results the vendor keeps.
        poll_interval: seconds between polls; the connection's extra ``poll_interval`` or the vendor's where left
            out.
        max_poll_interval: most seconds between polls while deferred, where the interval grows with the job's age; the
            connection's extra ``max_poll_interval``, or eight times ``poll_interval`` and at most five minutes, where
            left out.
        poke_interval: the same as ``poll_interval``, by the name that every sensor has.
        deferrable: wait in the triggerer; ``[operators] default_deferrable`` where left out. ``timeout`` and
            ``execution_timeout`` hold there too.
        timeout: seconds until the wait is given up; Airflow's own default where left out, 0 for a single poll.
        kwargs: what every sensor takes, ``soft_fail`` among it.
    """

    template_fields: Sequence[str] = ("conn_id", "job_id")
    operator_extra_links = (BatchJobLink(),)
    ui_color = "#d5e8f0"
    argument_checks: ClassVar[Mapping[str, Check]] = {**CHECKS, "timeout": unless_none(partial(seconds, zero=True))}

    def __init__(
        self,
        *,
        conn_id: str,
        job_id: str | XComArg,
        accept_partial: bool = False,
        poll_interval: float | timedelta | None = None,
        max_poll_interval: float | timedelta | None = None,
        poke_interval: float | timedelta | None = None,
        timeout: float | timedelta | None = None,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        # Named in the signature, or Airflow would not hand over those of default_args here.
        own = {"poll_interval": poll_interval, "poke_interval": poke_interval, "timeout": timeout}
        with self._refusing():
            spans = {name: checked(name, value, self.argument_checks) for name, value in own.items()}
        wanted = spans["poke_interval"] if poll_interval is None else spans["poll_interval"]
        if wanted is not None:
            kwargs["poke_interval"] = wanted
        if timeout is not None:
            kwargs["timeout"] = spans["timeout"]
        super().__init__(**kwargs)
        self.conn_id: str = self._checked("conn_id", conn_id)
        self.job_id: str = self._checked("job_id", job_id)  # Airflow resolves it before execute
        self.accept_partial: bool = self._checked("accept_partial", accept_partial)
        self.poll_interval = None if wanted is None else self.poke_interval
        self.max_poll_interval: float | None = self._checked("max_poll_interval", max_poll_interval)
        with self._refusing():
            refuse_crossed(vars(self))
        self.deferrable = default_deferrable() if deferrable is None else self._checked("deferrable", deferrable)
        self._backoff: PollBackoff | None = None
        self._remembered = 0
        self._logged_state: str | None = None

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once. A deferrable sensor defers while the job is unfinished, instead of returning.

        Returns:
            Whether the job has results, and then the job as a dict.

        Raises:
            BatchTaskFailedError: the job failed, or another error that no retry can fix; its cause is the typed one.
            AirflowSkipException: the same with ``soft_fail``.
            TaskDeferred: the wait continues in the triggerer.
            BatchDlError: any other error; Airflow retries the task.
        """
        with self._fail_fast(context), BatchApiHook.for_connection(self.conn_id) as hook:
            push_link(self, context, hook, self.job_id)
            if self._backoff is None:
                self._backoff = PollBackoff(self.poll_interval or hook.poll_interval, self._failures_before(context))
            job = poll(hook, parse_job_id(self.job_id), self._backoff)
            self._remember_failures(context, self._backoff.failures)
            if job is not None:
                note_wait(self, context, job)
                if job.vendor_state != self._logged_state:
                    note_job(self, context, job)
                if hook.ensure_results(job, accept_partial=self.accept_partial):
                    return PokeReturnValue(is_done=True, xcom_value=self._found(job))
                if job.vendor_state != self._logged_state:
                    self._logged_state = job.vendor_state
                    self.log.info("Job %s is %s.", job.id, state_words(job))
        # A vendor's Retry-After may be long, and Airflow checks the time only after having slept.
        self.poke_interval = min(self._backoff.next_delay(), self.timeout)
        if self.deferrable:
            wait_in_triggerer(self, context, parse_job_id(self.job_id))
        return PokeReturnValue(is_done=False)

    def _fail_fast(self, context: Context) -> fail_fast:
        skips_final = self.soft_fail or self.never_fail
        return fail_fast(task=self, context=context, skips_final=skips_final, skips_all=self.never_fail)

    def _failures_before(self, context: Context) -> int:
        """This try's consecutive failed polls so far: in reschedule mode, each poll is a process of its own.

        Without an answer from the store none are known: counting them must not fail a poll that succeeds.
        """
        store: Any = context.get("task_state_store") if self.reschedule else None
        self._remembered = 0
        if store is None:
            return 0
        try:
            stored = store.get(FAILURES_KEY)
            if isinstance(stored, dict) and stored.get("try") == context["ti"].try_number:
                self._remembered = max(0, int(stored.get("failures", 0)))
        except Exception as error:  # noqa: BLE001  whatever stands between a task and Airflow's database
            self.log.warning("Cannot read the number of failed polls: %s", error)
        return self._remembered

    def _remember_failures(self, context: Context, failures: int) -> None:
        store: Any = context.get("task_state_store") if self.reschedule else None
        if store is None or failures == self._remembered:
            return
        try:
            store.set(FAILURES_KEY, {"failures": failures, "try": context["ti"].try_number})
        except Exception as error:  # noqa: BLE001  as above
            self.log.warning("Cannot store the number of failed polls: %s", error)
        else:
            self._remembered = failures

    def _found(self, job: Job) -> dict[str, Any]:
        self.log.info("Job %s has results: %s.", job.id, job.vendor_state)
        return job_to_event(job)

    def _give_up(self) -> NoReturn:
        """Raise the time-out that comes first, as Airflow does while poking."""
        if self.execution_timeout is not None and self.execution_timeout.total_seconds() < self.timeout:
            raise AirflowTaskTimeout(f"Job {self.job_id} has not ended within the task's execution_timeout.")
        raise AirflowSensorTimeout(f"Job {self.job_id} has not ended within {self.timeout:.0f} s.")

    def execute_complete(
        self, context: Context, event: dict[str, Any], wait: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Resume with the trigger's event: return the job as a dict, or raise its failure.

        Args:
            context: the task's context.
            event: the trigger's event; see ``triggers/events.py``.
            wait: the arguments that the trigger was created with.

        Raises:
            AirflowSensorTimeout: the time is up.
            BatchDlError: as :meth:`poke`.
        """
        try:
            with self._fail_fast(context), BatchApiHook.for_connection(self.conn_id) as hook:
                push_link(self, context, hook, self.job_id)  # first: Airflow shows it for a failed task, too
                keep_waiting_unless_answered(self, event, wait)
                keep_waiting_if_listed(self, hook, event, wait)
                job = ended_job(event)
                if job is None:
                    self._give_up()
                note_job(self, context, job)
                hook.ensure_results(job, accept_partial=self.accept_partial)
        except (BatchDlError, AirflowException) as error:
            # Airflow applies never_fail to its own exceptions only when a task resumes, and the first 3.1 to none;
            # while poking, to all.
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            raise
        return self._found(job)
