"""Whole DAGs through ``dag.test()``: Airflow's own database, its API in process, and its own way of deferring.

What it cannot show (several triggerers, kills, time-outs) the other tests do, against an Execution API in memory.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._tasks.job_record import STATE_KEY
from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, ResultSpec
from airflow_provider_batchdl.triggers.job import BatchJobTrigger
from tests.support.airflow_features import needs_asset_partitions, needs_task_state_store
from tests.support.airflow_jobs import VENDORS, landed_in, work
from tests.support.leaks import find_secrets
from tests.support.seaweedfs import S3Store

MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])
# The group is the three tasks of the first shape, which `make test` runs; `make long` runs it in all modes, too.
SHAPE = pytest.mark.parametrize("shape", ["tasks", "one task", pytest.param("task group", marks=pytest.mark.long)])

_DAG = """
import json
from airflow.sdk import DAG, Asset, task
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.task_groups import batch_job

@task(task_id="land")
def land(landing):
    return landing

@task(task_id="land")
def land_all(landings):
    return list(landings)

with DAG("{dag_id}", schedule=None) as dag:
{body}
"""
_TASKS = """
    submit = SubmitBatchJobOperator(task_id="submit", **{job!r})
    wait = BatchJobSensor(task_id="wait", conn_id={job[conn_id]!r}, job_id=submit.output, deferrable={deferrable})
    land = DownloadBatchResultsOperator(
        task_id="land", conn_id={job[conn_id]!r}, job_id=submit.output, destination={destination!r}
    )
    wait >> land
"""
_ONE_TASK = """
    BatchJobOperator(task_id="land", deferrable={deferrable}, destination={destination!r}, **{job!r})
"""
_GROUP = """
    land(batch_job(deferrable={deferrable}, destination={destination!r}, **{job!r}))
"""
_MAPPED_TASKS = """
    jobs = {jobs!r}
    submit = SubmitBatchJobOperator.partial(task_id="submit", conn_id="proofy_default").expand(request=jobs)
    wait = BatchJobSensor.partial(task_id="wait", conn_id="proofy_default", deferrable={deferrable}).expand(
        job_id=submit.output
    )
    land = DownloadBatchResultsOperator.partial(
        task_id="land", conn_id="proofy_default", destination={destination!r}
    ).expand(job_id=submit.output)
    wait >> land
"""
_MAPPED_ONE_TASK = """
    BatchJobOperator.partial(
        task_id="land", conn_id="proofy_default", deferrable={deferrable}, destination={destination!r}
    ).expand(request={jobs!r})
"""
_MAPPED_GROUP = """
    land_all(
        batch_job.partial(conn_id="proofy_default", deferrable={deferrable}, destination={destination!r}).expand(
            request={jobs!r}
        )
    )
"""
_GROUP_MAPPED_OVER_PARTITIONS = """
    outlets = [Asset("reports", uri="s3://lake/reports")]
    given = {{"deferrable": {deferrable}, "destination": {destination!r}, "outlets": outlets}}
    batch_job.partial(request={job!r}, conn_id="proofy_default", **given).expand(partition_key={keys!r})
"""

_MAPPED_AND_RETRIED = """
    from datetime import timedelta

    @task
    def requests():
        return {jobs!r}

    def fail_once(context, result=None):
        if context["ti"].try_number == 1:
            raise RuntimeError("the worker forgets what it has done")

    BatchJobOperator.partial(
        task_id="land", conn_id="proofy_default", deferrable={deferrable}, destination={destination!r}, retries=1,
        retry_delay=timedelta(0), post_execute=fail_once,
    ).expand(request=requests())
"""


@pytest.fixture(autouse=True)
def _really_deferred(connections: Emulator, monkeypatch: pytest.MonkeyPatch, deferrable: bool) -> Iterator[None]:
    """Where a task is to defer, no job ends before a trigger watches it."""
    watched: list[str] = []
    real = BatchJobTrigger._wait

    async def finish_and_wait(trigger: BatchJobTrigger) -> dict[str, Any]:
        watched.append(trigger.job_id)
        for job in connections.jobs(trigger.conn_id.removesuffix("_default")):
            if job.id == trigger.job_id:
                job.finish()
        return await real(trigger)

    if deferrable:
        connections.world.run_seconds = 3600
    monkeypatch.setattr(BatchJobTrigger, "_wait", finish_and_wait)
    yield
    assert bool(watched) is deferrable


@pytest.fixture(scope="module")
def _airflow_database() -> None:
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture(scope="module")
def _one_api_server() -> Iterator[None]:
    """Airflow 3.3 makes one for all tasks; before, each task has its own, and waits seconds for it."""
    from airflow.sdk.execution_time import supervisor

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervisor, "in_process_api_server", functools.cache(supervisor.in_process_api_server))
        yield


@pytest.fixture
def run_dag(
    _airflow_database: None, _one_api_server: None, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Any]]:
    """Write a DAG file into the DAGs folder, run the DAG, and return what its task `land` returned (all instances)."""
    folder = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    folder.mkdir(parents=True, exist_ok=True)
    dag_id = "".join(letter if letter.isalnum() else "_" for letter in request.node.name)
    file = folder / f"{dag_id}.py"

    def run(body: str, **facts: Any) -> Any:
        file.write_text(_DAG.format(dag_id=dag_id, body=body.format(**facts)))
        spec = importlib.util.spec_from_file_location(dag_id, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        dag_run = module.dag.test()
        assert dag_run.state == "success", {ti.task_id: ti.state for ti in dag_run.get_task_instances()}
        return returned(dag_run)

    yield run
    file.unlink(missing_ok=True)


def returned(dag_run: Any) -> list[Any]:
    """The return values of `land`, after a look that no XCom of the run shows a secret."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.scalars(
            select(XComModel).where(XComModel.dag_id == dag_run.dag_id, XComModel.run_id == dag_run.run_id)
        ).all()
        found = [(row.task_id, row.key, row.map_index, row.value) for row in rows]
    assert not find_secrets(json.dumps([value for *_, value in found]))
    values = {index: value for task, key, index, value in found if (task, key) == ("land", "return_value")}
    return [json.loads(value) if isinstance(value, str) else value for _, value in sorted(values.items())]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def served(job: EmulatedJob) -> list[str]:
    return [file.sha256 for file in job.files()]


@SHAPE
@MODES
@pytest.mark.parametrize("vendor", VENDORS)
def test_to_a_local_folder(
    connections: Emulator, run_dag: Callable[..., Any], tmp_path: Path, vendor: str, deferrable: bool, shape: str
) -> None:
    connections.set_result(vendor, ResultSpec(bytes=60_000, parts=2 if vendor == "batchcom" else 1))
    body = {"tasks": _TASKS, "one task": _ONE_TASK, "task group": _GROUP}[shape]
    [landing] = run_dag(
        body, job=work(vendor, tmp_path), deferrable=deferrable, destination=f"{tmp_path}/out/{{{{ run_id }}}}/"
    )
    [job] = connections.jobs(vendor)
    [folder] = landed_in(tmp_path / "out")
    files = sorted(path for path in landed_in(folder) if path.name != "_manifest.json")
    assert [sha256(path.read_bytes()) for path in files] == served(job)
    assert [file["sha256"] for file in landing["files"]] == served(job)
    assert landing["job_id"] == job.id


@MODES
@pytest.mark.parametrize("vendor", VENDORS)
def test_to_s3(
    connections: Emulator,
    run_dag: Callable[..., Any],
    tmp_path: Path,
    s3_store: S3Store,
    monkeypatch: pytest.MonkeyPatch,
    vendor: str,
    deferrable: bool,
) -> None:
    connection = {
        "conn_type": "aws",
        "login": s3_store.access_key,
        "password": s3_store.secret_key,
        "extra": {"endpoint_url": s3_store.endpoint_url, "region_name": "us-east-1"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_AWS_TEST", json.dumps(connection))
    connections.set_result(vendor, ResultSpec(bytes=60_000))
    bucket = f"dag-test-{vendor}-{str(deferrable).lower()}"
    client = s3_store.client()
    client.create_bucket(Bucket=bucket)
    [landing] = run_dag(
        _TASKS, job=work(vendor, tmp_path), deferrable=deferrable, destination=f"s3://aws_test@{bucket}/{{{{ ds }}}}/"
    )
    [job] = connections.jobs(vendor)
    [listed] = client.list_objects_v2(Bucket=bucket)["Contents"]
    body = client.get_object(Bucket=bucket, Key=listed["Key"])["Body"].read()
    client.close()
    assert [sha256(body)] == served(job) == [file["sha256"] for file in landing["files"]]
    assert landing["files"][0]["uri"] == f"s3://aws_test@{bucket}/{listed['Key']}"


@MODES
@pytest.mark.parametrize("vendor", VENDORS)
def test_into_xcom(
    connections: Emulator, run_dag: Callable[..., Any], tmp_path: Path, vendor: str, deferrable: bool
) -> None:
    connections.set_result(vendor, ResultSpec(bytes=3_000))
    [rows] = run_dag(_TASKS, job=work(vendor, tmp_path), deferrable=deferrable, destination=None)
    rows = rows["list"] if vendor == "proofy" else rows
    assert len(rows) > 3
    assert all(isinstance(row, dict) for row in rows)


@SHAPE
@MODES
def test_mapped_over_three(
    connections: Emulator, run_dag: Callable[..., Any], tmp_path: Path, deferrable: bool, shape: str
) -> None:
    jobs = [{"emails": [f"someone{number}@example.com"]} for number in range(3)]
    body = {"tasks": _MAPPED_TASKS, "one task": _MAPPED_ONE_TASK, "task group": _MAPPED_GROUP}[shape]
    landings = run_dag(body, jobs=jobs, deferrable=deferrable, destination=f"{tmp_path}/out/{{{{ ti.map_index }}}}/")
    if shape == "task group":
        [landings] = landings
    submitted = {job.id: job for job in connections.jobs("proofy")}
    assert [submitted[landing["job_id"]].request["emails"] for landing in landings] == [job["emails"] for job in jobs]
    for number, landing in enumerate(landings):
        [path] = landed_in(tmp_path / f"out/{number}")
        assert [sha256(path.read_bytes())] == served(submitted[landing["job_id"]])


@MODES
@needs_task_state_store
def test_an_expansion_is_no_clear(
    connections: Emulator, run_dag: Callable[..., Any], tmp_path: Path, deferrable: bool
) -> None:
    """Airflow makes the instances when the list is there, the first of them of the task's own row. Their ``max_tries``,
    which numbers the generations, stays as it is from the submit to the retry: nothing is paid for twice."""
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    jobs = [{"emails": [f"someone{number}@example.com"]} for number in range(3)]
    destination = f"{tmp_path}/out/{{{{ ti.map_index }}}}/"
    landings = run_dag(_MAPPED_AND_RETRIED, jobs=jobs, deferrable=deferrable, destination=destination)
    assert sorted(landing["job_id"] for landing in landings) == sorted(job.id for job in connections.jobs("proofy"))
    with create_session() as session:
        model, folder = TaskStateStoreModel, f"%{'deferred' if deferrable else 'waiting'}%"
        of_this = (TaskInstance.task_id == "land", TaskInstance.dag_id.like(f"test_an_expansion{folder}"))
        tries = session.execute(
            select(TaskInstance.map_index, TaskInstance.try_number, TaskInstance.max_tries).where(*of_this)
        ).all()
        records = session.scalars(
            select(model.value).where(model.key == STATE_KEY, model.dag_id.like(f"test_an_expansion{folder}"))
        ).all()
    assert sorted(map(tuple, tries)) == [(0, 2, 1), (1, 2, 1), (2, 2, 1)]
    assert [json.loads(record)["generation"] for record in records] == [1, 1, 1]


@MODES
@needs_asset_partitions
def test_a_group_for_each_partition(
    connections: Emulator, run_dag: Callable[..., Any], tmp_path: Path, deferrable: bool
) -> None:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    months, place = ["2026-10", "2026-11"], f"{tmp_path}/out/{{{{ ti.map_index }}}}/"
    job = {"emails": ["someone@example.com"]}
    run_dag(_GROUP_MAPPED_OVER_PARTITIONS, job=job, keys=months, deferrable=deferrable, destination=place)
    with create_session() as session:
        events = session.scalars(select(AssetEvent).order_by(AssetEvent.id.desc()).limit(len(months))).all()
        found = {str(event.partition_key): event.extra["job_id"] for event in events}
    assert sorted(found) == months
    assert set(found.values()) == {job.id for job in connections.jobs("proofy")}
