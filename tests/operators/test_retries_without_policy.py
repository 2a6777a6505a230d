"""How Airflow retries without `BatchDlRetryPolicy`, and what becomes of it where Airflow has no retry policies."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import airflow.sdk
import pytest
from airflow.sdk import DAG

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.retries import BatchDlRetryPolicy
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import count, work

without_policies = pytest.mark.skipif(
    hasattr(airflow.sdk, "RetryPolicy"), reason="this Airflow has retry policies (those before 3.3 have none)"
)


def test_the_delay_is_the_tasks(connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls) -> None:
    connections.add_fault(Fault("status", operation="submit", status=429, retry_after=1800))
    arguments = work("proofy", tmp_path)
    outcome = api.run(lambda: SubmitBatchJobOperator(task_id="task", retries=1, **arguments))
    assert outcome.kind == ("up_for_retry", "RateLimitedError")
    bodies = [json.loads(body) for body in api.sent]
    [retry] = [body for body in bodies if isinstance(body, dict) and body.get("state") == "up_for_retry"]
    assert retry.get("retry_delay_seconds") is None
    assert count(connections, "submit") == 1


def test_it_can_be_imported_and_made() -> None:
    code = (
        "import airflow.sdk\n"
        "lazy = airflow.sdk.__getattr__\n"
        "def older(name):\n"
        "    if name.startswith('Retry'): raise AttributeError(name)\n"
        "    return lazy(name)\n"
        "airflow.sdk.__getattr__ = older\n"
        "from airflow_provider_batchdl.retries import BatchDlRetryPolicy\n"
        "assert BatchDlRetryPolicy.__mro__ == (BatchDlRetryPolicy, object)\n"
        "BatchDlRetryPolicy()\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=240)


@without_policies
def test_in_default_args_it_has_no_effect() -> None:
    with DAG("defaults", schedule=None, default_args={"retry_policy": BatchDlRetryPolicy()}) as dag:
        SubmitBatchJobOperator(task_id="task", conn_id="proofy_default", request={})
    assert not hasattr(dag.get_task("task"), "retry_policy")


@without_policies
def test_as_an_argument_it_is_refused() -> None:
    with pytest.raises(TypeError, match="retry_policy"):
        SubmitBatchJobOperator(task_id="task", conn_id="proofy_default", request={}, retry_policy=BatchDlRetryPolicy())
