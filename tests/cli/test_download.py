"""`airflow batchdl download`, against the emulator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, ResultSpec
from airflow_provider_batchdl.hooks.base import BatchApiHook
from tests.cli.conftest import Ended
from tests.support.airflow_jobs import work

Batchdl = Callable[..., Ended]


@pytest.fixture
def job(connections: Emulator, tmp_path: Path) -> EmulatedJob:
    """A finished job of Batch.com's with two parts."""
    connections.set_result("batchcom", ResultSpec(bytes=60_000, parts=2))
    arguments = work("batchcom", tmp_path)
    BatchApiHook.for_connection(arguments.pop("conn_id")).submit_job(**arguments)
    [job] = connections.jobs("batchcom")
    job.finish()
    return job


def landed(folder: Path) -> list[str]:
    files = sorted(path for path in folder.iterdir() if path.name != "_manifest.json")
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


@pytest.mark.parametrize("slash", ["", "/"])
def test_into_a_folder(batchdl: Batchdl, job: EmulatedJob, tmp_path: Path, slash: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    ended = batchdl("download", "-c", "batchcom_default", job.id, f"{folder}{slash}", "-o", "json")
    assert ended.code == 0
    assert landed(folder) == [file.sha256 for file in job.files()] == [row["sha256"] for row in json.loads(ended.out)]
    assert ended.err.startswith(f"Job {job.id}: 2 files, 60,000 bytes in ")


def test_relative_to_where_the_shell_is(
    batchdl: Batchdl, job: EmulatedJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert batchdl("download", "-c", "batchcom_default", job.id, ".").code == 0
    assert landed(folder) == [file.sha256 for file in job.files()]


def test_its_options_reach_the_download(batchdl: Batchdl, job: EmulatedJob, tmp_path: Path) -> None:
    command = ("download", "-c", "batchcom_default", job.id, f"{tmp_path}/out/", "-o", "json")
    first = batchdl(*command, "--no-sha256", "--max-connections", "1")
    assert [row["sha256"] for row in json.loads(first.out)] == [None, None]
    again = batchdl(*command, "--if-exists", "error")
    assert again.code == 1
    assert "DestinationError" in again.err


def test_a_job_that_goes_on(batchdl: Batchdl, connections: Emulator, tmp_path: Path) -> None:
    connections.world.run_seconds = 3600
    arguments = work("proofy", tmp_path)
    job_id = BatchApiHook.for_connection(arguments.pop("conn_id")).submit_job(**arguments).id
    ended = batchdl("download", "-c", "proofy_default", job_id, f"{tmp_path}/out/")
    assert ended.code == 75
    assert "ResultNotReadyError" in ended.err
    assert not (tmp_path / "out").exists()
