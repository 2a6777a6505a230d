"""Revenuebase: verify the addresses of a CSV file and keep the answer beside the lake's other raw files.

Three tasks: submit the file, wait for the job without holding a worker, download the result. Needs the connection
`revenuebase_default` (type `revenuebase`, the API key as its password). The Airflow Variable `batchdl_landing` names
the folder to land in, for example `s3://aws_default@bucket/raw`; without it, `/tmp/batchdl` on the worker.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, Asset, Param

from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor

with DAG(
    dag_id="example_revenuebase",
    schedule=None,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    params={
        "contacts": Param(
            str(Path(__file__).parent / "data" / "contacts.csv"),
            type="string",
            title="Contacts",
            description="A .csv or .json file with the addresses to verify, in a column `email`.",
        ),
    },
    tags=["batchdl", "example"],
    doc_md=__doc__,
) as dag:
    submit = SubmitBatchJobOperator(
        task_id="submit",
        conn_id="revenuebase_default",
        file="{{ params.contacts }}",
        request={"metadata": True},
    )
    wait = BatchJobSensor(
        task_id="wait",
        conn_id="revenuebase_default",
        job_id=submit.output,
        deferrable=True,
        timeout=timedelta(hours=12).total_seconds(),
    )
    download = DownloadBatchResultsOperator(
        task_id="download",
        conn_id="revenuebase_default",
        job_id=submit.output,
        # A run id, not a date: a run that somebody triggers by hand has no logical date.
        destination="{{ var.value.get('batchdl_landing', '/tmp/batchdl') }}/revenuebase/{{ run_id }}/",
        outlets=[Asset("revenuebase_verified")],
    )
    wait >> download
