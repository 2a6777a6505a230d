from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._airflow.fail_fast import BatchTaskFailedError
from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import (
    DestinationError,
    InvalidRequestError,
    JobCancelledError,
    JobFailedError,
    ResultTooLargeError,
)
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import VENDORS


def download(**arguments: Any) -> DownloadBatchResultsOperator:
    return DownloadBatchResultsOperator(task_id="download", **arguments)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("vendor", VENDORS)
def test_into_a_folder(connections: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str) -> None:
    job = connections.add_job(vendor, ResultSpec(bytes=300_000))
    outcome = api.run(lambda: download(conn_id=f"{vendor}_default", job_id=job.id, destination=f"{tmp_path}/out/"))
    assert outcome.state == "success", outcome.error
    [served], [landed] = job.files(), outcome.value["files"]
    [path] = (tmp_path / "out").iterdir()
    assert sha256(path) == landed["sha256"] == served.sha256
    assert (landed["bytes"], outcome.value["bytes"], outcome.value["vendor"]) == (served.size, served.size, vendor)
    assert landed["uri"].endswith(path.name)
    json.dumps(outcome.value)


def test_as_one_object(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    job = connections.add_job("apartmentiq")
    place = f"file://{tmp_path}/reports/october.csv"
    outcome = api.run(lambda: download(conn_id="apartmentiq_default", job_id=job.id, destination=place, manifest=True))
    assert outcome.state == "success"
    assert sha256(tmp_path / "reports/october.csv") == job.files()[0].sha256
    manifest = json.loads((tmp_path / "reports/october_manifest.json").read_text())
    assert manifest["files"][0]["uri"] == place


def test_several_parts_with_a_manifest(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    job = connections.add_job("batchcom", ResultSpec(bytes=90_000, parts=3))
    outcome = api.run(lambda: download(conn_id="batchcom_default", job_id=job.id, destination=f"{tmp_path}/out/"))
    parts = sorted(path for path in (tmp_path / "out").iterdir() if path.name != "_manifest.json")
    assert [sha256(path) for path in parts] == [served.sha256 for served in job.files()]
    assert [path.name.partition("-part-")[2][:4] for path in parts] == ["0001", "0002", "0003"]
    assert json.loads((tmp_path / "out/_manifest.json").read_text()) == outcome.value


@pytest.mark.parametrize(
    ("vendor", "format"),
    [
        ("revenuebase", "csv"),
        ("revenuebase", "json"),
        ("proofy", "json"),
        ("batchcom", "jsonl"),
        ("apartmentiq", "csv"),
    ],
)
def test_into_xcom(connections: Emulator, api: ExecutionApi, vendor: str, format: str) -> None:
    job = connections.add_job(vendor, ResultSpec(bytes=4_000, format=format))
    outcome = api.run(lambda: download(conn_id=f"{vendor}_default", job_id=job.id))
    assert outcome.state == "success", outcome.error
    rows = outcome.value["list"] if vendor == "proofy" else outcome.value
    assert len(rows) > 3
    assert all(isinstance(row, dict) for row in rows)


def test_several_parts_into_xcom(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("batchcom", ResultSpec(bytes=4_000, parts=2))
    outcome = api.run(lambda: download(conn_id="batchcom_default", job_id=job.id))
    lines = b"".join(b"".join(job.content(part).chunks()) for part in (1, 2)).splitlines()
    assert outcome.value == [json.loads(line) for line in lines]


def test_too_large_for_xcom(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("apartmentiq", ResultSpec(bytes=20_000_000))
    outcome = api.run(lambda: download(conn_id="apartmentiq_default", job_id=job.id))
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert outcome.error is not None
    assert isinstance(outcome.cause, ResultTooLargeError)
    assert "destination" in str(outcome.error)
    [record] = [record for record in connections.requests if record.operation == "store"]
    assert record.bytes_sent < 10_000_000
    assert outcome.value is None


def test_before_the_job_has_ended_a_retry_may_help(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    job = connections.add_job("revenuebase", state="running")
    outcome = api.run(lambda: download(conn_id="revenuebase_default", job_id=job.id, destination=f"{tmp_path}/out/"))
    assert outcome.kind == ("up_for_retry", "ResultNotReadyError")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("state", "cause"), [("failed", JobFailedError), ("cancelled", JobCancelledError)])
def test_a_job_without_results_fails_at_once(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, state: str, cause: type[Exception]
) -> None:
    job = connections.add_job("apartmentiq", state=state)
    outcome = api.run(lambda: download(conn_id="apartmentiq_default", job_id=job.id, destination=f"{tmp_path}/out/"))
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert outcome.error is not None
    assert isinstance(outcome.cause, cause)
    assert not (tmp_path / "out").exists()


def test_partial_results_of_a_cancelled_job(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    job = connections.add_job("revenuebase", state="cancelled")
    arguments = {"conn_id": "revenuebase_default", "job_id": job.id, "destination": f"{tmp_path}/out/"}
    assert api.run(lambda: download(**arguments)).state == "failed"
    outcome = api.run(lambda: download(**arguments, accept_partial=True))
    assert outcome.value["files"][0]["sha256"] == job.files()[0].sha256


def test_a_cut_is_mended_within_the_task(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls
) -> None:
    job = connections.add_job("batchcom", ResultSpec(bytes=3_000_000))
    connections.add_fault(Fault("cut", operation="store", after_bytes=1_000_000))
    outcome = api.run(lambda: download(conn_id="batchcom_default", job_id=job.id, destination=f"{tmp_path}/out/"))
    assert outcome.state == "success", outcome.error
    assert outcome.value["files"][0]["sha256"] == job.files()[0].sha256


def test_a_number_is_a_job_id_too(connections: Emulator, api: ExecutionApi) -> None:
    """DAGs with ``render_template_as_native_obj`` turn "41001" into 41001."""
    job = connections.add_job("revenuebase", ResultSpec(bytes=1_000))
    outcome = api.run(lambda: download(conn_id="revenuebase_default", job_id=int(job.id)))
    assert outcome.state == "success", outcome.error


def test_a_template_that_renders_to_nothing_is_no_destination(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("revenuebase", ResultSpec(bytes=1_000))
    outcome = api.run(
        lambda: download(conn_id="revenuebase_default", job_id=job.id, destination="{{ dag_run.conf.get('to', '') }}")
    )
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert outcome.error is not None
    assert isinstance(outcome.cause, InvalidRequestError)


def test_a_place_that_cannot_be_written(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("revenuebase", ResultSpec(bytes=1_000))
    outcome = api.run(
        lambda: download(conn_id="revenuebase_default", job_id=job.id, destination="{{ 'nowhere' }}://bucket/key")
    )
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert outcome.error is not None
    assert isinstance(outcome.cause, DestinationError)
    assert "nowhere" in str(outcome.error)
