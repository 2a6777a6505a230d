"""What the operator and the sensor tell the trigger about when to poll."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.triggers.job import BatchJobTrigger
from tests.support.airflow_api import ExecutionApi


def operator(job_id: str, **more: Any) -> BatchJobOperator:
    return BatchJobOperator(
        task_id="it", conn_id="proofy_default", request={"emails": ["a@example.com"]}, deferrable=True, **more
    )


def sensor(job_id: str, **more: Any) -> BatchJobSensor:
    return BatchJobSensor(task_id="it", conn_id="proofy_default", job_id=job_id, deferrable=True, **more)


@pytest.mark.parametrize("make", [operator, sensor])
@pytest.mark.parametrize("longest", [90.0, timedelta(seconds=90), None])
def test_the_intervals_reach_the_trigger(
    connections: Emulator, api: ExecutionApi, make: Callable[..., Any], longest: Any
) -> None:
    connections.world.run_seconds = 3600
    job = connections.add_job("proofy", state="running")
    began = time.time()
    assert api.run(lambda: make(job.id, poll_interval=7, max_poll_interval=longest)).state == "deferred"
    assert api.deferral is not None
    trigger = api.deferral.trigger()
    assert isinstance(trigger, BatchJobTrigger)
    assert trigger.poll_interval == 7
    assert trigger.max_poll_interval == (None if longest is None else 90.0)
    assert trigger.since is not None
    assert began <= trigger.since <= time.time()
