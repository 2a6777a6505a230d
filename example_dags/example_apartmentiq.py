"""ApartmentIQ: a property report as Parquet, in one durable task.

`BatchJobOperator` submits, waits without holding a worker and downloads; a retry resumes the job that was
submitted. The report is of the last days that have ended: `inclusive_days` is a macro of this package, and in a DAG
that runs every day it is the day before, in the schedule's time zone. Needs the connection `apartmentiq_default` (type
`apartmentiq`, client id as login and client secret as password). The Airflow Variable `batchdl_landing` names the
folder to land in; without it, `/tmp/batchdl` on the worker.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset, Param

from airflow_provider_batchdl.operators.run import BatchJobOperator

# Numbers in a request are written here rather than templated: a rendered template is always text.
PROPERTY_IDS = [1201, 1202, 1310]

with DAG(
    dag_id="example_apartmentiq",
    schedule=None,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    params={
        "days": Param(31, type="integer", minimum=1, title="Days", description="How many days, up to yesterday."),
    },
    tags=["batchdl", "example"],
    doc_md=__doc__,
) as dag:
    BatchJobOperator(
        task_id="report",
        conn_id="apartmentiq_default",
        request={
            "report_type": "property",
            "output_format": "parquet",
            "start_date": "{{ macros.batchdl.inclusive_days(days=params.days).first }}",
            "end_date": "{{ macros.batchdl.inclusive_days(days=params.days).last }}",
            "property_ids": PROPERTY_IDS,
        },
        destination="{{ var.value.get('batchdl_landing', '/tmp/batchdl') }}/apartmentiq/{{ run_id }}/",
        # A DAG with schedule=Asset("apartmentiq_report") runs when a report has landed; the event says where.
        outlets=[Asset("apartmentiq_report")],
        deferrable=True,
    )
