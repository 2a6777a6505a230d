"""Two vendors know a job again by its request alone: what a task submitted before is not taken for what it submits now.

The jobs are made within the two minutes by which the vendor's clock may be behind, so that each could be the one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, Fault
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.vendors import submitting
from tests.support.airflow_answers import Deferral
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import STORED, count, work
from tests.support.killed_workers import die_at_submit

Make = Callable[..., Any]
BY_REQUEST = pytest.mark.parametrize("vendor", ["batchcom", "apartmentiq"])
pytestmark = [needs_task_state_store, BY_REQUEST]


@pytest.fixture(autouse=True)
def _jobs_run_on(connections: Emulator, polls: Polls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "ADOPTION_DELAYS", (0.0, 0.0))
    connections.world.queue_seconds = 0.0
    connections.world.run_seconds = 3600


@pytest.fixture
def submit(vendor: str, tmp_path: Path) -> Make:
    return partial(SubmitBatchJobOperator, task_id="task", **work(vendor, tmp_path))


def submitted(api: ExecutionApi, make: Make, emulator: Emulator, vendor: str, **how: Any) -> EmulatedJob:
    """Run a task that submits; the job that it has then."""
    outcome = api.run(make, **how)
    assert outcome.state == "success", outcome.error
    [job] = [job for job in emulator.jobs(vendor) if job.id == api.store[STORED]["job_id"]]
    return job


def assert_nothing_is_found(api: ExecutionApi, make: Make, **how: Any) -> None:
    """A try that finds no job of its own, and so leaves the decision to a later one."""
    assert api.run(make, **how).kind == ("up_for_retry", "SubmitUncertainError")


def test_what_a_clear_has_superseded(connections: Emulator, api: ExecutionApi, vendor: str, submit: Make) -> None:
    """Cancelled at the one vendor, and still running at the other, which cannot cancel."""
    old = submitted(api, submit, connections, vendor)
    api.clear()
    die_at_submit(api, submit, try_number=2)
    assert_nothing_is_found(api, submit, try_number=3)
    assert count(connections, "submit") == 1
    new = submitted(api, partial(submit, on_uncertain_submit="resubmit"), connections, vendor, try_number=4)
    assert new is not old
    assert count(connections, "submit") == 2


def test_what_two_clears_have_superseded(connections: Emulator, api: ExecutionApi, vendor: str, submit: Make) -> None:
    before = []
    for try_number in (1, 2):
        before.append(submitted(api, submit, connections, vendor, try_number=try_number))
        api.clear()
    die_at_submit(api, submit, try_number=3)
    new = submitted(api, partial(submit, on_uncertain_submit="resubmit"), connections, vendor, try_number=4)
    assert new not in before
    assert count(connections, "submit") == 3


def test_after_a_clear_the_job_whose_answer_was_lost_is_found_beside_the_old_one(
    connections: Emulator, api: ExecutionApi, vendor: str, submit: Make
) -> None:
    old = submitted(api, submit, connections, vendor)
    api.clear()
    connections.add_fault(Fault("reset", operation="submit", processed=True))
    new = submitted(api, submit, connections, vendor, try_number=2)
    assert new is not old
    assert connections.jobs(vendor) == [old, new]


def test_what_a_vendor_has_turned_away_does_not_make_the_old_one_forgotten(
    connections: Emulator, api: ExecutionApi, vendor: str, submit: Make
) -> None:
    old = submitted(api, submit, connections, vendor)
    api.clear()
    connections.add_fault(Fault("status", operation="submit", status=403))
    assert api.run(submit, try_number=2).state == "failed"
    die_at_submit(api, submit, try_number=3)
    assert_nothing_is_found(api, submit, try_number=4)
    assert api.store[STORED]["known_job_ids"] == [old.id]


def test_a_job_of_an_earlier_try_that_failed(
    connections: Emulator, api: ExecutionApi, vendor: str, submit: Make
) -> None:
    submitted(api, submit, connections, vendor).fail()
    die_at_submit(api, submit, try_number=2)
    assert_nothing_is_found(api, submit, try_number=3)
    assert count(connections, "submit") == 1


def test_a_job_whose_time_was_up(connections: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str) -> None:
    """The vendor that cannot cancel keeps it, and so does the task."""
    make = partial(
        BatchJobOperator,
        task_id="task",
        deferrable=True,
        execution_timeout=timedelta(hours=1),
        **work(vendor, tmp_path),
    )
    outcome = api.run_to_end(make, before_trigger=Deferral.run_out)
    assert outcome.kind == ("up_for_retry", "AirflowTaskTimeout")
    [old] = connections.jobs(vendor)
    if vendor == "batchcom":
        assert api.run(make, try_number=2).state == "deferred"
        assert api.store[STORED]["job_id"] == old.id
        return
    assert old.cancelled
    die_at_submit(api, make, try_number=2)
    assert_nothing_is_found(api, make, try_number=3)
    assert count(connections, "submit") == 1


def test_ids_of_another_connection_say_nothing(
    connections: Emulator, api: ExecutionApi, vendor: str, submit: Make
) -> None:
    """The same id may be another job there."""
    old = submitted(api, submit, connections, vendor)
    api.store[STORED] |= {"conn_id": "the_one_before", "account": "another"}
    api.clear()
    die_at_submit(api, submit, try_number=2)
    assert api.store[STORED]["known_job_ids"] == []
    assert submitted(api, submit, connections, vendor, try_number=3) is old
