"""Airflow's REST API, as far as the demo and the tests that run a whole Airflow need it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import httpx

from demo.home import Home

# The most that the server gives at once.
PAGE = 100


class Task(NamedTuple):
    """One task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str | None
    try_number: int
    end: datetime | None

    @property
    def name(self) -> str:
        """Task id, with the index of a mapped one."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


class AirflowApi:
    """A session with the API server of one home."""

    def __init__(self, home: Home) -> None:
        self._home = home
        # The caller's proxy has no business with loopback.
        self._http = httpx.Client(base_url=home.url, timeout=60.0, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def login(self) -> bool:
        """Get a token; False while the server is not up yet."""
        try:
            answer = self._http.post("/auth/token", json={"username": self._home.user, "password": self._home.password})
        except httpx.TransportError:
            return False
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return True

    def warm_up(self) -> None:
        """Have the server build its task API, which it does at the first request.

        It takes seconds; tasks wait five and then ask again, so that the first ones would take ten.
        """
        self._http.get("/execution/health", timeout=600.0)

    def _get(self, path: str, **params: str | int | bool) -> Any:
        answer = self._http.get(f"/api/v2{path}", params=params)
        answer.raise_for_status()
        return answer.json()

    def _post(self, path: str, body: Mapping[str, object]) -> Any:
        answer = self._http.post(f"/api/v2{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def add_connection(self, conn_id: str, fields: Mapping[str, object]) -> None:
        """Store a connection, as a person would in the UI; its extra may be a dict."""
        self._post("/connections", _connection(conn_id, fields))

    def set_connection(self, conn_id: str, fields: Mapping[str, object]) -> None:
        """Store a connection in place of the one of that id, where there is one."""
        answer = self._http.patch(f"/api/v2/connections/{conn_id}", json=_connection(conn_id, fields))
        if answer.status_code == 404:
            self.add_connection(conn_id, fields)
        else:
            answer.raise_for_status()

    def add_variable(self, key: str, value: str) -> None:
        """Store a variable."""
        self._post("/variables", {"key": key, "value": value})

    def add_pool(self, name: str, slots: int) -> None:
        """Store a pool that counts deferred tasks, too."""
        self._post("/pools", {"name": name, "slots": slots, "include_deferred": True})

    def unhealthy(self) -> list[str]:
        """The components that have not reported to the database yet."""
        health = self._get("/monitor/health")
        return [name for name in ("scheduler", "triggerer", "dag_processor") if health[name].get("status") != "healthy"]

    def dag_ids(self) -> set[str]:
        """The DAGs that have been parsed."""
        return {dag["dag_id"] for dag in self._get("/dags")["dags"]}

    def import_errors(self) -> dict[str, str]:
        """Stack trace by file, for DAG files that can't be imported."""
        errors = self._get("/importErrors")["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in errors}

    def dag_ids_of(self, file: str) -> set[str]:
        """The DAGs that a file in the DAGs folder has been found to define."""
        return {dag["dag_id"] for dag in self._get("/dags")["dags"] if dag["relative_fileloc"] == file}

    def trigger(self, dag_id: str, conf: Mapping[str, object] | None = None) -> str:
        """Create a run, with `dag_run.conf`; its id."""
        body = {"logical_date": None, "conf": conf or {}}
        run_id: str = self._post(f"/dags/{dag_id}/dagRuns", body)["dag_run_id"]
        return run_id

    def unpause_all(self) -> None:
        """Let the scheduler start what is triggered."""
        answer = self._http.patch("/api/v2/dags", params={"dag_id_pattern": "%"}, json={"is_paused": False})
        answer.raise_for_status()

    def run(self, dag_id: str, run_id: str) -> tuple[str, datetime | None]:
        """State and start of a run."""
        run = self._get(f"/dags/{dag_id}/dagRuns/{run_id}")
        return run["state"], _time(run["start_date"])

    def tasks(self, dag_id: str = "~", run_id: str = "~") -> list[Task]:
        """All task instances of all runs, or of one."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found: list[dict[str, Any]] = []
        total = 1
        while len(found) < total:
            page = self._get(path, limit=PAGE, offset=len(found))
            found += page["task_instances"]
            total = page["total_entries"] if page["task_instances"] else 0
        return [
            Task(
                dag_id=ti["dag_id"],
                run_id=ti["dag_run_id"],
                task_id=ti["task_id"],
                map_index=ti["map_index"],
                state=ti["state"],
                try_number=ti["try_number"],
                end=_time(ti["end_date"]),
            )
            for ti in found
        ]

    def set_state(self, task: Task, state: str) -> None:
        """Mark a task as `success`, `failed` or `skipped`, as a person does in the UI."""
        index = "" if task.map_index < 0 else f"/{task.map_index}"
        path = f"/api/v2/dags/{task.dag_id}/dagRuns/{task.run_id}/taskInstances/{task.task_id}{index}"
        self._http.patch(path, json={"new_state": state}).raise_for_status()

    def clear(self, first: Task, *others: Task) -> None:
        """Clear tasks of one run, whatever their states, as a person does in the UI."""
        chosen = [task.task_id if task.map_index < 0 else [task.task_id, task.map_index] for task in (first, *others)]
        body = {"dry_run": False, "only_failed": False, "dag_run_id": first.run_id, "task_ids": chosen}
        self._post(f"/dags/{first.dag_id}/clearTaskInstances", body)

    def log(self, task: Task, try_number: int | None = None) -> str:
        """The log of a task's try, the last one by default: one line an event, as JSON."""
        path = f"/api/v2/dags/{task.dag_id}/dagRuns/{task.run_id}/taskInstances/{task.task_id}/logs"
        answer = self._http.get(
            f"{path}/{try_number or task.try_number}",
            params={"map_index": task.map_index, "full_content": True},
            headers={"Accept": "application/x-ndjson"},
        )
        answer.raise_for_status()
        return answer.text

    def returned(self, task: Task, key: str = "return_value") -> object:
        """The value that a task returned, or pushed as another XCom; None if there is none."""
        path = f"/dags/{task.dag_id}/dagRuns/{task.run_id}/taskInstances/{task.task_id}/xcomEntries/{key}"
        answer = self._http.get(f"/api/v2{path}", params={"map_index": task.map_index, "stringify": False})
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        value: object = answer.json()["value"]
        return value


def _connection(conn_id: str, fields: Mapping[str, object]) -> dict[str, object]:
    extra = fields.get("extra")
    text = json.dumps(extra) if isinstance(extra, Mapping) else extra
    return {"connection_id": conn_id, **fields, "extra": text}


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
