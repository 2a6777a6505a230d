"""A task that runs out of time ends alike, whether it waits on the worker or in the triggerer."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.operators.happenings import Happens, fail, finish, go_on
from tests.operators.parity import LENIENCIES, SKIPPED, SUCCESS, Kind, Trace, alike
from tests.support.airflow_answers import Deferral
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import work
from tests.support.alarm import ring

LONG = timedelta(hours=1)


def is_over(deferral: Deferral) -> None:
    """Let the trigger's deadline, which is to be the task's ``execution_timeout``, come now."""
    assert deferral.kwargs["deadline"] <= time.time() + LONG.total_seconds()
    deferral.run_out()


def test_an_operator_has_a_limit_of_a_day_unless_it_has_another(tmp_path: Path) -> None:
    def limit(**more: Any) -> float | None:
        return BatchJobOperator(task_id="run", **work("proofy", tmp_path), **more).timeout

    assert limit() == 86_400
    assert limit(timeout=LONG) == limit(timeout=3600) == 3600
    assert limit(execution_timeout=timedelta(days=3)) is None
    assert limit(timeout=60, execution_timeout=LONG) == 60


@pytest.mark.parametrize("word", ["processing", "gave up"])
def test_an_operators_own_limit(connections: Emulator, polls: Polls, tmp_path: Path, word: str) -> None:
    """Also where the job has ended in a word that nobody knew."""
    connections.world.run_seconds = 3600

    def run(api: ExecutionApi, deferrable: bool) -> Trace:
        polls.before_next(lambda: connections.jobs("proofy")[-1].hold(word))
        limit = 3600 if deferrable else 0.5
        outcome = api.run_to_end(
            lambda: BatchJobOperator(task_id="run", deferrable=deferrable, timeout=limit, **work("proofy", tmp_path)),
            before_trigger=is_over,
        )
        return Trace.of(api, outcome, {connections.jobs("proofy")[-1].id: "JOB"})

    assert alike(run, connections).kind == ("up_for_retry", "AirflowTaskTimeout")


@pytest.mark.parametrize("happens", [go_on, finish, fail])
def test_an_operators_time_out(connections: Emulator, polls: Polls, tmp_path: Path, happens: Happens) -> None:
    """A job that ended just then counts as what it is."""
    connections.world.run_seconds = 3600

    def run(api: ExecutionApi, deferrable: bool) -> Trace:
        def time_is_up() -> None:
            happens(connections.jobs("proofy")[-1], connections)
            if not deferrable:
                ring()

        polls.before_next(time_is_up)
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
    connections: Emulator, polls: Polls, monkeypatch: pytest.MonkeyPatch, leniency: str
) -> None:
    """Airflow ends a try by it past soft_fail and never_fail, as it comes between two polls."""
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
    connections: Emulator, api: ExecutionApi, polls: Polls, deferrable: bool, leniency: str, ends: Kind
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
