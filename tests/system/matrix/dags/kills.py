"""The DAGs whose tasks are killed, cleared and timed out: tests/system/matrix/test_workers.py and test_users.py.

The stack copies this file into its DAGs folder. Beside that lies what tasks and test share: uploads, what is landed,
and the files by which tasks tell that they have come to their stop.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.matrix.marked import CANCELLING, VENDORS, mark_of, marked_work
from tests.support.matrix.stops import Stops, StopsBeforeItDefers, StopsWhenItResumes

SHARED = Path(__file__).resolve().parent.parent / "kills"
UPLOADS, LANDED = SHARED / "uploads", SHARED / "landed"
UPLOADS.mkdir(parents=True, exist_ok=True)
STOPS = Stops(SHARED / "stops")
MODES = {"waiting": False, "deferred": True}


def a_dag(dag_id: str) -> DAG:
    """A DAG that runs when it is told to, its tasks retried at once."""
    return DAG(dag_id, schedule=None, default_args={"retries": 2, "retry_delay": timedelta(seconds=1)})


def job(dag: DAG, task_id: str, vendor: str, kind: type[BatchJobOperator] = BatchJobOperator, **how: Any) -> None:
    """A task that submits, waits and downloads: into a folder of its own where ``landed`` is given, else into XCom.

    The export that the emulated Batch.com makes is too large for XCom.
    """
    if how.pop("landed", vendor == "batchcom"):
        how["destination"] = f"file://{LANDED}/{dag.dag_id}/{task_id}/"
    kind(dag=dag, task_id=task_id, **marked_work(vendor, mark_of(dag.dag_id, task_id), UPLOADS), **how)


def sensor(dag: DAG, task_id: str, vendor: str, **how: Any) -> None:
    """A task that waits for the job of another one."""
    work = marked_work(vendor, mark_of(dag.dag_id, task_id), UPLOADS)
    submit = SubmitBatchJobOperator(dag=dag, task_id=f"{task_id}_submit", **work)
    BatchJobSensor(dag=dag, task_id=task_id, conn_id=work["conn_id"], job_id=submit.output, **how)


# A worker dies …

before_submit = a_dag("before_submit")
for number, vendor in enumerate(VENDORS):
    job(before_submit, vendor, vendor, deferrable=number % 2 == 0, pre_execute=STOPS.hook())

# … when the vendor has taken the job and not answered yet, in either mode.
uncertain = a_dag("uncertain")
for number, vendor in enumerate(VENDORS):
    job(uncertain, vendor, vendor, deferrable=number % 2 == 0)
job(uncertain, "proofy_resubmit", "proofy", deferrable=False, on_uncertain_submit="resubmit")

waiting = a_dag("waiting")
for vendor in VENDORS:
    job(waiting, vendor, vendor, deferrable=False, landed=vendor in ("revenuebase", "batchcom"))

deferring = a_dag("deferring")
for vendor in ("revenuebase", "apartmentiq"):
    job(deferring, vendor, vendor, StopsBeforeItDefers, deferrable=True, stops=STOPS)
for vendor in ("proofy", "batchcom"):
    job(deferring, vendor, vendor, StopsWhenItResumes, deferrable=True, stops=STOPS)

# Large results, by one connection each: that it stops at a known place is what the test waits for.
downloading = a_dag("downloading")
for vendor in ("apartmentiq", "batchcom", "revenuebase"):
    job(downloading, vendor, vendor, deferrable=False, landed=True, max_connections=1)
job(downloading, "apartmentiq_deferred", "apartmentiq", deferrable=True, landed=True, max_connections=1)

published = a_dag("published")
for vendor in ("revenuebase", "apartmentiq"):
    job(published, vendor, vendor, deferrable=False, landed=True, post_execute=STOPS.hook())
job(published, "batchcom", "batchcom", deferrable=False, landed=True, if_exists="skip", post_execute=STOPS.hook())
job(published, "proofy", "proofy", deferrable=True, post_execute=STOPS.hook())

# A user steps in, while tasks wait on a worker or in the triggerer.

for mode, deferrable in MODES.items():
    dag = a_dag(f"user_{mode}")
    globals()[dag.dag_id] = dag
    job(dag, "mark_failed", "revenuebase", deferrable=deferrable)
    job(dag, "mark_success", "proofy", deferrable=deferrable)
    job(dag, "clear", "apartmentiq", deferrable=deferrable, landed=True)
    sensor(dag, "watch", "apartmentiq", deferrable=deferrable)

cleared = a_dag("user_clears")
for vendor in CANCELLING:
    job(cleared, vendor, vendor, deferrable=True)

deployed = a_dag("deployed")
for vendor in VENDORS:
    job(deployed, vendor, vendor, deferrable=False)

# Time is up while they are deferred.

timed_out = a_dag("timed_out")
# Not sooner: on a busy machine all of them are to be deferred by then.
SOON = timedelta(seconds=60)
for vendor in CANCELLING:
    job(timed_out, vendor, vendor, deferrable=True, execution_timeout=SOON, retries=0)
sensor(timed_out, "sensor", "proofy", deferrable=True, timeout=30)
sensor(timed_out, "sensor_soft", "apartmentiq", deferrable=True, timeout=30, soft_fail=True)
