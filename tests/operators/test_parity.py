"""A task ends alike, whether it waits on the worker or in the triggerer: state, error, XComs and asset events."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, Fault
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.airflow_api import Deferral, ExecutionApi, Outcome
from tests.support.airflow_fixtures import Looks
from tests.support.airflow_jobs import VENDORS, work
from tests.support.fixtures import forget_process_state
from tests.support.leaks import find_secrets

Kind = tuple[str, str | None]
Happens = Callable[[EmulatedJob, Emulator], None]

SUCCESS: Kind = ("success", None)
SKIPPED: Kind = ("skipped", None)
FAILED_FOR_GOOD: Kind = ("failed", "BatchTaskFailedError")
RETRIED: Kind = ("up_for_retry", "VendorUnavailableError")
LENIENCIES = ("", "soft_fail", "never_fail")
LONG = timedelta(hours=1)


def finish(job: EmulatedJob, _: Emulator) -> None:
    job.finish()


def fail(job: EmulatedJob, _: Emulator) -> None:
    job.fail("the file is unreadable")


def cancel(job: EmulatedJob, _: Emulator) -> None:
    job.cancel()


def go_on(_job: EmulatedJob, _: Emulator) -> None:
    """Nothing happens."""


def answer(status: int, body: str | None = None, times: int = 1000, **more: Any) -> Happens:
    def order(_: EmulatedJob, emulator: Emulator) -> None:
        emulator.add_fault(
            Fault(
                "status",
                operation="status",
                status=status,
                body=body,
                content_type="application/json",
                times=times,
                **more,
            )
        )

    return order


def down_for(looks: int, status: int = 503, **more: Any) -> Happens:
    """Each look asks five times before it fails."""

    def order(job: EmulatedJob, emulator: Emulator) -> None:
        answer(status, times=5 * looks, **more)(job, emulator)
        job.finish()

    return order


def without_result(status: int) -> Happens:
    """The job ends well, and its result cannot be had."""

    def order(job: EmulatedJob, emulator: Emulator) -> None:
        emulator.add_fault(Fault("status", operation="download", status=status, times=1000))
        job.finish()

    return order


@dataclass(frozen=True)
class Case:
    """What happens to a job after the first look, and how its task ends then."""

    happens: Happens
    ends: Kind
    says: str = ""
    soft_fail: Kind = SKIPPED
    never_fail: Kind = SKIPPED
    more: dict[str, Any] = field(default_factory=dict)
    operator: Kind | None = None
    operator_says: str | None = None


def well(happens: Happens, **more: Any) -> Case:
    """A case in which the sensor has nothing to forgive."""
    return Case(happens, SUCCESS, soft_fail=SUCCESS, never_fail=SUCCESS, **more)


CASES = {
    "success": well(finish),
    # The one thing of these that a retry mends, and only for the task that submits anew.
    "failed": Case(fail, FAILED_FOR_GOOD, "the file is unreadable", operator=("up_for_retry", "JobFailedError")),
    "cancelled": Case(cancel, FAILED_FOR_GOOD, "was cancelled"),
    "partial": well(cancel, more={"accept_partial": True}),
    "gone": Case(answer(400, '{"detail": "Invalid process_id"}'), FAILED_FOR_GOOD, "Invalid process_id"),
    "unauthorised": Case(answer(401), FAILED_FOR_GOOD, "HTTP 401"),
    "forbidden": Case(answer(403), FAILED_FOR_GOOD, "HTTP 403"),
    "down for four looks": well(down_for(4)),
    "down for five looks": Case(down_for(5), RETRIED, "HTTP 503", soft_fail=RETRIED),
    "nonsense for five looks": Case(
        answer(200, "<html>Sign in</html>"),
        ("up_for_retry", "UnexpectedResponseError"),
        "JSON",
        soft_fail=("up_for_retry", "UnexpectedResponseError"),
    ),
    # With a wait of none: what the vendor asks for is slept out by both, and nobody stands in for that time.
    "turned away for four looks": well(down_for(4, status=429, retry_after=0)),
    "turned away for ever": Case(
        answer(429, retry_after=0),
        ("up_for_retry", "RateLimitedError"),
        "HTTP 429",
        soft_fail=("up_for_retry", "RateLimitedError"),
    ),
    # To a sensor these are successes: it does not look at the results.
    "result gone": well(without_result(404), operator=FAILED_FOR_GOOD, operator_says="HTTP 404"),
    "result kept back": well(without_result(403), operator=FAILED_FOR_GOOD, operator_says="HTTP 403"),
    "download down": well(without_result(503), operator=RETRIED, operator_says="HTTP 503"),
}
CASE = pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])


@dataclass(frozen=True)
class Trace:
    """What a task leaves in Airflow, with the job's own names taken out."""

    kind: Kind
    error: str
    xcoms: dict[str, Any]
    events: list[Any]

    @classmethod
    def of(cls, api: ExecutionApi, outcome: Outcome, names: dict[str, str]) -> Trace:
        def plain(value: Any) -> Any:
            text = json.dumps(value, default=str)
            for name, stand_in in names.items():
                text = text.replace(name, stand_in)
            return json.loads(re.sub(r'"seconds": [0-9.]+', '"seconds": 0', text))

        sent = [json.loads(body) for body in api.sent]
        return cls(
            outcome.kind,
            plain(str(outcome.error or "")),
            plain({key: value for (_, _, key), value in sorted(api.xcoms.items())}),
            plain([body["outlet_events"] for body in sent if "outlet_events" in body]),
        )


def alike(run: Callable[[ExecutionApi, bool], Trace], emulator: Emulator) -> Trace:
    """Run a task both ways; what both have left, which must be the same."""
    traces = []
    for deferrable in (False, True):
        api = ExecutionApi()
        traces.append(run(api, deferrable))
        assert (api.deferral is not None) is deferrable
        assert not find_secrets("\n".join(api.sent))
        emulator.clear_faults()
        forget_process_state()
    assert traces[0] == traces[1]
    return traces[0]


@CASE
@pytest.mark.parametrize("leniency", LENIENCIES)
def test_the_sensor(connections: Emulator, looks: Looks, case: Case, leniency: str) -> None:
    def run(api: ExecutionApi, deferrable: bool) -> Trace:
        job = connections.add_job("revenuebase", state="running")
        looks.before_next(lambda: case.happens(job, connections))
        more = {**case.more, **({leniency: True} if leniency else {})}
        outcome = api.run_to_end(
            lambda: BatchJobSensor(
                task_id="wait", conn_id="revenuebase_default", job_id=job.id, deferrable=deferrable, **more
            )
        )
        if outcome.error is not None:
            assert case.says in str(outcome.error)
            assert job.id in str(outcome.error)
        return Trace.of(api, outcome, {job.id: "JOB"})

    trace = alike(run, connections)
    assert trace.kind == (getattr(case, leniency) if leniency else case.ends)
    if trace.kind == SUCCESS:
        state = ("cancelled", "CANCELLED") if case.happens is cancel else ("succeeded", "COMPLETED")
        returned = trace.xcoms["return_value"]
        assert (returned["id"], returned["state"], returned["vendor_state"]) == ("JOB", *state)
    else:
        assert "return_value" not in trace.xcoms


@CASE
def test_the_operator(connections: Emulator, looks: Looks, tmp_path: Path, case: Case) -> None:
    connections.world.queue_seconds = 0.0
    connections.world.run_seconds = 3600

    def run(api: ExecutionApi, deferrable: bool) -> Trace:
        looks.before_next(lambda: case.happens(connections.jobs("revenuebase")[-1], connections))
        arguments = {**work("revenuebase", tmp_path), **case.more}
        outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", deferrable=deferrable, **arguments))
        return Trace.of(api, outcome, {connections.jobs("revenuebase")[-1].id: "JOB"})

    trace = alike(run, connections)
    assert trace.kind == (case.operator or case.ends)
    assert (case.says if case.operator_says is None else case.operator_says) in trace.error
    assert trace.xcoms["job_id"] == "JOB"
    if trace.kind == SUCCESS:
        assert trace.xcoms["return_value"][0]["email"] == "ada@example.com"
    else:
        assert "return_value" not in trace.xcoms
        assert not trace.events


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_a_landing_tells_airflow(connections: Emulator, looks: Looks, tmp_path: Path, vendor: str) -> None:
    connections.world.run_seconds = 3600

    def run(api: ExecutionApi, deferrable: bool) -> Trace:
        looks.before_next(lambda: finish(connections.jobs(vendor)[-1], connections))
        mode = "deferred" if deferrable else "waiting"
        arguments = {
            **work(vendor, tmp_path),
            "destination": f"file://{tmp_path}/{mode}/result.data",
            "outlets": [Asset("lake", uri="s3://lake/results"), AssetAlias("results")],
        }
        outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", deferrable=deferrable, **arguments))
        job = connections.jobs(vendor)[-1]
        # Batch.com's store makes a new object, with another ETag, for each download.
        etag = (outcome.value["files"][0]["etag"] or "no ETag").strip('"')
        names = {job.id: "JOB", str(job.filename): "FILE", f"/{mode}/": "/FOLDER/", etag: "ETAG"}
        return Trace.of(api, outcome, names)

    trace = alike(run, connections)
    assert trace.kind == SUCCESS
    assert trace.xcoms["return_value"]["job_id"] == trace.xcoms["job_id"] == "JOB"
    assert [len(events) for events in trace.events] == [2]


@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        (Fault("status", operation="submit", status=401), FAILED_FOR_GOOD),
        (Fault("status", operation="submit", status=402), FAILED_FOR_GOOD),
        (Fault("status", operation="submit", status=422), FAILED_FOR_GOOD),
        (Fault("status", operation="submit", status=429, retry_after=3600), ("up_for_retry", "RateLimitedError")),
        (Fault("reset", operation="submit", processed=True), FAILED_FOR_GOOD),
    ],
    ids=lambda value: f"{value.kind} {value.status}" if isinstance(value, Fault) else "",
)
def test_a_submit_that_fails(connections: Emulator, looks: Looks, tmp_path: Path, fault: Fault, ends: Kind) -> None:
    """It does before either way begins to wait."""
    traces = []
    for deferrable in (False, True):
        api = ExecutionApi()
        connections.add_fault(fault)
        arguments = work("proofy", tmp_path)
        outcome = api.run(
            lambda arguments=arguments, deferrable=deferrable: BatchJobOperator(  # type: ignore[misc]
                task_id="run", deferrable=deferrable, **arguments
            )
        )
        assert api.deferral is None
        traces.append(Trace(outcome.kind, re.sub(r"\d+:\d+:\d+", "TIME", str(outcome.error)), {}, []))
        forget_process_state()
    assert traces[0] == traces[1]
    assert traces[0].kind == ends


def is_over(deferral: Deferral) -> None:
    """Let the trigger's deadline, which is to be the task's ``execution_timeout``, come now."""
    assert deferral.kwargs["deadline"] <= time.time() + LONG.total_seconds()
    deferral.kwargs["deadline"] = time.time()


def ring() -> None:
    """Let ``execution_timeout`` come now."""
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    signal.pause()


@pytest.mark.parametrize("happens", [go_on, finish, fail])
def test_an_operators_time_out(connections: Emulator, looks: Looks, tmp_path: Path, happens: Happens) -> None:
    """A job that ended just then counts as what it is."""
    connections.world.run_seconds = 3600

    def run(api: ExecutionApi, deferrable: bool) -> Trace:
        def time_is_up() -> None:
            happens(connections.jobs("proofy")[-1], connections)
            if not deferrable:
                ring()

        looks.before_next(time_is_up)
        outcome = api.run_to_end(
            lambda: BatchJobOperator(
                task_id="run", deferrable=deferrable, execution_timeout=LONG, **work("proofy", tmp_path)
            ),
            before_trigger=is_over,
        )
        job = connections.jobs("proofy")[-1]
        assert job.cancelled is (happens is go_on)
        return Trace.of(api, outcome, {job.id: "JOB"})

    expected: dict[Happens, Kind] = {
        go_on: ("up_for_retry", "AirflowTaskTimeout"),
        finish: SUCCESS,
        fail: ("up_for_retry", "JobFailedError"),
    }
    assert alike(run, connections).kind == expected[happens]


@pytest.mark.parametrize("leniency", LENIENCIES)
def test_a_sensors_execution_timeout(
    connections: Emulator, looks: Looks, monkeypatch: pytest.MonkeyPatch, leniency: str
) -> None:
    """Airflow ends a try by it past soft_fail and never_fail, as it comes between two looks."""
    monkeypatch.setattr(BatchJobSensor, "_get_next_poke_interval", lambda *_: ring())
    for deferrable in (False, True):
        api = ExecutionApi()
        job = connections.add_job("revenuebase", state="running")
        outcome = api.run_to_end(
            lambda job=job, deferrable=deferrable: BatchJobSensor(  # type: ignore[misc]
                task_id="wait",
                conn_id="revenuebase_default",
                job_id=job.id,
                deferrable=deferrable,
                execution_timeout=LONG,
                **({leniency: True} if leniency else {}),
            ),
            before_trigger=is_over,
        )
        assert outcome.kind == ("up_for_retry", "AirflowTaskTimeout")
        assert not job.cancelled


@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])
@pytest.mark.parametrize(
    ("leniency", "ends"), [("", ("failed", "AirflowSensorTimeout")), ("soft_fail", SKIPPED), ("never_fail", SKIPPED)]
)
def test_a_sensors_timeout(
    connections: Emulator, api: ExecutionApi, looks: Looks, deferrable: bool, leniency: str, ends: Kind
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
