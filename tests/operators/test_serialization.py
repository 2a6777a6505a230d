"""A DAG of these operators goes through Airflow's serialization, as the DAG processor does it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.airflow_features import DagSerialization


@pytest.fixture
def serialized() -> dict[str, Any]:
    with DAG("all_of_them", schedule=None) as dag:
        submit = SubmitBatchJobOperator(task_id="submit", conn_id="proofy_default", request={"emails": ["a@b.c"]})
        wait = BatchJobSensor(task_id="wait", conn_id="proofy_default", job_id=submit.output, deferrable=True)
        download = DownloadBatchResultsOperator(task_id="download", conn_id="proofy_default", job_id=submit.output)
        cancel = CancelBatchJobOperator(task_id="cancel", conn_id="proofy_default", job_id=submit.output)
        cancel.as_teardown(setups=submit)
        wait >> download >> cancel
        BatchJobOperator.partial(task_id="run", conn_id="proofy_default").expand(request=[{"emails": ["a@b.c"]}])
    found: dict[str, Any] = DagSerialization.to_dict(dag)
    return found


def test_it_is_json(serialized: dict[str, Any]) -> None:
    tasks = {task["__var"]["task_id"]: task["__var"] for task in json.loads(json.dumps(serialized))["dag"]["tasks"]}
    assert set(tasks) == {"submit", "wait", "download", "cancel", "run"}
    assert tasks["wait"]["_task_module"] == "airflow_provider_batchdl.sensors.job"
    assert all(tasks[name]["_operator_extra_links"] == {"Vendor": "_link_BatchJobLink"} for name in tasks)


def test_the_server_reads_it(serialized: dict[str, Any]) -> None:
    dag = DagSerialization.from_dict(serialized)
    assert dag.get_task("wait").upstream_task_ids == {"submit"}
    assert [link.name for link in dag.get_task("submit").operator_extra_links] == ["Vendor"]


def test_parts_of_a_dag_can_be_taken() -> None:
    with DAG("parts", schedule=None) as dag:
        BatchJobOperator(task_id="run", conn_id="proofy_default", request={"emails": ["a@b.c"]})
        BatchJobSensor(task_id="wait", conn_id="proofy_default", job_id="1")
    part = dag.partial_subset(task_ids="run")
    assert list(part.task_dict) == ["run"]
