"""End a running task: interrupt its wait, and tell a user's kill (cancel the job) from a lost worker (keep it)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from airflow_provider_batchdl._airflow.on_kill import is_continued
from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._tasks.cancel import cancel_quickly
from airflow_provider_batchdl.exceptions import BatchDlError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_batchdl.hooks.base import BatchApiHook

log = get_logger(__name__)


class KilledError(BaseException):
    """Ends the wait of a task that is to end."""


class Kill:
    """A request that the task ends.

    Airflow calls ``on_kill`` in a signal handler, at any line of the task, which then continues until Airflow kills its
    process, some five seconds later. Only a wait is interrupted at once. Any other code runs to its end: an exception
    within a request to Airflow's supervisor would leave the response unread, and the next request would get it.
    """

    def __init__(self) -> None:
        self._requested = False
        self._may_interrupt = False

    def request(self) -> None:
        """Called by ``on_kill``; interrupts what is :meth:`interruptible`."""
        self._requested = True
        if self._may_interrupt:
            self._may_interrupt = False
            raise KilledError

    def check(self) -> None:
        """Called before a task starts to wait, here or in the triggerer."""
        if self._requested:
            raise KilledError

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A block that a kill interrupts; without requests to Airflow in it."""
        self._may_interrupt = True
        try:
            self.check()
            yield
        finally:
            self._may_interrupt = False


def end_task(context: Context, hook: BatchApiHook, job_id: str, *, cancels: bool, is_durable: bool) -> NoReturn:
    """End the try of a killed task; cancel its job if a user ended it, in the five seconds that Airflow leaves."""
    if is_durable and is_continued(context["ti"]):
        raise RuntimeError(f"The worker is shutting down. Job {job_id} is still running; a retry reconnects to it.")
    if cancels:
        try:
            cancel_quickly(hook, job_id)
        except BatchDlError as error:
            log.warning("Could not cancel job %s; it may still be running: %s", job_id, error)
    raise RuntimeError(f"A user ended the task while job {job_id} was running.")
