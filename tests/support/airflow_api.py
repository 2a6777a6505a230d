"""Airflow's Execution API in memory: tasks run through the real task runner, with neither a server nor a database.

The worker's HTTP client gets a transport that answers from dictionaries. What a task would leave behind in Airflow
(XComs, state store, rendered fields, deferral, final state) is then there to look at, and all that was ever sent is
kept in :attr:`ExecutionApi.sent`, to be searched for secrets.

`InProcessTestSupervisor` and `TaskInstance` are not public: this works for the Airflow versions that CI runs.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast
from urllib.parse import unquote
from uuid import UUID, uuid4

import httpx
from airflow.sdk import DAG
from airflow.sdk.api.datamodels._generated import DagRun, TaskInstance
from airflow.sdk.execution_time.supervisor import (
    InProcessSupervisorComms,
    InProcessTestSupervisor,
    set_supervisor_comms,
)
from airflow.triggers.base import BaseTrigger, TriggerEvent

from tests.support.airflow_features import deserialize, serialize

DAG_ID, RUN_ID = "made_up", "run_1"
_MIDNIGHT = "2026-01-01T00:00:00Z"
_NOT_FOUND = {"detail": {"reason": "not_found", "message": "not here"}}

Place = tuple[str, int]
"""A task id and a map index."""


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


@dataclass
class Deferral:
    """What a deferred task asked for."""

    classpath: str
    kwargs: dict[str, Any]
    next_method: str
    next_kwargs: Any
    timeout: str | None

    def trigger(self) -> BaseTrigger:
        """A new trigger, made as the triggerer makes it."""
        module, _, name = self.classpath.rpartition(".")
        trigger: BaseTrigger = getattr(import_module(module), name)(**self.kwargs)
        return trigger


@dataclass
class ExecutionApi:
    """One DAG run's tasks.

    Attributes:
        max_tries: as Airflow counts it: a clear raises it.
        should_retry: whether a failing try may be retried.
        conf: the run's configuration.
        variables: Airflow Variables.
        xcoms: by task id, map index and key.
        store: the task state store, by task id, map index and key.
        rendered: rendered template fields of the last process of each task.
        states: the states that a question for them is answered with; else the last one reported.
        deferral: the last deferral.
        sent: every body that reached the API, as JSON text.
    """

    max_tries: int = 1
    should_retry: bool = True
    conf: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    xcoms: dict[tuple[str, int, str], Any] = field(default_factory=dict)
    store: dict[tuple[str, int, str], Any] = field(default_factory=dict)
    rendered: dict[Place, dict[str, Any]] = field(default_factory=dict)
    states: dict[Place, str | None] = field(default_factory=dict)
    deferral: Deferral | None = None
    sent: list[str] = field(default_factory=list)
    _places: dict[str, Place] = field(default_factory=dict)
    _resume: tuple[str, Any] | None = None
    _rescheduled: bool = False

    # --- running tasks

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
        with _own_signals():
            result = self._supervisor().start(what=ti, task=operator)
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
        while True:
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

    def resume_with(self, payload: Any) -> None:
        """Let the next process go on with a trigger's event."""
        assert self.deferral is not None
        kwargs = json.loads(json.dumps(serialize({"event": payload})))
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

    # --- what was left

    def pushed(self, task_id: str, key: str, map_index: int = -1) -> Any:
        """An XCom, None where there is none."""
        return self.xcoms.get((task_id, map_index, key))

    def give_xcom(self, task_id: str, value: Any, key: str = "return_value", map_index: int = -1) -> None:
        """Put an XCom there, as if a task upstream had pushed it."""
        self.xcoms[(task_id, map_index, key)] = value

    # --- the API

    def _supervisor(self) -> type[InProcessTestSupervisor]:
        """Airflow's in-process supervisor, which before 3.3 takes no client, with the client that asks here."""

        class Supervisor(InProcessTestSupervisor):
            @staticmethod
            def _api_client(dag: object = None) -> Any:
                return self._client()

        return Supervisor

    def _client(self) -> Any:
        transport = httpx.MockTransport(self._answer)
        return InProcessTestSupervisor._Client(base_url=None, dry_run=True, token="", transport=transport)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body: Any = json.loads(request.content) if request.content else None
        if body is not None:
            self.sent.append(json.dumps(body))
        match [unquote(part) for part in request.url.path.strip("/").split("/")]:
            case ["task-instances", ti_id, "run"]:
                self.states[self._places[ti_id]] = "running"
                return httpx.Response(200, json=self._run_context())
            case ["task-instances", "states"]:
                return httpx.Response(200, json={"task_states": self._asked_states(request.url.params)})
            case ["task-instances", ti_id, "state"]:
                self._note_state(self._places[ti_id], body)
            case ["task-instances", ti_id, "rtif"]:
                self.rendered[self._places[ti_id]] = body
            case ["task-reschedules", *_]:
                return httpx.Response(200, json=_MIDNIGHT if self._rescheduled else None)
            case ["xcoms", _, _, task_id, key, *rest]:
                return self._xcom(request, task_id, key, rest, body)
            case ["store", "ti", ti_id, *rest]:
                return self._store(request.method, self._places[ti_id], rest[0] if rest else None, body)
            case ["variables", key]:
                found = self.variables.get(key)
                return _found({"key": key, "value": found}) if found is not None else _missing()
            case ["connections", *_]:
                return _missing()  # tests' connections are environment variables
        return httpx.Response(200, json={})

    def _run_context(self) -> dict[str, Any]:
        method, kwargs = self._resume or (None, None)
        dag_run: dict[str, Any] = {
            "dag_id": DAG_ID,
            "run_id": RUN_ID,
            "logical_date": _MIDNIGHT,
            "data_interval_start": _MIDNIGHT,
            "data_interval_end": _MIDNIGHT,
            "run_after": _MIDNIGHT,
            "start_date": _MIDNIGHT,
            "end_date": None,
            "run_type": "manual",
            "state": "running",
            "consumed_asset_events": [],
            "partition_key": None,
            "conf": self.conf,
        }
        return {
            # An Airflow refuses what it does not know.
            "dag_run": {name: value for name, value in dag_run.items() if name in DagRun.model_fields},
            "max_tries": self.max_tries,
            "should_retry": self.should_retry,
            "next_method": method,
            "next_kwargs": kwargs,
            "xcom_keys_to_clear": [],
        }

    def _note_state(self, place: Place, body: Mapping[str, Any]) -> None:
        self.states[place] = body["state"]
        if body["state"] == "deferred":
            self.deferral = Deferral(
                body["classpath"],
                cast("dict[str, Any]", deserialize(body["trigger_kwargs"])),
                body["next_method"],
                body.get("next_kwargs"),
                body.get("trigger_timeout"),
            )

    def _asked_states(self, params: httpx.QueryParams) -> dict[str, dict[str, Any]]:
        index = int(params.get("map_index", -1))
        asked = {place: state for place, state in self.states.items() if place[0] in params.get_list("task_ids")}
        named = {
            task_id if index < 0 else f"{task_id}_{index}": state
            for (task_id, map_index), state in asked.items()
            if map_index == index and state is not None
        }
        return {RUN_ID: named} if named else {}

    def _xcom(self, request: httpx.Request, task_id: str, key: str, rest: list[str], body: Any) -> httpx.Response:
        place = (task_id, int(request.url.params.get("map_index", -1)), key)
        if request.method == "POST":
            self.xcoms[place] = body
            return httpx.Response(201, json={"message": "ok"})
        if request.method == "DELETE":
            self.xcoms.pop(place, None)
            return httpx.Response(200, json={"message": "ok"})
        instances = [value for (task, _, name), value in sorted(self.xcoms.items()) if (task, name) == (task_id, key)]
        if request.method == "HEAD":
            return httpx.Response(200, headers={"Content-Range": f"map_indexes {len(instances)}"})
        if rest == ["slice"]:
            return httpx.Response(200, json=instances)
        if rest[:1] == ["item"]:
            return httpx.Response(200, json=instances[int(rest[1])])
        return _found({"key": key, "value": self.xcoms[place]}) if place in self.xcoms else _missing()

    def _store(self, method: str, place: Place, key: str | None, body: Any) -> httpx.Response:
        if method == "PUT":
            self.store[(*place, str(key))] = body["value"]
        elif method == "GET":
            name = (*place, str(key))
            return _found({"value": self.store[name]}) if name in self.store else _missing()
        else:
            self.store = {
                name: value
                for name, value in self.store.items()
                if name[:2] != place or (key is not None and name[2] != key)
            }
        return httpx.Response(204)


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


def _found(body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


def _missing() -> httpx.Response:
    return httpx.Response(404, json=_NOT_FOUND)


@contextmanager
def _own_signals() -> Iterator[None]:
    """The task runner takes SIGTERM over; a test gives it back."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
