"""One DAG run of the matrix: what to wait for in Airflow, and what to count at the vendors."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator
from airflow_provider_batchdl.emulator.records import RequestRecord
from demo.api import Task
from tests.support.matrix.marked import has_mark, mark_of
from tests.support.matrix.stops import Stops
from tests.support.stack.base import Stack
from tests.support.stack.noticed import has_trigger, noticed

# Generous: a loaded machine is slow, and Airflow takes its time to miss a worker.
PATIENCE = 480.0
# So long at least a task has been deferred before its job ends, so that Airflow has noticed everywhere.
NOTICED_SECONDS = 4.0
# Lines of a task's log that a failure tells.
LAST_WORDS = 30


class Run:
    """A run, from the moment that it is triggered.

    Args:
        stack: the Airflow.
        vendors: the emulator that its connections lead to.
        shared: the folder that tasks and test share.
        dag_id: which DAG.
    """

    def __init__(self, stack: Stack, vendors: Emulator, shared: Path, dag_id: str) -> None:
        self.stack = stack
        self.vendors = vendors
        self.landed = shared / "landed" / dag_id
        shutil.rmtree(self.landed, ignore_errors=True)  # an earlier run's
        self.dag_id = dag_id
        self._stops = Stops(shared / "stops")
        self._before = {job.id for job in self._all_jobs()}
        self._struck = 0.0
        self.run_id = stack.api.trigger(dag_id)

    def strike(self, blow: Callable[[Stack], None]) -> None:
        """Do something to Airflow. What is waited for later is what comes of it."""
        blow(self.stack)
        self._struck = time.time()

    # --- waiting

    def until(self, what: str, true: Callable[[], bool]) -> None:
        """Wait for something, while Airflow is well."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            self.stack.check()
            assert time.monotonic() < deadline, f"{self.dag_id}: waited in vain for {what}: {self._tell()}"
            time.sleep(0.3)

    def _tell(self) -> str:
        """The tasks' states, and what those that failed have said last."""
        said = [str(self.states())]
        for name, task in self.tasks().items():
            if task.state in ("failed", "up_for_retry"):
                said += [f"the end of the log of {name}, try {task.try_number}:", *self._last_words(task)]
        return "\n".join(said)

    def _last_words(self, task: Task) -> list[str]:
        try:
            return self.stack.api.log(task).splitlines()[-LAST_WORDS:]
        except httpx.HTTPError as error:
            return [f"not to be had: {error}"]

    def until_state(self, states: str | Iterable[str], *task_ids: str) -> None:
        """Wait until tasks are in one of some states; every task of the run where none is named."""
        wanted = {states} if isinstance(states, str) else set(states)
        self.until(
            f"{task_ids or 'all'} to be {wanted}",
            lambda: all(state in wanted for name, state in self.states().items() if not task_ids or name in task_ids),
        )

    def until_stopped(self, *task_ids: str) -> None:
        """Wait until tasks have come to their stop."""
        self.until(
            f"{task_ids} to stop",
            lambda: all(self._stops.reached(self.dag_id, self.run_id, task_id) for task_id in task_ids),
        )

    def until_submitted(self, *task_ids: str) -> None:
        """Wait until the vendors have the tasks' jobs."""
        self.until(f"{task_ids} to submit", lambda: all(self.jobs(task_id) for task_id in task_ids))

    def until_waiting(self, *task_ids: str) -> None:
        """Wait until tasks wait: deferred, and all of Airflow knows; or on a worker, past their first polls."""
        self.until(f"{task_ids} to wait", lambda: all(self._waits(task_id) for task_id in task_ids))
        self._until_noticed(task_ids)

    def _waits(self, task_id: str) -> bool:
        task = self.tasks()[task_id]
        if task.state != "running" or not self.jobs(task_id):
            return task.state == "deferred"
        polls = [record for record in self._requests("status", self.jobs(task_id)[-1]) if record.time > self._struck]
        return len(polls) >= 2

    def until_try(self, number: int, *task_ids: str) -> None:
        """Wait until a try of tasks runs, or waits in the triggerer; or a later one: Airflow may lose one by itself.

        Where a deferred task wakes within seconds, the LocalExecutor may still tell that it has let go of the worker,
        and the scheduler takes that for an end that the task did not report.
        """
        self.until(
            f"try {number} of {task_ids}",
            lambda: all(
                task.try_number >= number and task.state in ("running", "deferred", "success")
                for name, task in self.tasks().items()
                if name in task_ids
            ),
        )

    def until_noticed(self, *task_ids: str) -> None:
        """Wait until tasks are deferred and all of Airflow knows."""
        self.until_state("deferred", *task_ids)
        self._until_noticed(task_ids)

    def _until_noticed(self, task_ids: Iterable[str]) -> None:
        """Wait until the scheduler knows that workers have let go of deferred tasks, and triggerers have these."""
        tasks = [task for name, task in self.tasks().items() if name in task_ids and task.state == "deferred"]
        if not tasks:
            return
        began, tries = time.monotonic(), [(task.task_id, task.try_number) for task in tasks]
        are_noticed = noticed(self.stack.home, self.dag_id, self.run_id, tries)
        self.until("the scheduler and the triggerers to notice", are_noticed)
        time.sleep(max(0.0, began + NOTICED_SECONDS - time.monotonic()))
        # At its first wait a triggerer builds its task API, and hears of nothing in the meantime.
        since = datetime.now(UTC)
        self.until("the triggerers to report", lambda: self.stack.have_triggerers_reported(since))

    def until_in_triggerer(self, *task_ids: str) -> None:
        """Wait until a triggerer has begun to wait for tasks in their first try; they may have ended since."""
        where = (self.stack.home, self.dag_id, self.run_id)
        self.until(f"{task_ids} to defer", lambda: all(has_trigger(*where, task_id) for task_id in task_ids))

    def until_ended(self) -> None:
        """Wait until every task has ended, whichever way."""
        self.until_state(("success", "failed", "skipped", "upstream_failed"))

    # --- Airflow

    def tasks(self) -> dict[str, Task]:
        """The run's task instances."""
        return {task.task_id: task for task in self.stack.api.tasks(self.dag_id, self.run_id)}

    def states(self) -> dict[str, str | None]:
        """The tasks' states."""
        return {name: task.state for name, task in self.tasks().items()}

    def tries(self) -> dict[str, int]:
        """How often each task was tried."""
        return {name: task.try_number for name, task in self.tasks().items()}

    def xcom(self, task_id: str, key: str = "return_value") -> Any:
        """What a task returned, or pushed."""
        return self.stack.api.returned(self.tasks()[task_id], key)

    def links(self, task_id: str) -> dict[str, str | None]:
        """The buttons of a task."""
        path = f"/dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/{task_id}/links"
        found: dict[str, str | None] = self.stack.api._get(path)["extra_links"]
        return found

    def log(self, task_id: str, try_number: int) -> str:
        """The log of one try."""
        return self.stack.api.log(self.tasks()[task_id], try_number)

    def set_state(self, task_id: str, state: str) -> None:
        """Mark a task, as a user does."""
        self.stack.api.set_state(self.tasks()[task_id], state)

    def clear(self, *task_ids: str) -> None:
        """Clear tasks, as a user does."""
        tasks = self.tasks()
        self.stack.api.clear(*(tasks[task_id] for task_id in task_ids))

    # --- the vendors

    def jobs(self, task_id: str) -> list[EmulatedJob]:
        """A task's jobs in this run, oldest first."""
        mark = mark_of(self.dag_id, task_id)
        return [job for job in self._all_jobs() if job.id not in self._before and has_mark(job, mark)]

    def job(self, task_id: str) -> EmulatedJob:
        """A task's only job: that there is no other is what most cases are about."""
        [job] = self.jobs(task_id)
        return job

    def cancels(self, job: EmulatedJob) -> list[RequestRecord]:
        """The requests that cancelled a job; those that came too late to do so are not among them."""
        return [record for record in self._requests("cancel", job) if record.status < 300]

    def bytes_of(self, job: EmulatedJob) -> int:
        """How much of a job's result has been sent, over all tries."""
        return sum(record.bytes_sent for name in ("download", "store") for record in self._requests(name, job))

    def _requests(self, operation: str, job: EmulatedJob) -> list[RequestRecord]:
        return [r for r in self.vendors.requests if r.operation == operation and _is_about(r, job)]

    def _all_jobs(self) -> list[EmulatedJob]:
        return [job for vendor in self.vendors.urls for job in self.vendors.jobs(vendor)]


def _is_about(record: RequestRecord, job: EmulatedJob) -> bool:
    return record.vendor == job.vendor and job.id in f"{record.path}/{record.query.get('id', '')}".split("/")
