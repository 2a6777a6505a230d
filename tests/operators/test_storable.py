"""What a task leaves in Airflow can be stored, whatever the vendor wrote into job and result."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_jobs import download
from tests.support.airflow_storing import assert_storable


def test_a_result_with_what_no_xcom_can_hold(
    connections: Emulator, api: ExecutionApi, caplog: pytest.LogCaptureFixture
) -> None:
    job = connections.add_job("proofy")
    body = '[{"email": "half \\ud83d\\u0000", "score": NaN, "id": 36893488147419103232}]'
    fault = Fault("status", operation="download", status=200, body=body, content_type="application/json")
    connections.add_fault(fault)
    outcome = api.run(download(job))
    assert outcome.state == "success"
    assert outcome.value == [{"email": "half \ufffd\ufffd", "score": None, "id": "36893488147419103232"}]
    assert "Set a destination" in caplog.text


def test_a_result_that_can_be_stored_is_not_touched(
    connections: Emulator, api: ExecutionApi, caplog: pytest.LogCaptureFixture
) -> None:
    job = connections.add_job("proofy", ResultSpec(bytes=2_000))
    outcome = api.run(download(job))
    assert outcome.state == "success"
    assert_storable(outcome.value)
    assert "cannot store" not in caplog.text


@pytest.mark.parametrize("vendor", ["revenuebase", "proofy"])
@pytest.mark.parametrize("deferrable", [False, True])
def test_a_sensor_and_a_cancel_return_the_job(
    connections: Emulator, api: ExecutionApi, vendor: str, deferrable: bool
) -> None:
    job = connections.add_job(vendor)
    job.message = "Ready \ud83d\x00"
    facts: dict[str, Any] = {"conn_id": f"{vendor}_default", "job_id": job.id}
    seen = api.run_to_end(lambda: BatchJobSensor(task_id="wait", deferrable=deferrable, **facts))
    left = api.run(lambda: CancelBatchJobOperator(task_id="cancel", **facts))
    assert seen.value == left.value
    assert seen.value["message"] == "Ready \ufffd\ufffd"
    assert_storable(seen.value)
