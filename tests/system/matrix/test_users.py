"""Users, deploys and time-outs end tasks: the vendor's job is cancelled where it is not wanted any more, once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import EmulatedJob
from airflow_provider_batchdl.vendors import apartmentiq
from tests.support.airflow_features import needs_task_state_store
from tests.support.matrix.fixtures import Trigger
from tests.support.matrix.kill import terminate_tasks
from tests.support.matrix.landed import assert_whole
from tests.support.matrix.marked import CANCELLING, VENDORS
from tests.support.matrix.run import Run
from tests.support.stack.cases import DISTRIBUTED

pytestmark = [pytest.mark.timeout(1800), needs_task_state_store]

ENDED = ("mark_failed", "mark_success", "clear")
TIMEOUT_SECONDS = 60  # as the DAG has it
# What Airflow and a busy machine may add to a deadline and a poll.
SLACK_SECONDS = 240
# So long after a cancel nobody cancels again: some polls of everything that is left.
QUIET_SECONDS = 5.0


def assert_cancelled_once(run: Run, *jobs: EmulatedJob) -> None:
    """The vendor has cancelled jobs, and was not told to again."""
    run.until("the jobs to be cancelled", lambda: all(job.cancelled for job in jobs))
    time.sleep(QUIET_SECONDS)
    assert [len(run.cancels(job)) for job in jobs] == [1] * len(jobs)


@pytest.mark.parametrize("stack", ["local", DISTRIBUTED], indirect=True)
@pytest.mark.parametrize("mode", [pytest.param("waiting", marks=pytest.mark.long), "deferred"])
def test_a_user_ends_or_clears_a_task(trigger: Trigger, mode: str, tmp_path: Path) -> None:
    """The jobs are cancelled, once each, and after the clear there is one new job. What a sensor watches goes on."""
    run = trigger(f"user_{mode}")
    run.until_state("success", "watch_submit")
    run.until_waiting(*ENDED, "watch")
    links = [run.links("clear")]
    old = {name: run.job(name) for name in (*ENDED, "watch")}
    run.set_state("mark_failed", "failed")
    run.set_state("mark_success", "success")
    # On SQLite no task may defer before the triggers have been told: docs/durability.md, at its end.
    assert_cancelled_once(run, old["mark_failed"], old["mark_success"])
    # By one request: on SQLite the API server blocks itself where it is to write while a cleared task reports already.
    run.clear("clear", "watch")
    run.until("a new job", lambda: len(run.jobs("clear")) == 2)
    run.until_try(2, "clear", "watch")
    run.until_waiting("clear", "watch")
    run.set_state("watch", "failed")
    assert_cancelled_once(run, *(old[name] for name in ENDED))

    [_, new] = run.jobs("clear")
    new.finish()
    run.until_state("success", "clear")
    links.append(run.links("clear"))
    assert links == [{"Vendor": apartmentiq.ApartmentIQ.docs_url}] * 2
    assert run.states() == {
        "mark_failed": "failed",
        "mark_success": "success",
        "clear": "success",
        "watch": "failed",
        "watch_submit": "success",
    }
    assert not run.cancels(new)
    assert not run.cancels(run.job("watch"))
    assert len(run.jobs("clear")) == 2
    assert [len(run.jobs(name)) for name in ("mark_failed", "mark_success")] == [1, 1]
    assert_whole(run, "clear", new, tmp_path)


def test_a_deploy_leaves_the_jobs_alone(trigger: Trigger, tmp_path: Path) -> None:
    run = trigger("deployed")
    run.until_waiting(*VENDORS)
    run.strike(terminate_tasks)
    run.until_try(2, *VENDORS)
    run.until_waiting(*VENDORS)
    for vendor in VENDORS:
        run.job(vendor).finish()
    run.until_state("success")
    for vendor in VENDORS:
        assert not run.cancels(run.job(vendor))
        assert_whole(run, vendor, run.job(vendor), tmp_path)


def test_time_is_up_while_deferred(trigger: Trigger) -> None:
    """An operator's job is cancelled in time, and its task fails. A sensor fails, or skips, and cancels nothing."""
    run = trigger("timed_out")
    run.until_in_triggerer(*CANCELLING)  # not at the same time: the first may be over when the last begins
    run.until_ended()
    assert run.states() == {
        **dict.fromkeys([*CANCELLING, "sensor"], "failed"),
        "sensor_soft": "skipped",
        **dict.fromkeys(["sensor_submit", "sensor_soft_submit"], "success"),
    }
    for vendor in CANCELLING:
        job = run.job(vendor)
        assert_cancelled_once(run, job)
        [cancel] = run.cancels(job)
        assert cancel.time - job.submitted_at < TIMEOUT_SECONDS + SLACK_SECONDS
        assert "AirflowTaskTimeout" in run.log(vendor, 1)
    for name in ("sensor", "sensor_soft"):
        assert not run.cancels(run.job(name))
        assert run.tries()[name] == 1
