"""Trigger the DAGs, print their states as they change, and return what landed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from demo.api import AirflowApi, Task
from demo.home import DAGS, Home
from demo.processes import AirflowProcesses, tail
from demo.report import Landed

# Generous: a loaded machine is slow, and a demo that hangs is worse than one that says what it waits for.
START_SECONDS = 600.0
RUN_SECONDS = 600.0
POLL_SECONDS = 0.3
# For this long a DAG waits at least: for the eye, and for Airflow to have noticed it everywhere (`home.configure`).
SEEN_SECONDS = 3.0

# What the DAGs name: a task whose pool does not exist is never started.
POOLS = {"revenuebase": 10}

Say = Callable[[str], None]


class DemoFailed(Exception):  # noqa: N818 (what happened, in the words of the message)
    """The demo did not reach its end."""


class Runner:
    """One demo: an Airflow that is starting up, and what there is to do with it."""

    def __init__(self, home: Home, processes: AirflowProcesses, api: AirflowApi, say: Say) -> None:
        self._home = home
        self._processes = processes
        self._api = api
        self._say = say
        self._states: dict[tuple[str, str, int], str | None] = {}
        self._deferred: dict[tuple[str, str, int], float] = {}  # since when

    def prepare(self, connections: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Wait until Airflow is up and knows connections and DAGs; the DAGs' ids."""
        self._wait("Airflow's API server to answer", self._api.login)
        self._api.warm_up()
        for conn_id, fields in connections.items():
            self._api.add_connection(conn_id, fields)
        self._api.add_variable("batchdl_landing", f"file://{self._home.landed}")
        for name, slots in POOLS.items():
            self._api.add_pool(name, slots)
        expected = {path.stem for path in DAGS.rglob("example_*.py")}
        self._wait("the DAGs to be parsed", lambda: self._parsed(expected))
        self._wait("scheduler and triggerer to report", lambda: not self._api.unhealthy())
        return sorted(path.stem for path in DAGS.glob("example_*.py"))

    def _parsed(self, expected: set[str]) -> bool:
        if errors := self._api.import_errors():
            listing = "\n".join(f"{file}:\n{trace}" for file, trace in errors.items())
            raise DemoFailed(f"Airflow can't import these DAGs:\n{listing}")
        return expected <= self._api.dag_ids()

    def _wait(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            self._processes.check()
            if time.monotonic() > deadline:
                raise DemoFailed(f"waited {START_SECONDS:.0f} s for {what}; see the logs in {self._home.folder}")
            time.sleep(POLL_SECONDS)

    def run(self, dag_ids: Iterable[str], on_deferred: Callable[[str], None]) -> list[Landed]:
        """Trigger all DAGs at once and follow them to their end; `on_deferred` is called for each whose tasks wait."""
        # All before any starts: on SQLite, Airflow's API server blocks itself for five seconds, and then fails, where
        # it is asked to write while a task reports.
        runs = {dag_id: self._api.trigger(dag_id) for dag_id in dag_ids}
        self._api.unpause_all()
        self._say(f"triggered {', '.join(runs)}")
        deadline = time.monotonic() + RUN_SECONDS
        while True:
            self._processes.check()
            # First the runs, then the tasks: what a finished run's tasks say is final.
            states = {dag_id: self._api.run(dag_id, run_id)[0] for dag_id, run_id in runs.items()}
            tasks = self._api.tasks()
            self._show(tasks)
            self._check_failed(tasks)
            for dag_id in self._waiting(tasks):
                on_deferred(dag_id)
            if set(states.values()) == {"success"}:
                break
            if time.monotonic() > deadline:
                raise DemoFailed(f"the runs are not done after {RUN_SECONDS:.0f} s: {states}")
            time.sleep(POLL_SECONDS)
        self._check_deferred(runs)
        return [landed for task in tasks for landed in self._landed(task, runs)]

    def _waiting(self, tasks: Iterable[Task]) -> list[str]:
        """The DAGs that only wait: each task that they have started has been deferred for long enough."""
        now, last = time.monotonic(), dict[str, float]()
        for task in tasks:
            if task.state == "deferred":
                since = self._deferred.setdefault((task.dag_id, task.task_id, task.map_index), now)
                last[task.dag_id] = max(since, last.get(task.dag_id, since))
        busy = {task.dag_id for task in tasks if task.state in {"scheduled", "queued", "running"}}
        return [dag_id for dag_id, since in last.items() if dag_id not in busy and now - since > SEEN_SECONDS]

    def _check_failed(self, tasks: Iterable[Task]) -> None:
        failed = [task for task in tasks if task.state in {"failed", "upstream_failed"}]
        if failed:
            raise DemoFailed("".join(f"\n{task.dag_id}.{task.name} {task.state}{self._log(task)}" for task in failed))

    def _show(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            key = (task.dag_id, task.task_id, task.map_index)
            # Airflow's internal states of a task are of no interest here.
            if task.state in {None, "scheduled", "queued"} or self._states.get(key) == task.state:
                continue
            self._states[key] = task.state
            again = f" (try {task.try_number})" if task.try_number > 1 else ""
            self._say(f"{task.dag_id:<20} {task.name:<12} {task.state}{again}")

    def _check_deferred(self, dag_ids: Iterable[str]) -> None:
        seen = {dag_id for dag_id, *_ in self._deferred}
        for dag_id in dag_ids:
            # A short wait may fall between two polls of the API; its log in the triggerer stays.
            logs = (self._home.airflow / "logs").glob(f"dag_id={dag_id}/**/*.trigger.*.log")
            if dag_id not in seen and not any(logs):
                raise DemoFailed(f"{dag_id} succeeded without ever waiting in the triggerer")

    def _landed(self, task: Task, runs: Mapping[str, str]) -> list[Landed]:
        value = self._api.returned(task)
        if not isinstance(value, dict) or not {"vendor", "job_id", "files"} <= value.keys():
            return []  # a job id, or what a sensor saw
        start = self._api.run(task.dag_id, runs[task.dag_id])[1]
        seconds = (task.end - start).total_seconds() if task.end and start else 0.0
        return [Landed.from_landing(task.dag_id, seconds, value, file) for file in value["files"]]

    def _log(self, task: Task) -> str:
        if task.state == "upstream_failed":
            return ""
        folder = self._home.airflow / "logs" / f"dag_id={task.dag_id}" / f"run_id={task.run_id}"
        folder /= f"task_id={task.task_id}"
        if task.map_index >= 0:
            folder /= f"map_index={task.map_index}"
        log = folder / f"attempt={task.try_number}.log"
        return f"; the end of {log}:\n{tail(log)}"
