"""A DAG whose jobs end in words that Airflow cannot store, and one beside it that is well: test_sick_jobs.py.

The stack copies this file into its DAGs folder; see kills.py for what lies beside that.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG

from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.matrix.marked import VENDORS, mark_of, marked_work

UPLOADS = Path(__file__).resolve().parent.parent / "kills" / "uploads"
UPLOADS.mkdir(parents=True, exist_ok=True)

for name in ("sick_jobs", "healthy_jobs"):
    with DAG(name, schedule=None) as dag:
        for vendor in VENDORS:
            folder = f"file://{UPLOADS.parent}/landed/{name}/{vendor}/" if vendor == "batchcom" else None
            work = marked_work(vendor, mark_of(name, vendor), UPLOADS)
            BatchJobOperator(task_id=vendor, deferrable=True, destination=folder, **work)
        # Its return value, an XCom, has the vendor's words.
        work = marked_work("revenuebase", mark_of(name, "watched"), UPLOADS)
        submit = SubmitBatchJobOperator(task_id="watched_submit", **work)
        BatchJobSensor(task_id="watched", conn_id=work["conn_id"], job_id=submit.output, deferrable=True)
    globals()[name] = dag
