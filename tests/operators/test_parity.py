"""A task ends alike, whether it waits on the worker or in the triggerer: state, error, XComs and asset events."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from airflow.sdk import Asset, AssetAlias

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.operators.happenings import CASE, CASES, LENIENT, Case, cancel, finish
from tests.operators.parity import FAILED_FOR_GOOD, SUCCESS, Kind, Trace, alike
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import VENDORS, work
from tests.support.fixtures import forget_process_state


@pytest.mark.parametrize(
    ("name", "leniency", "ends"),
    [*((name, "", case.ends) for name, case in CASES.items()), *((*which, ends) for which, ends in LENIENT.items())],
)
def test_the_sensor(connections: Emulator, polls: Polls, name: str, leniency: str, ends: Kind) -> None:
    case = CASES[name]

    def run(api: ExecutionApi, deferrable: bool) -> Trace:
        job = connections.add_job("revenuebase", state="running")
        polls.before_next(lambda: case.happens(job, connections))
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
    assert trace.kind == ends
    if trace.kind == SUCCESS:
        state = ("cancelled", "CANCELLED") if case.happens is cancel else ("succeeded", "COMPLETED")
        returned = trace.xcoms["return_value"]
        assert (returned["id"], returned["state"], returned["vendor_state"]) == ("JOB", *state)
    else:
        assert "return_value" not in trace.xcoms


@CASE
def test_the_operator(connections: Emulator, polls: Polls, tmp_path: Path, case: Case) -> None:
    connections.world.queue_seconds = 0.0
    connections.world.run_seconds = 3600

    def run(api: ExecutionApi, deferrable: bool) -> Trace:
        polls.before_next(lambda: case.happens(connections.jobs("revenuebase")[-1], connections))
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
def test_what_a_landing_tells_airflow(connections: Emulator, polls: Polls, tmp_path: Path, vendor: str) -> None:
    connections.world.run_seconds = 3600

    def run(api: ExecutionApi, deferrable: bool) -> Trace:
        polls.before_next(lambda: finish(connections.jobs(vendor)[-1], connections))
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
def test_a_submit_that_fails(connections: Emulator, polls: Polls, tmp_path: Path, fault: Fault, ends: Kind) -> None:
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
        traces.append(Trace(outcome.kind, re.sub(r"[\d-]+ \d+:\d+:\d+", "TIME", str(outcome.error)), {}, []))
        forget_process_state()
    assert traces[0] == traces[1]
    assert traces[0].kind == ends
