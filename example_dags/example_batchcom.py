"""Batch.com: export attributes of all profiles, in as many parts as Batch.com makes of them.

Three tasks: ask for the export, wait for it without holding a worker, download every part. Needs the connection
`batchcom_default` (type `batchcom`, the REST API key as its password and `project_key` in its extra). The Airflow
Variable `batchdl_landing` names the folder to land in; without it, `/tmp/batchdl` on the worker.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset

from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor

with DAG(
    dag_id="example_batchcom",
    schedule=None,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["batchdl", "example"],
    doc_md=__doc__,
) as dag:
    submit = SubmitBatchJobOperator(
        task_id="submit",
        conn_id="batchcom_default",
        request={
            "export_type": "ATTRIBUTES",
            # Batch.com's own attributes start with a dollar sign; the others are the project's.
            "attributes": ["$email_address", "$region", "firstname"],
            "identifiers": ["custom_id"],
        },
    )
    wait = BatchJobSensor(
        task_id="wait",
        conn_id="batchcom_default",
        job_id=submit.output,
        deferrable=True,
        timeout=timedelta(hours=12).total_seconds(),
    )
    download = DownloadBatchResultsOperator(
        task_id="download",
        conn_id="batchcom_default",
        job_id=submit.output,
        destination="{{ var.value.get('batchdl_landing', '/tmp/batchdl') }}/batchcom/{{ run_id }}/",
        outlets=[Asset("batchcom_profiles")],
    )
    wait >> download
