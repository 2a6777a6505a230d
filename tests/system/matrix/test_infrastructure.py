"""What Airflow is made of fails, and the vendor does: every wait goes on, with its one job, and ends once."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.emulator.accounts import Accounts, Credentials
from tests.support.airflow_features import needs_task_state_store
from tests.support.matrix.fixtures import Trigger
from tests.support.matrix.landed import assert_whole
from tests.support.matrix.marked import VENDORS, connection_of
from tests.support.matrix.run import Run
from tests.support.stack.base import Stack
from tests.support.stack.cases import distributed_only, local_only

pytestmark = [pytest.mark.timeout(1800), needs_task_state_store]

TASKS = (*VENDORS, "waiting")
# Jobs of the first end while something is down, those of the others when all is well again.
EARLY, LATE = VENDORS[:2], (*VENDORS[2:], "waiting")
DOWN_SECONDS = 5.0


def waiting_run(trigger: Trigger, dag_id: str = "carried_on") -> Run:
    """A run all of whose tasks wait."""
    run = trigger(dag_id)
    shutil.rmtree(run.landed, ignore_errors=True)  # an earlier run's
    run.until_waiting(*TASKS)
    return run


def finish(run: Run, task_ids: Iterable[str]) -> None:
    """Let the vendors end the tasks' only jobs."""
    for task_id in task_ids:
        run.job(task_id).finish()


def assert_ended_once(run: Run, elsewhere: Path) -> None:
    """Every task is green and has the whole result of the one job it submitted, which nobody cancelled."""
    run.until_state("success")
    for task_id in TASKS:
        job = run.job(task_id)
        assert not job.cancelled
        assert run.cancels(job) == []
        assert run.bytes_of(job) == sum(file.size for file in job.files())
    for vendor in VENDORS:
        job, task = run.job(vendor), run.tasks()[vendor]
        # The triggerer's event brought it back to a worker, and none did a second time.
        assert run.log(vendor, task.try_number).count(f"Job {job.id} is {job.vendor_state}.") == 1
    for task_id in TASKS:
        assert_whole(run, task_id, run.job(task_id), elsewhere)


def assert_first_try(run: Run, task_ids: Iterable[str] = TASKS) -> None:
    """What befell Airflow cost no try."""
    tries = run.tries()
    assert {task_id: tries[task_id] for task_id in task_ids} == dict.fromkeys(task_ids, 1)


# Triggerers.


def test_triggerers_are_killed(stack: Stack, trigger: Trigger, tmp_path: Path) -> None:
    """One after another, so that every wait goes on in another process at least once."""
    run = waiting_run(trigger)
    for number, name in enumerate(stack.triggerers):
        stack.kill(name)
        if number == 0:
            finish(run, EARLY)
        if len(stack.triggerers) > 1:
            run.until_state("success", *EARLY)  # by the other one
        stack.start(name)
        stack.wait_until_whole()
    run.until_state("success", *EARLY)
    finish(run, LATE)
    assert_ended_once(run, tmp_path)
    assert_first_try(run)


@distributed_only
def test_triggers_are_moved_to_the_other_triggerer(stack: Stack, trigger: Trigger, tmp_path: Path) -> None:
    """A triggerer that was silent for too long and lives on stops its waits as if a user had ended the tasks."""
    run = waiting_run(trigger)
    swap = (
        "WITH ours AS (SELECT id FROM job WHERE job_type = 'TriggererJob' AND state = 'running' "
        "ORDER BY latest_heartbeat DESC LIMIT 2) "
        "UPDATE trigger SET triggerer_id = (SELECT max(id) + min(id) FROM ours) - triggerer_id "
        "WHERE id IN (SELECT trigger_id FROM task_instance WHERE dag_id = :dag_id AND run_id = :run_id)"
    )
    stack.query(swap, dag_id=run.dag_id, run_id=run.run_id)
    run.until("the old triggerers to stop the waits", lambda: killed_waits(stack, run) == set(VENDORS))
    time.sleep(DOWN_SECONDS)
    assert [task_id for task_id in TASKS if run.cancels(run.job(task_id))] == []
    finish(run, TASKS)
    assert_ended_once(run, tmp_path)
    assert_first_try(run)


def killed_waits(stack: Stack, run: Run) -> set[str]:
    """The tasks whose triggers were told that a user ended them."""
    logs = (stack.home.airflow / "logs" / f"dag_id={run.dag_id}" / f"run_id={run.run_id}").rglob("*.trigger.*.log")
    return {log.parent.name.removeprefix("task_id=") for log in logs if "invoking on_kill" in log.read_text()}


# Scheduler and database.


def test_the_scheduler_is_killed(stack: Stack, trigger: Trigger, tmp_path: Path) -> None:
    run = waiting_run(trigger)
    run.strike(lambda stack: stack.kill("scheduler"))
    finish(run, EARLY)
    time.sleep(DOWN_SECONDS)
    stack.start("scheduler")
    stack.wait_until_whole()
    run.until_state("success", *EARLY)
    run.until_waiting("waiting")
    finish(run, LATE)
    assert_ended_once(run, tmp_path)
    # Without workers of their own, a task that waits on one goes down with the scheduler and is tried again.
    assert_first_try(run, TASKS if stack.workers else VENDORS)


@distributed_only
def test_the_database_crashes_and_is_restarted(stack: Stack, trigger: Trigger, tmp_path: Path) -> None:
    run = waiting_run(trigger)
    with stack.supervised():
        run.strike(lambda stack: stack.kill("database"))
        finish(run, EARLY)
        time.sleep(DOWN_SECONDS)
        stack.start("database")
        stack.mend()
        run.until_state("success", *EARLY)
        run.until_waiting("waiting")
        finish(run, LATE)
        assert_ended_once(run, tmp_path)


# The vendor.


def test_the_vendor_is_down(stack: Stack, trigger: Trigger, kill_vendors: Emulator, tmp_path: Path) -> None:
    """For so long that waits are given up: with an error that has a type, and a retry that waits for the same job."""
    outage(stack, trigger, kill_vendors, tmp_path, seconds=0)


@local_only
@pytest.mark.timeout(3000)
def test_the_vendor_is_down_for_ten_minutes(
    stack: Stack, trigger: Trigger, kill_vendors: Emulator, tmp_path: Path
) -> None:
    outage(stack, trigger, kill_vendors, tmp_path, seconds=600)


def outage(stack: Stack, trigger: Trigger, vendors: Emulator, elsewhere: Path, *, seconds: float) -> None:
    """An outage of all vendors, until every task has failed at least once and the time is over."""
    run = waiting_run(trigger, "vendor_down")
    began = time.monotonic()
    for vendor in VENDORS[:2]:
        vendors.add_fault(Fault("status", vendor=vendor, status=503, times=10**6))
    for vendor in VENDORS[2:]:
        vendors.add_fault(Fault("reset", vendor=vendor, times=10**6))
    run.until("every task to have failed once", lambda: all(number > 1 for number in run.tries().values()))
    stack.wait("the end of the outage", lambda: time.monotonic() > began + seconds, seconds + 60)
    run.strike(lambda _: vendors.clear_faults())
    assert all("VendorUnavailableError" in run.log(task_id, 1) for task_id in TASKS)
    run.until_noticed(*VENDORS)
    run.until_waiting("waiting")
    finish(run, TASKS)
    assert_ended_once(run, elsewhere)


# The account.


def new_keys(accounts: Accounts) -> dict[str, Credentials]:
    """The vendors' next credentials, not in force yet."""
    before = dict(accounts.credentials)
    for vendor in VENDORS:
        accounts.rotate(vendor)
    after = dict(accounts.credentials)
    accounts.credentials.update(before)
    return after


def put_in_force(accounts: Accounts, keys: dict[str, Credentials]) -> None:
    """From now on the vendors refuse any other."""
    accounts.credentials.update(keys)
    accounts.expire_tokens()


def test_keys_are_replaced(
    stack: Stack, trigger: Trigger, kill_vendors: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Airflow's connections first, then at the vendors: nobody notices."""
    run = waiting_run(trigger, "key_rotated")
    accounts = kill_vendors.world.accounts
    keys = new_keys(accounts)
    for vendor in VENDORS:
        variable = f"AIRFLOW_CONN_{connection_of(vendor).upper()}"  # the connection as this process has it
        changed = {**json.loads(os.environ[variable]), "password": keys[vendor].password}
        monkeypatch.setenv(variable, json.dumps(changed))
        stack.api.set_connection(connection_of(vendor), {**changed, "extra": json.dumps(changed["extra"])})
    put_in_force(accounts, keys)
    time.sleep(DOWN_SECONDS)  # polls with the old ones
    finish(run, TASKS)
    assert_ended_once(run, tmp_path)
    assert_first_try(run)


def test_keys_are_replaced_at_the_vendors_only(trigger: Trigger, kill_vendors: Emulator) -> None:
    """Every wait fails at once, with an error that has a type, and without a vain retry; the jobs go on."""
    run = waiting_run(trigger, "key_rotated")
    accounts = kill_vendors.world.accounts
    put_in_force(accounts, new_keys(accounts))
    run.until_state("failed")
    assert_first_try(run)
    for task_id in TASKS:
        assert "AuthenticationError" in run.log(task_id, 1)
        assert not run.job(task_id).cancelled
