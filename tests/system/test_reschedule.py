"""From Airflow 3.4 on: a task whose vendor says "later" ends, and the scheduler runs it again then."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import airflow.sdk
import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault
from tests.support.airflow_jobs import count
from tests.support.stack.local import LocalStack

LATER = timedelta(minutes=30)
_DAG = """
from airflow.sdk import DAG
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.retries import BatchDlRetryPolicy

with DAG("later", schedule=None):
    BatchJobOperator(
        task_id="verify",
        conn_id="proofy_default",
        request={"emails": ["ada@example.com"]},
        deferrable=True,
        poll_interval=1,
        max_poll_interval=1,
        retries=0,
        retry_policy=BatchDlRetryPolicy(),
    )
"""


@pytest.mark.timeout(1800)
@pytest.mark.skipif(
    not hasattr(getattr(airflow.sdk, "RetryDecision", None), "reschedule"),
    reason="this Airflow's policies cannot reschedule (3.4 and later)",
)
def test_the_scheduler_wakes_a_task_whose_vendor_said_later(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "later.py").write_text(_DAG)
    with (
        Emulator(port=0, queue_seconds=0.0, run_seconds=24 * 3600.0, rate_limits=False) as vendors,
        LocalStack(tmp_path / "runs") as stack,
    ):
        vendors.add_fault(Fault("status", operation="submit", status=429, retry_after=LATER.total_seconds()))
        stack.prepare(files, vendors.connections())
        run_id = stack.api.trigger("later")

        def state() -> str | None:
            [task] = stack.api.tasks("later", run_id)
            return task.state

        stack.wait("the task to end until then", lambda: state() == "up_for_reschedule")
        [(until,)] = stack.query("SELECT reschedule_date FROM task_reschedule")
        left = datetime.fromisoformat(until).replace(tzinfo=UTC) - datetime.now(UTC)
        assert LATER - timedelta(minutes=2) < left < LATER
        time.sleep(5)  # the scheduler looks each second
        assert (state(), count(vendors, "submit")) == ("up_for_reschedule", 1)

        now = datetime.now(UTC).replace(tzinfo=None)
        stack.query("UPDATE task_reschedule SET reschedule_date = :now", now=now.isoformat(" "))  # half an hour later
        stack.wait("the task to defer", lambda: state() == "deferred")
        stack.wait_until_noticed("later", run_id, "verify", times=2)  # once when it ended until then
        [job] = vendors.jobs("proofy")
        job.finish()
        stack.wait("the run to end", lambda: stack.api.run("later", run_id)[0] in ("success", "failed"))
        [task] = stack.api.tasks("later", run_id)
        assert (task.state, task.try_number) == ("success", 1)
        assert (count(vendors, "submit"), vendors.jobs("proofy")) == (2, [job])
