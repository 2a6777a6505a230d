from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from pydantic import TypeAdapter

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.sensors.job import FAILURES_KEY, BatchJobSensor
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import VENDORS, count


def sensor(**arguments: Any) -> BatchJobSensor:
    return BatchJobSensor(**{"task_id": "wait", "conn_id": "revenuebase_default", **arguments})


HOW: list[dict[str, Any]] = [{"deferrable": False}, {"deferrable": False, "mode": "reschedule"}, {"deferrable": True}]


@pytest.mark.parametrize(
    ("vendor", "how"),
    [*((vendor, HOW[0]) for vendor in VENDORS), ("batchcom", HOW[1]), ("apartmentiq", HOW[2])],
    ids=str,
)
def test_it_waits_for_success(connections: Emulator, api: ExecutionApi, vendor: str, how: dict[str, Any]) -> None:
    job = connections.add_job(vendor, state="queued")
    outcome = api.run_to_end(lambda: sensor(conn_id=f"{vendor}_default", job_id=job.id, **how))
    assert outcome.state == "success", outcome.error
    assert (outcome.value["id"], outcome.value["state"]) == (job.id, "succeeded")
    assert api.pushed("wait", "_link_BatchJobLink").startswith("https://")


def test_a_job_that_has_ended_does_not_defer(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("revenuebase")
    assert api.run(lambda: sensor(job_id=job.id, deferrable=True)).state == "success"
    assert count(connections, "status") == 1


def test_a_deferred_sensor_cancels_nothing(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("revenuebase", state="running")
    api.run(lambda: sensor(job_id=job.id, deferrable=True, timeout=60))
    assert api.deferral is not None
    assert api.deferral.kwargs["cancel_on_kill"] is False
    patience = TypeAdapter(timedelta).validate_python(api.deferral.timeout)
    assert 60 < patience.total_seconds() <= 120, "its own minute, and one more for a trigger that hangs"


def test_a_trigger_that_hangs_is_a_time_out(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("revenuebase", state="running")
    api.run(lambda: sensor(job_id=job.id, deferrable=True))
    api.resume_failing("Trigger timeout")
    assert api.run(lambda: sensor(job_id=job.id, deferrable=True)).kind == ("failed", "AirflowSensorTimeout")


def test_a_word_that_nobody_knows_is_waited_out(connections: Emulator, api: ExecutionApi, polls: Polls) -> None:
    job = connections.add_job("revenuebase", state="DEFRAGMENTING")
    polls.before_next(lambda: None, job.finish)
    assert api.run(lambda: sensor(job_id=job.id, deferrable=False)).state == "success"


def test_the_pace_is_the_connections(connections: Emulator, api: ExecutionApi, polls: Polls) -> None:
    job = connections.add_job("revenuebase", state="running")
    polls.before_next(job.finish)
    api.run(lambda: sensor(job_id=job.id, deferrable=False))
    assert polls.first_waits
    assert all(0.08 < wait < 0.12 for wait in polls.first_waits)


@pytest.mark.parametrize(
    "how",
    [{"poll_interval": 7}, {"poke_interval": 7}, {"poll_interval": timedelta(seconds=7)}, {"default_args": 7}],
    ids=str,
)
@pytest.mark.parametrize("deferrable", [False, True])
def test_the_pace_can_be_the_tasks(
    connections: Emulator, api: ExecutionApi, polls: Polls, how: dict[str, Any], deferrable: bool
) -> None:
    job = connections.add_job("revenuebase", state="running")
    polls.before_next(lambda: None, job.finish)

    def make() -> BatchJobSensor:
        if "default_args" not in how:
            return sensor(job_id=job.id, deferrable=deferrable, **how)
        with DAG("other", schedule=None, default_args={"poke_interval": how["default_args"]}):
            return sensor(job_id=job.id, deferrable=deferrable)

    api.run_to_end(make)
    assert all(6.2 < wait < 7.8 for wait in polls.first_waits)


def test_a_vendor_that_asks_for_time_gets_it(connections: Emulator, api: ExecutionApi, polls: Polls) -> None:
    """Polling again sooner would only be refused, on this side, and use up the failures allowed."""
    job = connections.add_job("revenuebase")
    connections.add_fault(Fault("status", operation="status", status=429, retry_after=300))
    api.run(lambda: sensor(job_id=job.id, deferrable=False, timeout=0))
    assert polls.first_waits[0] >= 299


def test_rescheduled_it_sleeps_the_vendors_time_without_a_worker(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("revenuebase", state="running")
    connections.add_fault(Fault("status", operation="status", status=429, retry_after=3600))
    before = datetime.now(UTC)
    assert api.run(lambda: sensor(job_id=job.id, mode="reschedule")).state == "up_for_reschedule"
    bodies = [json.loads(body) for body in api.sent]
    [asked] = [body for body in bodies if isinstance(body, dict) and body.get("state") == "up_for_reschedule"]
    assert timedelta(minutes=59) < datetime.fromisoformat(asked["reschedule_date"]) - before < timedelta(minutes=61)


def test_but_not_more_than_there_is(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("revenuebase")
    connections.add_fault(Fault("status", operation="status", status=429, retry_after=86_400))
    outcome = api.run(lambda: sensor(job_id=job.id, deferrable=False, timeout=0.2))
    assert outcome.kind == ("failed", "AirflowSensorTimeout")


def test_it_goes_on_after_a_reschedule(connections: Emulator, api: ExecutionApi, polls: Polls) -> None:
    job = connections.add_job("revenuebase", state="running")
    assert api.run(lambda: sensor(job_id=job.id, mode="reschedule")).state == "up_for_reschedule"
    job.finish()
    assert api.run_to_end(lambda: sensor(job_id=job.id, mode="reschedule")).state == "success"


@pytest.mark.parametrize("mode", ["poke", pytest.param("reschedule", marks=needs_task_state_store)])
def test_five_failures_in_a_row_are_too_many_in_either_mode(
    connections: Emulator, api: ExecutionApi, polls: Polls, mode: str
) -> None:
    job = connections.add_job("revenuebase", state="running")
    connections.add_fault(Fault("status", operation="status", status=503, times=1000))
    make = lambda: sensor(job_id=job.id, mode=mode)  # noqa: E731
    assert api.run_to_end(make).kind == ("up_for_retry", "VendorUnavailableError")
    assert count(connections, "status") == 25
    # A retry begins with new patience.
    connections.clear_faults()
    connections.add_fault(Fault("status", operation="status", status=503, times=5))
    polls.before_next(job.finish)
    assert api.run_to_end(make, try_number=2).state == "success"


def test_the_vendors_words_are_kept_short_and_clean(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("revenuebase")
    job.message = "see https://files.example/x?signature=0123456789abcdef " + "very " * 10_000 + "long"
    message = api.run(lambda: sensor(job_id=job.id)).value["message"]
    assert "0123456789abcdef" not in message
    assert len(message) <= 2_000


@needs_task_state_store
@pytest.mark.parametrize(
    "stored", ["", 7, [], "x", {"failures": "x", "try": 1}, {"failures": None, "try": 1}, {"failures": -9, "try": 1}]
)  # fmt: skip
def test_a_count_of_failed_polls_that_is_none(connections: Emulator, api: ExecutionApi, stored: Any) -> None:
    job = connections.add_job("revenuebase", state="succeeded")
    api.store[("wait", -1, FAILURES_KEY)] = stored
    assert api.run(lambda: sensor(job_id=job.id, mode="reschedule")).state == "success"


@needs_task_state_store
def test_a_store_that_does_not_answer_costs_no_poll(
    connections: Emulator, api: ExecutionApi, polls: Polls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sensor needs it only to count polls that fail."""
    job = connections.add_job("revenuebase", state="running")
    real = api.answer

    def answer(request: Any) -> Any:
        if "/store/" in request.url.path:
            raise ConnectionError("Airflow's state store is down")
        return real(request)

    monkeypatch.setattr(api, "answer", answer)
    connections.add_fault(Fault("status", operation="status", status=404, times=1))
    assert api.run(lambda: sensor(job_id=job.id, mode="reschedule")).state == "up_for_reschedule"
    job.finish()
    assert api.run_to_end(lambda: sensor(job_id=job.id, mode="reschedule")).state == "success"
