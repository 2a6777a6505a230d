"""Triggerers are replaced, one by one, while hundreds of jobs are waited for."""

from __future__ import annotations

import os
import re
from collections import Counter

import pytest

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator
from demo.api import Task
from tests.support.airflow_features import needs_task_state_store
from tests.support.matrix.fixtures import Trigger
from tests.support.stack.base import Stack
from tests.support.stack.cases import distributed_only

# So many tasks start on two workers, and again when their jobs have ended.
pytestmark = [pytest.mark.timeout(6000), needs_task_state_store]

WAITS = int(os.environ.get("WAITS", "500"))
DEFER_SECONDS = END_SECONDS = 2400.0
DAG_ID, TASK_ID = "many_waits", "wait"


@distributed_only
def test_no_wait_is_lost_cancelled_or_ended_twice(
    stack: Stack,
    trigger: Trigger,  # its connections and DAGs
    kill_vendors: Emulator,
) -> None:
    stack.query("INSERT INTO slot_pool (pool, slots, include_deferred) VALUES ('few', 6, false)")
    before = set(kill_vendors.jobs("apartmentiq"))
    run_id = stack.api.trigger(DAG_ID, {"waits": WAITS})
    until_all(stack, run_id, "deferred", DEFER_SECONDS)
    jobs = [job for job in kill_vendors.jobs("apartmentiq") if job not in before]
    assert len(jobs) == WAITS
    # Each has some as a rule, and at the end of the loop each wait has been taken over at least once, whoever had it.
    stack.wait("triggerers to have all waits", lambda: sum(waits_by_triggerer(stack).values()) >= WAITS)
    for number, name in enumerate(stack.triggerers):
        stack.terminate(name)
        finish(jobs[number * WAITS // 5 : (number + 1) * WAITS // 5])  # while it is away
        stack.start(name)
        stack.wait_until_whole()
    finish(jobs)
    until_all(stack, run_id, "success", END_SECONDS)
    stack.wait("the tasks' processes to end, and to have written their logs", lambda: not stack.task_processes())
    assert [task for task in waits(stack, run_id) if task.try_number > 1] == []
    assert [job for job in kill_vendors.jobs("apartmentiq") if job not in before] == jobs
    assert [job for job in jobs if job.cancelled] == []
    events = events_by_task(stack, run_id)
    assert len(events) == WAITS
    assert {task: number for task, number in events.items() if number != 1} == {}
    ids = {job.id for job in jobs}
    assert {stack.api.returned(task, "job_id") for task in waits(stack, run_id)} == ids


def waits(stack: Stack, run_id: str) -> list[Task]:
    """The mapped tasks of the run."""
    return [task for task in stack.api.tasks(DAG_ID, run_id) if task.task_id == TASK_ID]


def until_all(stack: Stack, run_id: str, state: str, seconds: float) -> None:
    """Wait until every task is in a state. The database is asked: so much JSON would take the tasks' time."""
    count = "SELECT state, count(*) FROM task_instance WHERE run_id = :run_id AND task_id = :task_id GROUP BY state"

    def reached() -> bool:
        states = dict(stack.query(count, run_id=run_id, task_id=TASK_ID))
        assert not {"failed", "upstream_failed"} & states.keys()
        return states == {state: WAITS}

    stack.wait(f"{WAITS} tasks to be {state}", reached, seconds)


def waits_by_triggerer(stack: Stack) -> dict[int, int]:
    """How many waits each triggerer has."""
    return dict(stack.query("SELECT triggerer_id, count(*) FROM trigger WHERE triggerer_id IS NOT NULL GROUP BY 1"))


def finish(jobs: list[EmulatedJob]) -> None:
    """Let the vendor end jobs that go on."""
    for job in jobs:
        if not job.phase.is_terminal:
            job.finish()


def events_by_task(stack: Stack, run_id: str) -> Counter[str]:
    """How often each task came back to a worker, by its log; a second time would be a second event."""
    folder = stack.home.airflow / "logs" / f"dag_id={DAG_ID}" / f"run_id={run_id}" / f"task_id={TASK_ID}"
    resumed = re.compile(r"Job \S+ is succeeded\.")
    # Beside them lie the triggerers' own, `attempt=1.log.trigger.7.log`.
    logs = folder.glob("map_index=*/attempt=1.log")
    return Counter({log.parent.name: len(resumed.findall(log.read_text())) for log in logs})
