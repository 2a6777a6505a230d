"""The DAGs that go on while Airflow's own parts, the database or the vendor fail: test_infrastructure.py.

The stack copies this file into its DAGs folder; see kills.py for what lies beside that.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_batchdl.operators.run import BatchJobOperator
from tests.support.matrix.marked import VENDORS, connection_of, mark_of, marked_work

SHARED = Path(__file__).resolve().parent.parent / "kills"
UPLOADS, LANDED = SHARED / "uploads", SHARED / "landed"
UPLOADS.mkdir(parents=True, exist_ok=True)

# Every vendor's job is waited for in the triggerer, one more on a worker. As often retried as an outage takes.
for name in ("carried_on", "vendor_down", "key_rotated"):
    with DAG(name, schedule=None, default_args={"retries": 100, "retry_delay": timedelta(seconds=2)}) as dag:
        for vendor in VENDORS:
            folder = f"file://{LANDED}/{name}/{vendor}/" if vendor in ("revenuebase", "batchcom") else None
            work = marked_work(vendor, mark_of(name, vendor), UPLOADS)
            BatchJobOperator(task_id=vendor, deferrable=True, destination=folder, **work)
        work = marked_work("apartmentiq", mark_of(name, "waiting"), UPLOADS)
        BatchJobOperator(task_id="waiting", deferrable=False, **work)
    globals()[name] = dag

# Five hundred waits: one task, mapped.
with DAG("many_waits", schedule=None):

    @task
    def requests(dag_run: Any = None) -> list[dict[str, Any]]:
        """As many reports as the run's configuration says, each for a property of its own."""
        days = {"start_date": "2026-10-01", "end_date": "2026-10-31"}
        report = {"report_type": "property", "output_format": "csv", **days}
        return [{**report, "property_ids": [number]} for number in range(1, dag_run.conf["waits"] + 1)]

    # A few run at a time, each only briefly, and waits poll seldom: what is tested is what becomes of the waits.
    pace = {"pool": "few", "poll_interval": 15, "max_poll_interval": 15}
    BatchJobOperator.partial(task_id="wait", conn_id=connection_of("apartmentiq"), deferrable=True, **pace).expand(
        request=requests()
    )
