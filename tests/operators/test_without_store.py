"""What holds where nothing outlives a try: on Airflow before 3.3 without a destination, and with ``durable=False``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._tasks import sidecar
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from tests.support.airflow_api import ExecutionApi, without_store
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import count, work

Make = Callable[..., Any]


@pytest.fixture(params=[SubmitBatchJobOperator, BatchJobOperator])
def operator(request: pytest.FixtureRequest) -> Any:
    """Either operator that submits."""
    return request.param


@pytest.fixture(params=[{"pre_execute": without_store}, {"durable": False}], ids=["older Airflow", "off"])
def how(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The argument that takes the store away."""
    argument: dict[str, Any] = request.param
    return argument


@pytest.fixture
def make(operator: Any, how: dict[str, Any]) -> Make:
    """Either operator without a store; the one that waits does so on the worker."""
    more = {"deferrable": False} if operator is BatchJobOperator else {}
    return partial(operator, task_id="task", **more, **how)


def test_a_retry_submits_again_and_the_old_job_goes_on(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make
) -> None:
    for try_number in (1, 2):
        assert api.run(lambda: make(**work("proofy", tmp_path)), try_number=try_number).state == "success"
    assert not api.store
    assert (count(connections, "submit"), count(connections, "cancel")) == (2, 0)


def test_so_does_a_clear(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, operator: Any, how: dict[str, Any]
) -> None:
    connections.world.run_seconds = 3600
    more, ends = ({"deferrable": True}, "deferred") if operator is BatchJobOperator else ({}, "success")
    make = partial(operator, task_id="task", **more, **how)
    assert api.run(lambda: make(**work("proofy", tmp_path))).state == ends
    api.clear()
    assert api.run(lambda: make(**work("proofy", tmp_path)), try_number=2).state == ends
    # Nor is the old job polled.
    assert (count(connections, "submit"), count(connections, "cancel"), count(connections, "status")) == (2, 0, 0)


@pytest.mark.parametrize("vendor", ["batchcom", "apartmentiq"])
def test_a_lost_answer_is_no_second_job_while_the_worker_lives(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, make: Make, vendor: str
) -> None:
    connections.add_fault(Fault("reset", operation="submit", processed=True))
    assert api.run(lambda: make(**work(vendor, tmp_path), **into(make, tmp_path))).state == "success"
    assert count(connections, "submit") == 1


def into(make: Any, folder: Path) -> dict[str, Any]:
    """Where the operator that downloads puts what does not fit into XCom."""
    return {"destination": f"{folder}/landed/"} if make.func is BatchJobOperator else {}


def test_a_deferral_that_failed_is_followed_by_a_new_job(
    connections: Emulator, api: ExecutionApi, tmp_path: Path
) -> None:
    run = partial(BatchJobOperator, task_id="task", deferrable=True, pre_execute=without_store)
    assert api.run(lambda: run(**work("proofy", tmp_path))).state == "deferred"
    api.resume_failing("Trigger failure")
    assert api.run(lambda: run(**work("proofy", tmp_path))).state == "up_for_retry"
    assert api.run_to_end(lambda: run(**work("proofy", tmp_path)), try_number=2).state == "success"
    assert count(connections, "submit") == 2


@pytest.mark.parametrize("cancels", [True, False])
def test_time_up_ends_the_job_and_a_retry_submits_again(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, cancels: bool
) -> None:
    connections.world.run_seconds = 3600
    run = partial(BatchJobOperator, task_id="task", deferrable=True, pre_execute=without_store, cancel_on_kill=cancels)
    api.run(lambda: run(**work("apartmentiq", tmp_path)))
    api.resume_with({"status": "timeout", "job_id": api.pushed("task", "job_id"), "job": None})
    assert api.run(lambda: run(**work("apartmentiq", tmp_path))).kind == ("up_for_retry", "AirflowTaskTimeout")
    assert connections.jobs("apartmentiq")[0].cancelled is cancels
    assert api.run(lambda: run(**work("apartmentiq", tmp_path)), try_number=2).state == "deferred"
    assert count(connections, "submit") == 2


WEAKER = "This Airflow is older than 3.3 and this task has no destination"


def test_what_is_weaker_is_said_once(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, operator: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sidecar.warn_not_durable.cache_clear()
    arguments = {**work("proofy", tmp_path), "task_id": "task"}
    api.run(lambda: operator(durable=False, **arguments))
    assert WEAKER not in caplog.text  # whoever switched it off knows
    for try_number in (1, 2):
        api.run(lambda: operator(pre_execute=without_store, **arguments), try_number=try_number)
    assert caplog.text.count(WEAKER) == 1


@needs_task_state_store
def test_nothing_is_weaker_where_there_is_a_store(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, operator: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sidecar.warn_not_durable.cache_clear()
    api.run(lambda: operator(task_id="task", **work("proofy", tmp_path)))
    assert WEAKER not in caplog.text
