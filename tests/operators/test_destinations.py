"""Destinations, through the operators: refused before anything is paid for, and where the user reads that they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import DestinationError, InvalidRequestError
from airflow_provider_batchdl.operators.run import BatchJobOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_jobs import count, download, work


@pytest.mark.parametrize(
    "destination",
    [
        "file://{folder}/dag::monday/x.csv",
        "{folder}/{{{{ none }}}}/x.csv",
        "s3://bucket/x.csv?versionId=3",
        "{folder}/x.csv\n\n",  # Jinja drops one
        "out/",
    ],
)
def test_what_would_lead_elsewhere_is_refused_before_the_submit(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, destination: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    arguments: dict[str, Any] = work("apartmentiq", tmp_path)
    place = destination.format(folder=f"{tmp_path}/out").replace("{{ none }}", "{{ params.get('none', '') }}")
    outcome = api.run(lambda: BatchJobOperator(task_id="run", destination=place, **arguments))
    assert outcome.kind == ("failed", "BatchTaskFailedError")
    assert outcome.error is not None
    assert isinstance(outcome.error.__cause__, InvalidRequestError)
    assert count(connections, "submit") == 0
    assert not (tmp_path / "out").exists()


def test_a_pipe_is_refused_before_the_submit(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    arguments: dict[str, Any] = work("apartmentiq", tmp_path)
    outcome = api.run(lambda: BatchJobOperator(task_id="run", destination=f"{tmp_path}/pipe", **arguments))
    assert outcome.error is not None
    assert isinstance(outcome.error.__cause__, DestinationError)
    assert count(connections, "submit") == 0
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_days_with_colons_in_their_names_are_two_days(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, scheme: str
) -> None:
    places = [tmp_path / f"dag::{day}" / "x.csv" for day in ("monday", "tuesday")]
    jobs = [connections.add_job("apartmentiq", ResultSpec(bytes=size)) for size in (3_000, 4_000)]
    for job, place in zip(jobs, places, strict=True):
        outcome = api.run(download(job, destination=f"{scheme}{place}"))
        assert outcome.state == ("failed" if scheme else "success"), outcome.error
    assert [place.stat().st_size for place in places if place.exists()] == ([] if scheme else [3_000, 4_000])


def test_a_path_objects_folder_takes_every_jobs_file(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    """Airflow renders a path object as a template, and drops the slash at its end in doing so."""
    folder = ObjectStoragePath(f"file://{tmp_path}/{{{{ ds }}}}/")
    for _ in range(2):
        job = connections.add_job("apartmentiq", ResultSpec(bytes=3_000))
        assert api.run(download(job, destination=folder)).state == "success"
    arguments: dict[str, Any] = work("apartmentiq", tmp_path)
    outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", destination=folder, deferrable=False, **arguments))
    assert outcome.state == "success", outcome.error
    [day] = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(list(day.glob("*.csv"))) == 3  # before Airflow 3.3 the job is noted beside them


def test_a_path_object_that_may_be_either_is_refused(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    job = connections.add_job("apartmentiq", ResultSpec(bytes=3_000))
    outcome = api.run(download(job, destination=ObjectStoragePath(f"{tmp_path}/verified")))
    assert outcome.state == "failed"
    (tmp_path / "verified").mkdir()
    outcome = api.run(download(job, destination=ObjectStoragePath(f"{tmp_path}/verified")))
    assert outcome.state == "success", outcome.error
    assert len(list((tmp_path / "verified").iterdir())) == 1
