"""A user's clear: a new job, and an end to the one that it supersedes."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._tasks import job_record
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.operators.run import BatchJobOperator
from tests.support.airflow_api import ExecutionApi, in_runtime
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import BOTH, VENDORS, count, submitter, work

pytestmark = needs_task_state_store
Make = Callable[..., Any]
WITH_CANCEL = [vendor for vendor in VENDORS if vendor != "batchcom"]


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Make:
    return submitter(request, deferrable=True)


@pytest.fixture(autouse=True)
def _jobs_run_on(connections: Emulator, polls: Polls) -> None:
    connections.world.queue_seconds = 0.0
    connections.world.run_seconds = 3600


def stored(api: ExecutionApi, map_index: int = -1) -> Any:
    return api.store[("task", map_index, job_record.STATE_KEY)]


def ran(api: ExecutionApi, make: Callable[[], Any], **how: Any) -> None:
    """Run a task until it has its job."""
    outcome = api.run(make, **how)
    assert outcome.state in ("success", "deferred"), outcome.error


@BOTH
@pytest.mark.parametrize("vendor", WITH_CANCEL)
def test_the_superseded_job_is_cancelled(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str
) -> None:
    ran(api, lambda: make(**work(vendor, tmp_path)))
    [old] = connections.jobs(vendor)
    api.clear()
    ran(api, lambda: make(**work(vendor, tmp_path)), try_number=2)
    [new] = [job for job in connections.jobs(vendor) if job is not old]
    assert new.id == stored(api)["job_id"]
    assert (old.cancelled, new.cancelled) == (True, False)
    assert (count(connections, "submit"), count(connections, "cancel")) == (2, 1)
    # A retry stays in the new generation.
    ran(api, lambda: make(**work(vendor, tmp_path)), try_number=3)
    assert (count(connections, "submit"), count(connections, "cancel")) == (2, 1)
    # And a second clear supersedes the second job only.
    api.clear()
    ran(api, lambda: make(**work(vendor, tmp_path)), try_number=4)
    assert new.cancelled
    assert (count(connections, "submit"), count(connections, "cancel")) == (3, 2)


def test_a_vendor_that_cannot_cancel_does_not_keep_the_new_job_back(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    ran(api, lambda: make(**work("batchcom", tmp_path)))
    [old] = connections.jobs("batchcom")
    api.clear()
    ran(api, lambda: make(**work("batchcom", tmp_path)), try_number=2)
    assert count(connections, "submit") == 2
    assert f"Could not cancel job {old.id} from before the clear; it is still running" in caplog.text


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", operation="status", status=404),
        Fault("status", operation="status", status=500, times=5),
        Fault("status", operation="status", status=429, retry_after=3600),
        Fault("status", operation="cancel", status=403, times=100),
        Fault("status", operation="cancel", status=503, times=100),
        Fault("reset", operation="cancel", times=100),
    ],
    ids=lambda fault: f"{fault.operation}-{fault.kind}-{fault.status}",
)
def test_nor_does_a_job_that_is_gone_or_a_cancel_that_fails(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, fault: Fault
) -> None:
    ran(api, lambda: make(**work("revenuebase", tmp_path)))
    api.clear()
    connections.add_fault(fault)
    if fault.status == 429:
        # The whole account is to wait: the submit is as well, and the next try comes back to the old job.
        assert api.run(lambda: make(**work("revenuebase", tmp_path)), try_number=2).state == "up_for_retry"
        from tests.support.fixtures import forget_process_state

        forget_process_state()
    ran(api, lambda: make(**work("revenuebase", tmp_path)), try_number=3)
    assert len(connections.jobs("revenuebase")) == 2


def test_a_job_that_is_gone_is_said_to_be_gone(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    ran(api, lambda: make(**work("revenuebase", tmp_path)))
    api.clear()
    connections.add_fault(Fault("status", operation="status", status=404, times=5))
    connections.jobs("revenuebase")[0].finish()  # or the vendor lists it
    ran(api, lambda: make(**work("revenuebase", tmp_path)), try_number=2)
    assert "from before the clear no longer exists at the vendor" in caplog.text
    assert "goes on" not in caplog.text


@pytest.mark.parametrize("ends", ["finish", "fail", "cancel"])
def test_a_job_that_has_ended_is_left(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, ends: str
) -> None:
    ran(api, lambda: make(**work("apartmentiq", tmp_path)))
    getattr(connections.jobs("apartmentiq")[0], ends)()
    api.clear()
    ran(api, lambda: make(**work("apartmentiq", tmp_path)), try_number=2)
    assert (count(connections, "submit"), count(connections, "cancel")) == (2, 0)


def test_a_clear_means_a_new_job_even_where_only_the_landing_failed(
    connections: Emulator, api: ExecutionApi, tmp_path: Path
) -> None:
    connections.world.run_seconds = 0.05
    arguments = {**work("proofy", tmp_path), "deferrable": False}
    assert api.run(lambda: BatchJobOperator(task_id="task", max_xcom_bytes=10, **arguments)).state == "failed"
    api.clear()
    assert api.run(lambda: BatchJobOperator(task_id="task", **arguments), try_number=2).state == "success"
    assert count(connections, "submit") == 2


@BOTH
def test_not_where_that_is_not_wanted(connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make) -> None:
    arguments = {**work("proofy", tmp_path), "cancel_on_kill": False}
    ran(api, lambda: make(**arguments))
    api.clear()
    ran(api, lambda: make(**arguments), try_number=2)
    assert (count(connections, "submit"), count(connections, "cancel"), count(connections, "status")) == (2, 0, 0)


@BOTH
def test_durable_switched_off_later_leaves_the_job(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make
) -> None:
    ran(api, lambda: make(**work("proofy", tmp_path)))
    api.clear()
    ran(api, lambda: make(**work("proofy", tmp_path), durable=False), try_number=2)
    assert count(connections, "cancel") == 0


def test_not_through_another_connection(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER_ACCOUNT", os.environ["AIRFLOW_CONN_PROOFY_DEFAULT"])
    ran(api, lambda: make(**work("proofy", tmp_path)))
    api.clear()
    ran(api, lambda: make(**{**work("proofy", tmp_path), "conn_id": "other_account"}), try_number=2)
    assert (count(connections, "submit"), count(connections, "cancel")) == (2, 0)


def test_one_instance_of_a_mapped_task(connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make) -> None:
    for index in (0, 1):
        ran(api, lambda: make(**work("proofy", tmp_path)), map_index=index)
    jobs = {job.id: job for job in connections.jobs("proofy")}
    first, second = (jobs[stored(api, index)["job_id"]] for index in (0, 1))
    api.clear()
    ran(api, lambda: make(**work("proofy", tmp_path)), try_number=2, map_index=0)
    assert (first.cancelled, second.cancelled) == (True, False)


def test_a_deferred_task_that_is_cleared_cancels_once(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    """The trigger's ``on_kill`` comes first, as a rule."""
    make = partial(BatchJobOperator, task_id="task", deferrable=True)
    ran(api, lambda: make(**work("apartmentiq", tmp_path)))
    assert api.deferral is not None
    trigger = api.deferral.trigger()
    trigger.task_instance = in_runtime()  # type: ignore[assignment]
    api.clear()
    api.states[("task", -1)] = "running"
    with api.comms():
        asyncio.run(trigger.on_kill())
    ran(api, lambda: make(**work("apartmentiq", tmp_path)), try_number=2)
    assert (count(connections, "submit"), count(connections, "cancel")) == (2, 1)


def test_a_next_try_that_defers_before_the_trigger_was_told_cancels_the_old_job(
    connections: Emulator, api: ExecutionApi, tmp_path: Path
) -> None:
    """To the old trigger it then looks as if another triggerer had taken over, so it leaves its job."""
    make = partial(BatchJobOperator, task_id="task", deferrable=True)
    ran(api, lambda: make(**work("revenuebase", tmp_path)))
    assert api.deferral is not None
    trigger = api.deferral.trigger()
    trigger.task_instance = in_runtime()  # type: ignore[assignment]
    api.clear()
    ran(api, lambda: make(**work("revenuebase", tmp_path)), try_number=2)
    with api.comms():
        asyncio.run(trigger.on_kill())
    [old, new] = connections.jobs("revenuebase")
    assert (old.cancelled, new.cancelled) == (True, False)
    assert count(connections, "cancel") == 1


def test_a_crash_between_cancel_and_submit_is_gone_over_again(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(api, lambda: make(**work("proofy", tmp_path)))
    api.clear()
    with monkeypatch.context() as patch:

        def crash(*_: object, **__: object) -> None:
            raise MemoryError("killed")

        patch.setattr(job_record.RecordStore, "save", crash)
        assert api.run(lambda: make(**work("proofy", tmp_path)), try_number=2).kind == ("up_for_retry", "MemoryError")
    ran(api, lambda: make(**work("proofy", tmp_path)), try_number=3)
    assert (count(connections, "submit"), count(connections, "cancel")) == (2, 1)


def test_what_an_older_version_stored_is_understood(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make
) -> None:
    ran(api, lambda: make(**work("proofy", tmp_path)))
    del stored(api)["conn_id"]
    api.clear()
    ran(api, lambda: make(**work("proofy", tmp_path)), try_number=2)
    assert connections.jobs("proofy")[0].cancelled


def test_a_submit_of_unknown_outcome_is_told_of(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    ran(api, lambda: make(**work("proofy", tmp_path)))
    stored(api)["job_id"] = None
    api.clear()
    ran(api, lambda: make(**work("proofy", tmp_path)), try_number=2)
    assert json.dumps(stored(api)["job_id"]) != "null"
    assert "before the clear, got no response. If the vendor accepted it, its job is still running" in caplog.text
