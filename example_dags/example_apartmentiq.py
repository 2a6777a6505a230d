"""ApartmentIQ: a property report as Parquet, in one durable task.

`BatchJobOperator` submits, waits without holding a worker and downloads; a retry goes on with the job that was
submitted. Needs the connection `apartmentiq_default` (type `apartmentiq`, client id as login and client secret as
password). The Airflow Variable `batchdl_landing` names the folder to land in; without it, `/tmp/batchdl` on the worker.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_provider_batchdl.operators.run import BatchJobOperator

# Numbers in a request are written here rather than templated: a rendered template is always text.
PROPERTY_IDS = [1201, 1202, 1310]

with DAG(
    dag_id="example_apartmentiq",
    schedule=None,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    params={
        "start_date": Param(
            "2026-10-01", type="string", format="date", title="From", description="The report's first day."
        ),
        "end_date": Param("2026-10-31", type="string", format="date", title="To", description="The report's last day."),
    },
    tags=["batchdl", "example"],
    doc_md=__doc__,
):
    BatchJobOperator(
        task_id="report",
        conn_id="apartmentiq_default",
        request={
            "report_type": "property",
            "output_format": "parquet",
            "start_date": "{{ params.start_date }}",
            "end_date": "{{ params.end_date }}",
            "property_ids": PROPERTY_IDS,
        },
        destination="{{ var.value.get('batchdl_landing', '/tmp/batchdl') }}/apartmentiq/{{ run_id }}/",
        deferrable=True,
    )
