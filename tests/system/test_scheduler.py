"""Every vendor, to every kind of destination, deferred or not, under a real scheduler, workers and triggerer."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import demo.home
import demo.runner
from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, ResultSpec
from demo.api import AirflowApi, Task
from demo.home import Home, new_home, provide_database
from demo.processes import AirflowProcesses
from demo.runner import Runner
from tests.support.airflow_jobs import VENDORS, work
from tests.support.seaweedfs import S3Store
from tests.support.stack.local import DATABASES
from tests.support.stack.noticed import UNNOTICED_SECONDS, has_trigger, releases

# The whole DAG run is one fixture, which the first test pays for.
pytestmark = pytest.mark.timeout(1800)

BUCKET = "scheduler"
DAG_ID = "example_every_vendor"  # the demo's runner waits for DAGs that are named so
DESTINATIONS = ("folder", "s3", "xcom")
MODES = ("deferred", "waiting")
# Each vendor meets each destination, and each of both meets both modes; `dag.test()` runs all three with all.
CASES = [
    (vendor, destination, MODES[(row + column) % 2])
    for row, vendor in enumerate(VENDORS)
    for column, destination in enumerate(DESTINATIONS)
]
RUN_SECONDS = 1200.0
FOREVER = 24 * 3600.0
# For so long at least a task waits on its worker.
WAIT_SECONDS = 3.0

_DAG = """
import json
from airflow.sdk import DAG
from airflow_provider_batchdl.operators.run import BatchJobOperator

with DAG({dag_id!r}, schedule=None):
    for task in json.loads({tasks!r}):
        BatchJobOperator(**task)
"""


def task_id(vendor: str, destination: str, mode: str) -> str:
    return f"{vendor}_{destination}_{mode}"


def write_dag(folder: Path, landed: Path) -> None:
    """A task for each case."""
    places = {"folder": f"file://{landed}/", "s3": f"s3://aws_test@{BUCKET}/", "xcom": None}
    tasks = [
        {
            "task_id": task_id(vendor, name, mode),
            "deferrable": mode == "deferred",
            "destination": places[name] and f"{places[name]}{vendor}/{mode}/",
            **work(vendor, folder),
        }
        for vendor, name, mode in CASES
    ]
    (folder / f"{DAG_ID}.py").write_text(_DAG.format(dag_id=DAG_ID, tasks=json.dumps(tasks)))


class Outcome:
    """What a finished run left."""

    def __init__(self, home: Home, tasks: dict[str, Task], returned: dict[str, Any], deferred: set[str]) -> None:
        self.home = home
        self.tasks = tasks
        self.returned = returned
        self.deferred = deferred


@pytest.fixture(scope="module")
def vendors() -> Iterator[Emulator]:
    with Emulator(port=0, queue_seconds=0.0, run_seconds=FOREVER, rate_limits=False) as emulator:
        emulator.set_result("batchcom", ResultSpec(bytes=20_000))  # small enough for XCom
        yield emulator


@pytest.fixture(scope="module")
def outcome(vendors: Emulator, s3_store: S3Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """The one run that all tests look at."""
    dags = tmp_path_factory.mktemp("dags")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo.home, "DAGS", dags)
        patch.setattr(demo.runner, "DAGS", dags)
        with new_home(tmp_path_factory.mktemp("runs")) as home:
            write_dag(dags, home.landed)
            with contextlib.closing(s3_store.client()) as client:
                client.create_bucket(Bucket=BUCKET)
            provide_database(home, DATABASES)
            with AirflowProcesses(home) as processes, contextlib.closing(AirflowApi(home)) as api:
                yield run(home, processes, api, vendors, connections(vendors, s3_store))


def connections(vendors: Emulator, store: S3Store) -> dict[str, dict[str, Any]]:
    found = {}
    for conn_id, fields in vendors.connections().items():
        extra = fields["extra"] if isinstance(fields["extra"], dict) else json.loads(fields["extra"] or "{}")
        pace = {"poll_interval": 1, "max_poll_interval": 1, "rate_limit": "1000/1"}
        found[conn_id] = {**fields, "extra": json.dumps({**extra, **pace})}
    found["aws_test"] = {
        "conn_type": "aws",
        "login": store.access_key,
        "password": store.secret_key,
        "extra": json.dumps({"endpoint_url": store.endpoint_url, "region_name": "us-east-1"}),
    }
    return found


def run(
    home: Home, processes: AirflowProcesses, api: AirflowApi, vendors: Emulator, known: dict[str, dict[str, Any]]
) -> Outcome:
    runner = Runner(home, processes, api, lambda line: None)
    runner.prepare({})
    for conn_id, fields in known.items():
        api.add_connection(conn_id, fields)
    run_id = api.trigger(DAG_ID)
    api.unpause_all()
    ended: set[str] = set()

    def over() -> bool:
        end_jobs(home, api, vendors, run_id, ended)
        return api.run(DAG_ID, run_id)[0] in ("success", "failed")

    wait_until(processes, over)
    tasks = {task.task_id: task for task in api.tasks()}
    # A wait may be too short to be seen from outside; its log in the triggerer stays.
    logs = (home.airflow / "logs" / f"dag_id={DAG_ID}").rglob("*.trigger.*.log")
    deferred = {log.parent.name.removeprefix("task_id=") for log in logs}
    return Outcome(home, tasks, {name: api.returned(task) for name, task in tasks.items()}, deferred)


def end_jobs(home: Home, api: AirflowApi, vendors: Emulator, run_id: str, ended: set[str]) -> None:
    """End the jobs of the tasks that wait, of deferred ones once Airflow has noticed that everywhere."""
    known, now = releases(home, DAG_ID, run_id), time.time()
    for task in api.tasks(DAG_ID, run_id):
        if task.state not in ("running", "deferred") or task.task_id in ended:
            continue
        job = vendors.world.job(task.task_id.partition("_")[0], str(api.returned(task, "job_id")))
        if job is None:
            continue
        waiting = task.task_id.endswith("_waiting")
        noticed = (task.task_id, 1) in known and has_trigger(home, DAG_ID, run_id, task.task_id)
        if noticed or now > job.submitted_at + (WAIT_SECONDS if waiting else UNNOTICED_SECONDS):
            job.finish()
            ended.add(task.task_id)


def wait_until(processes: AirflowProcesses, true: Any) -> None:
    deadline = time.monotonic() + RUN_SECONDS
    while not true():
        processes.check()
        assert time.monotonic() < deadline, "the run takes too long"
        time.sleep(0.5)


def job_of(vendors: Emulator, vendor: str, job_id: str) -> EmulatedJob:
    return next(job for job in vendors.jobs(vendor) if job.id == job_id)


@pytest.mark.parametrize(("vendor", "destination", "mode"), CASES)
def test_it_lands(
    vendors: Emulator, s3_store: S3Store, outcome: Outcome, vendor: str, destination: str, mode: str
) -> None:
    name = task_id(vendor, destination, mode)
    assert outcome.tasks[name].state == "success"
    returned = outcome.returned[name]
    if destination == "xcom":
        assert returned["list"] if vendor == "proofy" else returned
        return
    served = [file.sha256 for file in job_of(vendors, vendor, returned["job_id"]).files()]
    assert [file["sha256"] for file in returned["files"]] == served
    if destination == "folder":
        contents = [Path(file["uri"].removeprefix("file://")).read_bytes() for file in returned["files"]]
    else:
        keys = [file["uri"].removeprefix(f"s3://aws_test@{BUCKET}/") for file in returned["files"]]
        with contextlib.closing(s3_store.client()) as client:
            contents = [client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
    assert [hashlib.sha256(content).hexdigest() for content in contents] == served


def test_what_was_to_defer_deferred_and_the_rest_did_not(outcome: Outcome) -> None:
    assert outcome.deferred == {name for name in outcome.tasks if name.endswith("_deferred")}


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_task_submitted_once(vendors: Emulator, outcome: Outcome, vendor: str) -> None:
    ours = [name for name in outcome.tasks if name.startswith(vendor)]
    assert len(vendors.jobs(vendor)) == len(ours) == len(DESTINATIONS)
