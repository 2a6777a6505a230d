"""A task ends alike, whether it waits on the worker or in the triggerer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, Fault
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Looks
from tests.support.airflow_jobs import work

FAILED_FOR_GOOD = ("failed", "BatchTaskFailedError")
SKIPPED = ("skipped", None)


def finish(job: EmulatedJob, _: Emulator) -> None:
    job.finish()


def fail(job: EmulatedJob, _: Emulator) -> None:
    job.fail("the file is unreadable")


def cancel(job: EmulatedJob, _: Emulator) -> None:
    job.cancel()


def answer(status: int, body: str | None = None, times: int = 1000) -> Callable[[EmulatedJob, Emulator], None]:
    def order(_: EmulatedJob, emulator: Emulator) -> None:
        emulator.add_fault(
            Fault("status", operation="status", status=status, body=body, content_type="application/json", times=times)
        )

    return order


def down_for(looks: int) -> Callable[[EmulatedJob, Emulator], None]:
    """Each look asks five times before it fails."""

    def order(job: EmulatedJob, emulator: Emulator) -> None:
        answer(503, times=5 * looks)(job, emulator)
        job.finish()

    return order


@dataclass(frozen=True)
class Case:
    """What happens to a job after the first look, and how its task ends then."""

    happens: Callable[[EmulatedJob, Emulator], None]
    ends: tuple[str, str | None]
    says: str = ""
    soft_fail: tuple[str, str | None] = SKIPPED
    never_fail: tuple[str, str | None] = SKIPPED
    more: dict[str, Any] = field(default_factory=dict)
    operator: tuple[str, str | None] | None = None


SUCCESS = ("success", None)
CASES = {
    "success": Case(finish, SUCCESS, soft_fail=SUCCESS, never_fail=SUCCESS),
    # The one thing of these that a retry mends, and only for the task that submits anew.
    "failed": Case(fail, FAILED_FOR_GOOD, "the file is unreadable", operator=("up_for_retry", "JobFailedError")),
    "cancelled": Case(cancel, FAILED_FOR_GOOD, "was cancelled"),
    "partial": Case(cancel, SUCCESS, soft_fail=SUCCESS, never_fail=SUCCESS, more={"accept_partial": True}),
    "unknown": Case(answer(400, '{"detail": "Invalid process_id"}'), FAILED_FOR_GOOD, "Invalid process_id"),
    "unauthorised": Case(answer(401), FAILED_FOR_GOOD, "HTTP 401"),
    "down for four looks": Case(down_for(4), SUCCESS, soft_fail=SUCCESS, never_fail=SUCCESS),
    "down for five looks": Case(
        down_for(5),
        ("up_for_retry", "VendorUnavailableError"),
        "HTTP 503",
        soft_fail=("up_for_retry", "VendorUnavailableError"),
    ),
}
CASE = pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])


@MODES
@CASE
@pytest.mark.parametrize("leniency", ["", "soft_fail", "never_fail"])
def test_the_sensor(
    connections: Emulator, api: ExecutionApi, looks: Looks, case: Case, deferrable: bool, leniency: str
) -> None:
    job = connections.add_job("revenuebase", state="running")
    looks.before_next(lambda: case.happens(job, connections))
    more = {**case.more, **({leniency: True} if leniency else {})}
    outcome = api.run_to_end(
        lambda: BatchJobSensor(
            task_id="wait", conn_id="revenuebase_default", job_id=job.id, deferrable=deferrable, **more
        )
    )
    assert outcome.kind == (getattr(case, leniency) if leniency else case.ends)
    assert (api.deferral is not None) is deferrable
    if outcome.error is not None:
        assert case.says in str(outcome.error)
        assert job.id in str(outcome.error)
    if outcome.state == "success":
        assert outcome.value == {
            "id": job.id,
            "state": "cancelled" if case.happens is cancel else "succeeded",
            "vendor_state": "CANCELLED" if case.happens is cancel else "COMPLETED",
            "message": outcome.value["message"],
            "progress": None,
            "files": [],
            "name": outcome.value["name"],
        }


@MODES
@CASE
def test_the_operator(
    connections: Emulator, api: ExecutionApi, looks: Looks, tmp_path: Path, case: Case, deferrable: bool
) -> None:
    connections.world.queue_seconds = 0.0
    connections.world.run_seconds = 3600
    looks.before_next(lambda: case.happens(connections.jobs("revenuebase")[0], connections))
    arguments = {**work("revenuebase", tmp_path), **case.more}
    outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", deferrable=deferrable, **arguments))
    assert outcome.kind == (case.operator or case.ends)
    assert (api.deferral is not None) is deferrable
    if outcome.error is not None:
        assert case.says in str(outcome.error)
    if outcome.state == "success":
        assert outcome.value[0]["email"] == "ada@example.com"


@MODES
@pytest.mark.parametrize(
    ("leniency", "ends"), [("", ("failed", "AirflowSensorTimeout")), ("soft_fail", SKIPPED), ("never_fail", SKIPPED)]
)
def test_a_sensors_timeout(
    connections: Emulator,
    api: ExecutionApi,
    looks: Looks,
    deferrable: bool,
    leniency: str,
    ends: tuple[str, str | None],
) -> None:
    if leniency == "never_fail" and not deferrable:
        # Airflow's poke loop raises its time-out past never_fail; so it is Airflow's own two modes that differ.
        ends = ("failed", "AirflowSensorTimeout")
    job = connections.add_job("revenuebase", state="running")
    outcome = api.run_to_end(
        lambda: BatchJobSensor(
            task_id="wait",
            conn_id="revenuebase_default",
            job_id=job.id,
            deferrable=deferrable,
            timeout=0.3,
            **({leniency: True} if leniency else {}),
        )
    )
    assert outcome.kind == ends
    assert not job.cancelled
