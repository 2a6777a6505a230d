"""What a task leaves in Airflow can be stored, whatever the vendor wrote into job and result."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_batchdl._airflow.fail_fast import BatchTaskFailedError
from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import UnstorableResultError
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_jobs import download
from tests.support.airflow_storing import assert_storable


def deep(levels: int) -> str:
    return "[" * levels + "1" + "]" * levels


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ('[{"score": NaN}]', "NaN or an infinity at [0]['score']"),
        ('{"score": -Infinity}', "NaN or an infinity at ['score']"),
        ('{"score": 1e999}', "NaN or an infinity at ['score']"),
        ('["half \\ud83d"]', "U+0000 or half of a surrogate pair in a text at [0]"),
        ('["\\u0000"]', "U+0000 or half of a surrogate pair in a text at [0]"),
        ('{"a": {"\\ud83d": 1}}', "U+0000 or half of a surrogate pair in a name at ['a']"),
        ("[36893488147419103232]", "a whole number beyond 64 bits at [0]"),
        ("[-9223372036854775809]", "a whole number beyond 64 bits at [0]"),
        ("[" + "9" * 5_000 + "]", "a number of thousands of digits"),
        (deep(101), "more than 100 levels of nesting"),
        (deep(20_000), "nest"),  # too deep to be parsed; not for Python 3.14, for which it is too deep to be stored
        ('[{"__classname__": "builtins.tuple"}]', "a member __classname__ at [0]"),
        ('{"__id__": 1}', "a member __id__"),
        ('{"__type": "datetime", "__var": 1}', "a member __type and __var"),
    ],
)
def test_a_result_that_airflow_cannot_store_fails_at_once_and_says_what_helps(
    connections: Emulator, api: ExecutionApi, body: str, what: str
) -> None:
    job = connections.add_job("proofy")
    fault = Fault("status", operation="download", status=200, body=body, content_type="application/json")
    connections.add_fault(fault)
    outcome = api.run(download(job))
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert outcome.error is not None
    assert isinstance(outcome.cause, UnstorableResultError)
    assert what in str(outcome.error)
    assert "Set a destination" in str(outcome.error)


@pytest.mark.parametrize(
    "body",
    [
        "[18446744073709551615, -9223372036854775808, 0.5, null, true]",
        deep(100),
        '{"%s": 1, "__type": "of contract"}' % ("9" * 400),
    ],
)
def test_a_result_at_the_limits_of_what_airflow_stores(connections: Emulator, api: ExecutionApi, body: str) -> None:
    job = connections.add_job("proofy")
    fault = Fault("status", operation="download", status=200, body=body, content_type="application/json")
    connections.add_fault(fault)
    outcome = api.run(download(job))
    assert outcome.state == "success"
    assert outcome.value == json.loads(body)


def test_a_result_that_can_be_stored_is_not_touched(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("proofy", ResultSpec(bytes=2_000))
    outcome = api.run(download(job))
    assert outcome.state == "success"
    assert_storable(outcome.value)


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
