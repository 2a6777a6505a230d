"""Jobs that end within seconds, on an Airflow that takes as long as that to notice that a task has deferred."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

import demo.home
import demo.runner
from airflow_provider_batchdl.emulator import Emulator
from demo.api import AirflowApi
from demo.home import new_home, provide_database
from demo.processes import AirflowProcesses
from demo.runner import Runner
from tests.support.stack.local import DATABASES

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

DAG_ID = "example_short_waits"  # the demo's runner waits for DAGs that are named so
PATIENCE = 480.0
TASKS = 4
# The first one finds a triggerer that has loaded nothing yet, so its events come late by themselves.
RUNS = 2
# A worker notices at once, or seconds later, that a task's process has ended, as it happens: within Airflow's own
# `min_heartbeat_interval`. Here always that late, since what the task leaves running keeps its output open.
_LINGERS = 5.5
_DAG = f"""
import subprocess

from airflow.sdk import DAG
from airflow_provider_batchdl.operators.run import BatchJobOperator

def linger(context):
    subprocess.Popen(["sleep", "{_LINGERS}"])


with DAG("{DAG_ID}", schedule=None, default_args={{"retries": 1}}) as dag:
    for number in range({TASKS}):
        BatchJobOperator(
            task_id=f"verify_{{number}}",
            conn_id="proofy_default",
            request={{"emails": [f"someone{{number}}@example.com"]}},
            deferrable=True,
            poll_interval=1,
            pre_execute=linger,
        )
"""


def test_no_task_is_failed_that_is_woken_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow 3.3.2 fails a task ("state changed externally") whose trigger fires before its worker's end is known."""
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / f"{DAG_ID}.py").write_text(_DAG)
    for module in (demo.home, demo.runner):
        monkeypatch.setattr(module, "DAGS", dags)
    stock = {"workers": {"min_heartbeat_interval": 5}}  # as Airflow comes
    with (
        Emulator(port=0, queue_seconds=0.5, run_seconds=0.5, rate_limits=False) as vendors,
        new_home(tmp_path / "runs", settings=stock) as home,
    ):
        provide_database(home, DATABASES)
        with AirflowProcesses(home) as processes, contextlib.closing(AirflowApi(home)) as api:
            connections = vendors.connections()
            connections["proofy_default"]["extra"]["rate_limit"] = "1000/1"  # Proofy's own would put the events off
            Runner(home, processes, api, lambda line: None).prepare(connections)
            api.unpause_all()
            for number in range(RUNS):
                run_id = api.trigger(DAG_ID)
                deadline = time.monotonic() + PATIENCE
                while api.run(DAG_ID, run_id)[0] not in {"success", "failed"}:
                    assert time.monotonic() < deadline
                    processes.check()
                    time.sleep(0.5)
                    if any(task.state == "up_for_retry" for task in api.tasks(DAG_ID, run_id)):
                        break
                tasks = {task.name: (task.state, task.try_number) for task in api.tasks(DAG_ID, run_id)}
                assert tasks == {f"verify_{task}": ("success", 1) for task in range(TASKS)}, f"run {number}"
