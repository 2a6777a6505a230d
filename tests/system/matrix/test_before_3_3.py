"""Before Airflow 3.3 a job outlives its try beside the destination only: what a retry, a user and a clear do there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.airflow_features import lacks_task_state_store
from tests.support.matrix.fixtures import Trigger
from tests.support.matrix.kill import kill_tasks
from tests.support.matrix.landed import assert_whole
from tests.support.matrix.marked import VENDORS

pytestmark = [
    pytest.mark.timeout(1800),
    lacks_task_state_store,
    pytest.mark.parametrize("stack", ["local"], indirect=True),
]

# So long after a user's deed a trigger that heard of it would have cancelled its job.
QUIET_SECONDS = 5.0


# Those tasks of the DAG `waiting` that have a destination, beside which their job is noted.
NOTED = ("revenuebase", "batchcom")


def test_the_retry_of_a_killed_task_reconnects_where_it_has_a_destination(trigger: Trigger, tmp_path: Path) -> None:
    """Where it has none, it submits a new job, and says so."""
    run = trigger("waiting")
    run.until_waiting(*VENDORS)
    run.strike(kill_tasks)
    others = [vendor for vendor in VENDORS if vendor not in NOTED]
    run.until("new jobs", lambda: all(len(run.jobs(vendor)) == 2 for vendor in others))
    run.until_waiting(*VENDORS)
    for vendor in VENDORS:
        run.jobs(vendor)[-1].finish()
    run.until_state("success")
    for vendor in VENDORS:
        jobs = run.jobs(vendor)
        assert len(jobs) == (1 if vendor in NOTED else 2)
        assert not any(job.phase.is_terminal for job in jobs[:-1])
        assert run.tries()[vendor] == 2
        assert run.log(vendor, 2).count("This Airflow is older than 3.3") == len(jobs) - 1
        assert_whole(run, vendor, jobs[-1], tmp_path)


def test_jobs_of_deferred_tasks_that_a_user_ends_go_on(trigger: Trigger, tmp_path: Path) -> None:
    """Airflow notifies no trigger. The cleared task cancels its old job and lands the new one's result."""
    run = trigger("user_deferred")
    names = ("mark_failed", "mark_success", "clear", "watch")
    run.until_waiting(*names)
    run.set_state("mark_failed", "failed")
    run.set_state("mark_success", "success")
    run.clear("clear")
    run.until("a new job", lambda: len(run.jobs("clear")) == 2)
    run.until_waiting("clear", "watch")
    [old, new] = run.jobs("clear")
    new.finish()
    run.job("watch").finish()
    run.until_ended()
    assert run.states() == {
        "mark_failed": "failed",
        "mark_success": "success",
        "clear": "success",
        "watch": "success",
        "watch_submit": "success",
    }
    time.sleep(QUIET_SECONDS)
    assert old.cancelled
    assert not any(job.phase.is_terminal for job in (run.job("mark_failed"), run.job("mark_success")))
    assert_whole(run, "clear", new, tmp_path)
