"""A key that is replaced, at the vendor and in the connection, while a task waits: it goes on with the new one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import VENDORS, count, work

VENDOR = pytest.mark.parametrize("vendor", VENDORS)
MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])


@pytest.fixture
def rotate(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replace a vendor's key; in the connection, too, unless told otherwise."""

    def replace(vendor: str, *, told: bool = True) -> None:
        name = f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"
        key = connections.world.accounts.rotate(vendor)
        connections.world.accounts.expire_tokens()
        if told:
            monkeypatch.setenv(name, json.dumps({**json.loads(os.environ[name]), "password": key}))

    return replace


@VENDOR
@MODES
def test_a_job_is_waited_for_and_landed(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    polls: Polls,
    rotate: Callable[..., None],
    vendor: str,
    deferrable: bool,
) -> None:
    connections.world.run_seconds = 3600
    connections.set_result(vendor, ResultSpec(bytes=2_000))

    def finish() -> None:
        connections.jobs(vendor)[0].finish()

    polls.before_next(lambda: None, lambda: rotate(vendor), lambda: None, finish)
    make: Callable[[], Any] = lambda: BatchJobOperator(  # noqa: E731
        task_id="task", destination=f"{tmp_path}/out/", deferrable=deferrable, **work(vendor, tmp_path)
    )
    outcome = api.run_to_end(make)
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs(vendor)
    assert [file["sha256"] for file in outcome.value["files"]] == [file.sha256 for file in job.files()]
    assert count(connections, "submit") == 1
    assert any(record.status == 401 for record in connections.requests)


@MODES
def test_where_the_connection_is_not_told_it_fails_at_once(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    polls: Polls,
    rotate: Callable[..., None],
    deferrable: bool,
) -> None:
    connections.world.run_seconds = 3600
    polls.before_next(lambda: None, lambda: rotate("revenuebase", told=False))
    outcome = api.run_to_end(
        lambda: BatchJobOperator(task_id="task", deferrable=deferrable, **work("revenuebase", tmp_path))
    )
    assert outcome.kind == ("failed", "BatchTaskFailedError")
    assert "AuthenticationError" in repr(outcome.cause)
    assert sum(record.status == 401 for record in connections.requests) == 1


@pytest.mark.parametrize(
    ("vendor", "how"),
    [
        ("proofy", {"deferrable": False}),
        ("apartmentiq", {"deferrable": False, "mode": "reschedule"}),
        ("batchcom", {"deferrable": True}),
    ],
    ids=str,
)
def test_a_sensor_goes_on_in_every_mode(
    connections: Emulator,
    api: ExecutionApi,
    polls: Polls,
    rotate: Callable[..., None],
    vendor: str,
    how: dict[str, Any],
) -> None:
    job = connections.add_job(vendor, state="running")
    polls.before_next(lambda: None, lambda: rotate(vendor), job.finish)
    outcome = api.run_to_end(lambda: BatchJobSensor(task_id="wait", conn_id=f"{vendor}_default", job_id=job.id, **how))
    assert (outcome.state, outcome.value["id"]) == ("success", job.id)
