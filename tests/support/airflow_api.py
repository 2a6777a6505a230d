"""Airflow's Execution API in memory: tasks run through the real task runner, with neither a server nor a database.

The worker's HTTP client gets a transport that answers from dictionaries. What a task would leave behind in Airflow
(XComs, state store, rendered fields, deferral, final state) is then there to look at, and all that was ever sent is
kept in :attr:`ExecutionApi.sent`, to be searched for secrets.

`InProcessTestSupervisor` and `TaskInstance` are not public: this works for the Airflow versions that CI runs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from airflow.sdk import DAG
from airflow.sdk.api.client import Client
from airflow.sdk.api.datamodels._generated import TaskInstance
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.supervisor import (
    InProcessSupervisorComms,
    InProcessTestSupervisor,
    set_supervisor_comms,
)
from airflow.triggers.base import BaseTrigger, TriggerEvent
from pydantic import TypeAdapter

from tests.support.airflow_answers import DAG_ID, RUN_ID, Answers, Deferral
from tests.support.airflow_features import SUPERVISOR_TAKES_A_CLIENT, http, serialize

log = logging.getLogger(__name__)

# Airflow makes the same one for each rendered field of each task, a tenth of the CPU of tests that run tasks.
vars(task_runner).update(TypeAdapter=cache(TypeAdapter))

# Of one try of a task, from deferral to deferral.
MOST_PROCESSES = 50


@dataclass(frozen=True)
class Outcome:
    """How one process of a task ended.

    Attributes:
        state: the task's state afterwards.
        error: what it raised, None where it did not fail.
        value: its return value, as the XCom that it pushed.
    """

    state: str
    error: BaseException | None
    value: Any = None

    @property
    def kind(self) -> tuple[str, str | None]:
        """The state and the error's type: what is to be alike however a task waits."""
        return self.state, type(self.error).__name__ if self.error else None

    @property
    def cause(self) -> BaseException | None:
        """The typed error for which the task failed with no retry left to run."""
        return getattr(self.error, "cause", None)


class ExecutionApi(Answers):
    """One DAG run's tasks: runs them, and answers them meanwhile."""

    def run(self, make: Callable[[], Any], *, try_number: int = 1, map_index: int = -1) -> Outcome:
        """Run one process of a task, up to its end or to the point where it lets go of the worker.

        Args:
            make: makes the operator; it is called within a DAG, anew for every process, as Airflow parses anew.
            try_number: which try this is.
            map_index: which instance of a mapped task.
        """
        with DAG(DAG_ID, schedule=None):
            operator = make()
        place = (operator.task_id, map_index)
        ti = TaskInstance(
            id=uuid4(),
            task_id=operator.task_id,
            dag_id=DAG_ID,
            run_id=RUN_ID,
            try_number=try_number,
            map_index=map_index,
            dag_version_id=uuid4(),
        )
        self._places[str(ti.id)] = place
        if self._resume is None:  # Airflow drops a task's XComs when a try begins, not when it goes on
            self.xcoms = {key: value for key, value in self.xcoms.items() if key[:2] != place}
        with _own_signals(), _ended_as_sent():
            result = self._start(ti, operator)
        self._resume = None
        state = str(getattr(result.state, "value", result.state))
        return Outcome(state, result.error, self.xcoms.get((*place, "return_value")))

    def run_to_end(
        self,
        make: Callable[[], Any],
        *,
        try_number: int = 1,
        map_index: int = -1,
        before_trigger: Callable[[Deferral], None] | None = None,
    ) -> Outcome:
        """Run a task through its deferrals and reschedules; arguments as for :meth:`run`.

        Args:
            before_trigger: is called with each deferral before its trigger runs.
        """
        for _ in range(MOST_PROCESSES):
            outcome = self.run(make, try_number=try_number, map_index=map_index)
            if outcome.state == "up_for_reschedule":
                self._rescheduled = True
            elif outcome.state == "deferred":
                assert self.deferral is not None
                if before_trigger is not None:
                    before_trigger(self.deferral)
                self.resume_with(fire(self.deferral.trigger()).payload)
            else:
                self._rescheduled = False
                return outcome
        raise AssertionError(f"After {MOST_PROCESSES} processes the task still waits.")

    def resume_with(self, payload: Any) -> None:
        """Let the next process go on with a trigger's event."""
        assert self.deferral is not None
        kwargs = json.loads(json.dumps(serialize({**self.deferral.next_kwargs, "event": payload})))
        self.sent.append(json.dumps(kwargs))
        self._resume = (self.deferral.next_method, kwargs)

    def resume_failing(self, error: str) -> None:
        """Let the next process learn that its trigger failed, or hung until Airflow's patience ended."""
        self._resume = ("__fail__", serialize({"error": error}))

    def clear(self) -> None:
        """What a user's Clear does to a task that has run: its further tries are a new generation."""
        self.max_tries += 1
        self._resume = None

    @contextmanager
    def comms(self) -> Iterator[None]:
        """For code outside of a task that speaks with a supervisor, like a trigger's ``on_kill``."""
        import os

        import psutil
        import structlog

        supervisor = InProcessTestSupervisor(
            id=uuid4(),
            pid=os.getpid(),
            process=psutil.Process(),  # type: ignore[arg-type]  # as Airflow's own in-process supervisor
            process_log=structlog.get_logger(),
            client=self._client(),
        )
        supervisor.comms = InProcessSupervisorComms(supervisor=supervisor)
        with set_supervisor_comms(supervisor.comms):
            yield

    def pushed(self, task_id: str, key: str, map_index: int = -1) -> Any:
        """An XCom, None where there is none."""
        return self.xcoms.get((task_id, map_index, key))

    def give_xcom(self, task_id: str, value: Any, key: str = "return_value", map_index: int = -1) -> None:
        """Put an XCom there, as if a task upstream had pushed it."""
        self.xcoms[(task_id, map_index, key)] = value

    def _start(self, ti: TaskInstance, operator: Any) -> Any:
        """Run a process of a task in this one, with the client that asks here."""
        if SUPERVISOR_TAKES_A_CLIENT:
            return InProcessTestSupervisor.start(what=ti, task=operator, client=self._client())

        class Supervisor(InProcessTestSupervisor):
            @staticmethod
            def _api_client(dag: object = None) -> Any:
                return self._client()

        return Supervisor.start(what=ti, task=operator)

    def _client(self) -> Client:
        return Client(base_url=None, dry_run=True, token="", transport=http.MockTransport(self.answer))


def fire(trigger: BaseTrigger) -> TriggerEvent:
    """Run a trigger in an event loop of its own until it fires; it must fire once and end."""

    async def events() -> list[TriggerEvent]:
        return [event async for event in trigger.run()]

    [event] = asyncio.run(events())
    return event


def without_store(context: Any) -> None:
    """An operator's ``pre_execute`` that makes Airflow look older than 3.3."""
    context.pop("task_state_store", None)


def in_runtime(ti_id: UUID | None = None, **facts: Any) -> TaskInstance:
    """A task instance as the triggerer gives it to a trigger."""
    return TaskInstance(
        **{
            "id": ti_id or uuid4(),
            "task_id": "task",
            "dag_id": DAG_ID,
            "run_id": RUN_ID,
            "try_number": 1,
            "map_index": -1,
            "dag_version_id": uuid4(),
            **facts,
        }
    )


@contextmanager
def _ended_as_sent() -> Iterator[None]:
    """What `finalize` raises comes after the task's state was sent: it ends the process, and changes nothing.

    A link that cannot be stored, in Airflow 3.1.0; later ones log it.
    """
    finalize = task_runner.finalize

    def logged(*args: Any, **kwargs: Any) -> None:
        try:
            finalize(*args, **kwargs)
        except Exception:
            log.exception("The task's process ended")

    task_runner.finalize = logged
    try:
        yield
    finally:
        task_runner.finalize = finalize


@contextmanager
def _own_signals() -> Iterator[None]:
    """The task runner takes SIGTERM over; a test gives it back."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
