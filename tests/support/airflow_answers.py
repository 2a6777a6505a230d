"""What Airflow's Execution API answers to one DAG run's tasks, from dictionaries, and what they have told it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast
from urllib.parse import unquote

from airflow.sdk.api.datamodels._generated import DagRun
from airflow.triggers.base import BaseTrigger

from tests.support.airflow_features import deserialize, http

DAG_ID, RUN_ID = "made_up", "run_1"
_MIDNIGHT = "2026-01-01T00:00:00Z"
_NOT_FOUND = {"detail": {"reason": "not_found", "message": "not here"}}

Place = tuple[str, int]
"""A task id and a map index."""


@dataclass
class Deferral:
    """What a deferred task asked for."""

    classpath: str
    kwargs: dict[str, Any]
    next_method: str
    next_kwargs: dict[str, Any]
    timeout: str | None

    def trigger(self) -> BaseTrigger:
        """A new trigger, made as the triggerer makes it."""
        module, _, name = self.classpath.rpartition(".")
        trigger: BaseTrigger = getattr(import_module(module), name)(**self.kwargs)
        return trigger

    def run_out(self) -> None:
        """Let the trigger's deadline come now."""
        self.kwargs["deadline"] = self.next_kwargs["wait"]["deadline"] = time.time()


@dataclass
class Answers:
    """The state of one DAG run's tasks, as the API knows it.

    Attributes:
        max_tries: as Airflow counts it: a clear raises it.
        should_retry: whether a failing try may be retried.
        conf: the run's configuration.
        run_facts: what else its run is like, in the place of a run of 2026-01-01.
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
    run_facts: dict[str, Any] = field(default_factory=dict)
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

    def answer(self, request: Any) -> Any:
        """Answer one request of a worker, and note what it tells."""
        body: Any = json.loads(request.content) if request.content else None
        if body is not None:
            self.sent.append(json.dumps(body))
        match [unquote(part) for part in request.url.path.strip("/").split("/")]:
            case ["task-instances", ti_id, "run"]:
                self.states[self._places[ti_id]] = "running"
                return _found(self._run_context())
            case ["task-instances", "states"]:
                return http.Response(200, json={"task_states": self._asked_states(request.url.params)})
            case ["task-instances", ti_id, "state"]:
                self._note_state(self._places[ti_id], body)
            case ["task-instances", ti_id, "rtif"]:
                self.rendered[self._places[ti_id]] = body
            case ["task-reschedules", *_]:
                return http.Response(200, json=_MIDNIGHT if self._rescheduled else None)
            case ["xcoms", _, _, task_id, key, *rest]:
                return self._xcom(request, task_id, key, rest, body)
            case ["store", "ti", ti_id, *rest]:
                return self._store(request.method, self._places[ti_id], rest[0] if rest else None, body)
            case ["variables", key]:
                found = self.variables.get(key)
                return _found({"key": key, "value": found}) if found is not None else _missing()
            case ["connections", *_]:
                return _missing()  # tests' connections are environment variables
        return http.Response(200, json={})

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
            **self.run_facts,
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
                cast("dict[str, Any]", deserialize(body.get("next_kwargs") or {})),
                body.get("trigger_timeout"),
            )

    def _asked_states(self, params: Any) -> dict[str, dict[str, Any]]:
        index = int(params.get("map_index", -1))
        asked = {place: state for place, state in self.states.items() if place[0] in params.get_list("task_ids")}
        named = {
            task_id if index < 0 else f"{task_id}_{index}": state
            for (task_id, map_index), state in asked.items()
            if map_index == index and state is not None
        }
        return {RUN_ID: named} if named else {}

    def _xcom(self, request: Any, task_id: str, key: str, rest: list[str], body: Any) -> Any:
        place = (task_id, int(request.url.params.get("map_index", -1)), key)
        if request.method == "POST":
            self.xcoms[place] = body
            return http.Response(201, json={"message": "ok"})
        if request.method == "DELETE":
            self.xcoms.pop(place, None)
            return http.Response(200, json={"message": "ok"})
        instances = [value for (task, _, name), value in sorted(self.xcoms.items()) if (task, name) == (task_id, key)]
        if request.method == "HEAD":
            return http.Response(200, headers={"Content-Range": f"map_indexes {len(instances)}"})
        if rest == ["slice"]:
            return http.Response(200, json=instances)
        if rest[:1] == ["item"]:
            return http.Response(200, json=instances[int(rest[1])])
        return _found({"key": key, "value": self.xcoms[place]}) if place in self.xcoms else _missing()

    def _store(self, method: str, place: Place, key: str | None, body: Any) -> Any:
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
        return http.Response(204)


def _found(body: Any) -> Any:
    """JSON in ASCII, which can hold half a character, too."""
    return http.Response(200, content=json.dumps(body), headers={"Content-Type": "application/json"})


def _missing() -> Any:
    return http.Response(404, json=_NOT_FOUND)
