"""The DAG of every vendor and every kind of destination: test_landings.py.

The stack copies this file into its DAGs folder; see kills.py for what lies beside that.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG

from airflow_provider_batchdl.operators.run import BatchJobOperator
from tests.support.matrix.marked import LANDINGS, mark_of, marked_work

SHARED = Path(__file__).resolve().parent.parent / "kills"
UPLOADS = SHARED / "uploads"
UPLOADS.mkdir(parents=True, exist_ok=True)
DAG_ID = "every_landing"

with DAG(DAG_ID, schedule=None):
    for task_id, (vendor, place, mode) in LANDINGS.items():
        folders = {"folder": f"file://{SHARED}/landed/{DAG_ID}/{task_id}/", "s3": f"s3://aws_test@landings/{task_id}/"}
        BatchJobOperator(
            task_id=task_id,
            deferrable=mode == "deferred",
            destination=folders.get(place),
            **marked_work(vendor, mark_of(DAG_ID, task_id), UPLOADS),
        )
