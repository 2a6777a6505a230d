"""One submission for each generation of a task instance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._airflow.fail_fast import BatchTaskFailedError
from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import SubmitUncertainError
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import BOTH, STORED, VENDORS, count, submitter, work
from tests.support.killed_workers import crash_after_submit

pytestmark = needs_task_state_store
Make = Callable[..., Any]


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Make:
    return submitter(request, deferrable=False)


@pytest.fixture(autouse=True)
def _small_exports(connections: Emulator) -> None:
    connections.set_result("batchcom", ResultSpec(bytes=2_000))


@BOTH
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_retry_goes_on_with_the_same_job(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str, make: Make
) -> None:
    first = api.run(lambda: make(**work(vendor, tmp_path)))
    job_id = api.store[STORED]["job_id"]
    second = api.run(lambda: make(**work(vendor, tmp_path)), try_number=2)
    assert first.state == second.state == "success"
    assert first.value == second.value
    assert api.store[STORED]["job_id"] == job_id
    assert count(connections, "submit") == 1


def test_a_deferred_task_that_is_retried_waits_for_the_same_job(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls
) -> None:
    run = lambda: BatchJobOperator(task_id="task", deferrable=True, **work("apartmentiq", tmp_path))  # noqa: E731
    assert api.run(run).state == "deferred"
    api.resume_failing("Trigger timeout")
    assert api.run(run).kind == ("up_for_retry", "TaskDeferralTimeout")
    assert api.run_to_end(run, try_number=2).state == "success"
    assert count(connections, "submit") == 1


@BOTH
def test_a_clear_submits_anew(connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make) -> None:
    api.run(lambda: make(**work("proofy", tmp_path)))
    first = api.store[STORED]["job_id"]
    api.clear()
    assert api.run(lambda: make(**work("proofy", tmp_path)), try_number=2).state == "success"
    assert api.store[STORED]["job_id"] != first
    assert count(connections, "submit") == 2


@pytest.mark.parametrize("vendor", ["revenuebase", "batchcom", "apartmentiq"])
def test_a_job_whose_id_was_not_stored_is_found_again(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    polls: Polls,
    vendor: str,
    make: Make,
) -> None:
    connections.world.run_seconds = 60  # Revenuebase lists active jobs only
    crash_after_submit(monkeypatch)
    assert api.run(lambda: make(**work(vendor, tmp_path))).kind == ("up_for_retry", "MemoryError")
    assert api.store[STORED]["job_id"] is None
    [job] = connections.jobs(vendor)
    if vendor == "revenuebase":
        job.hold("PROCESSING")
        polls.before_next(job.finish)
    else:
        job.finish()
    assert api.run(lambda: make(**work(vendor, tmp_path)), try_number=2).state == "success"
    assert api.store[STORED]["job_id"] == job.id
    assert count(connections, "submit") == 1


def test_where_the_vendor_lists_nothing_it_is_not_submitted_again(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    crash_after_submit(monkeypatch)
    api.run(lambda: make(**work("proofy", tmp_path)))
    outcome = api.run(lambda: make(**work("proofy", tmp_path)), try_number=2)
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert outcome.error is not None
    assert isinstance(outcome.cause, SubmitUncertainError)
    assert "dashboard" in str(outcome.error)
    assert count(connections, "submit") == 1
    # The user has looked, and clears the task: that is the decision to submit.
    api.clear()
    assert api.run(lambda: make(**work("proofy", tmp_path)), try_number=3).state == "success"


def test_a_lost_answer_is_looked_up_in_the_same_try(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make
) -> None:
    connections.add_fault(Fault("reset", operation="submit", processed=True))
    assert api.run(lambda: make(**work("apartmentiq", tmp_path))).state == "success"
    assert len(connections.jobs("apartmentiq")) == 1


@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])
def test_results_that_could_not_be_landed_are_landed_by_a_retry(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, deferrable: bool
) -> None:
    run = lambda: BatchJobOperator(  # noqa: E731
        task_id="task", deferrable=deferrable, destination=f"{tmp_path}/out/", **work("apartmentiq", tmp_path)
    )
    connections.add_fault(Fault("status", operation="download", status=503, times=5))
    assert api.run_to_end(run).kind == ("up_for_retry", "VendorUnavailableError")
    left = [api.pushed("task", key) for key in ("job_id", "_link_BatchJobLink")]
    outcome = api.run_to_end(run, try_number=2)
    assert outcome.state == "success", outcome.error
    assert outcome.value["job_id"] == left[0] == connections.jobs("apartmentiq")[0].id
    assert [api.pushed("task", key) for key in ("job_id", "_link_BatchJobLink")] == left
    assert len(list((tmp_path / "out").iterdir())) == 1
    assert count(connections, "submit") == 1


def test_a_job_that_failed_is_submitted_anew_by_a_retry(
    connections: Emulator, api: ExecutionApi, tmp_path: Path
) -> None:
    run = lambda: BatchJobOperator(task_id="task", deferrable=False, **work("apartmentiq", tmp_path))  # noqa: E731
    assert api.run(lambda: SubmitBatchJobOperator(task_id="task", **work("apartmentiq", tmp_path))).state == "success"
    connections.jobs("apartmentiq")[0].fail("no such property")
    assert api.run(run, try_number=2).state == "success"
    assert [job.vendor_state for job in connections.jobs("apartmentiq")] == ["failed", "succeeded"]


@pytest.mark.parametrize(("vendor", "times"), [*zip(VENDORS, [1, 4, 1, 4], strict=True)])
def test_a_job_that_is_not_found_for_a_while_is_no_reason_to_submit(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, make: Make, vendor: str, times: int
) -> None:
    api.run(lambda: make(**work(vendor, tmp_path)))
    connections.add_fault(Fault("status", operation="status", status=404, times=times))
    assert api.run(lambda: make(**work(vendor, tmp_path)), try_number=2).state == "success"
    assert count(connections, "submit") == 1
    assert [10, 20, 40, 60][:times] == [wait for wait in map(round, polls.first_waits) if wait]


def test_a_job_that_is_gone_is_submitted_anew_by_a_retry(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, make: Make
) -> None:
    api.run(lambda: make(**work("proofy", tmp_path)))
    connections.add_fault(Fault("status", operation="status", status=404, times=5))
    assert api.run(lambda: make(**work("proofy", tmp_path)), try_number=2).state == "success"
    assert count(connections, "submit") == 2


def test_a_job_that_the_vendor_lists_is_not_gone(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, make: Make
) -> None:
    api.run(lambda: make(**work("apartmentiq", tmp_path)))
    connections.add_fault(Fault("status", operation="status", status=404, times=5))
    outcome = api.run(lambda: make(**work("apartmentiq", tmp_path)), try_number=2)
    assert outcome.kind == ("up_for_retry", "UnexpectedResponseError")
    assert api.run(lambda: make(**work("apartmentiq", tmp_path)), try_number=3).state == "success"
    assert count(connections, "submit") == 1


def test_what_a_newer_version_stored_is_understood(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make
) -> None:
    api.run(lambda: make(**work("proofy", tmp_path)))
    api.store[STORED]["of_the_future"] = True
    assert api.run(lambda: make(**work("proofy", tmp_path)), try_number=2).state == "success"
    assert count(connections, "submit") == 1
