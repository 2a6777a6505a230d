"""Before Airflow 3.3 no job outlives its try: what a retry, a user and a clear do there instead."""

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
    pytest.mark.system,
    pytest.mark.timeout(600),
    lacks_task_state_store,
    pytest.mark.parametrize("stack", ["local"], indirect=True),
]

# So long after a user's deed a trigger that heard of it would have cancelled its job.
QUIET_SECONDS = 5.0


def test_the_retry_of_a_killed_task_submits_a_new_job(trigger: Trigger, tmp_path: Path) -> None:
    run = trigger("waiting")
    run.until_waiting(*VENDORS)
    run.strike(kill_tasks)
    run.until("new jobs", lambda: all(len(run.jobs(vendor)) == 2 for vendor in VENDORS))
    run.until_waiting(*VENDORS)
    for vendor in VENDORS:
        run.jobs(vendor)[1].finish()
    run.until_state("success")
    for vendor in VENDORS:
        [old, new] = run.jobs(vendor)
        assert not old.phase.is_terminal
        assert run.tries()[vendor] == 2
        assert run.log(vendor, 2).count("This Airflow is older than 3.3.") == 1
        assert_whole(run, vendor, new, tmp_path)


def test_jobs_of_deferred_tasks_that_a_user_ends_or_clears_go_on(trigger: Trigger, tmp_path: Path) -> None:
    """Airflow tells no trigger. The cleared task has a new job, and lands that one's result."""
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
    assert not any(job.phase.is_terminal for job in (old, run.job("mark_failed"), run.job("mark_success")))
    assert_whole(run, "clear", new, tmp_path)
