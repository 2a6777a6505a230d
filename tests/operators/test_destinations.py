"""Destinations, through the operators: refused before anything is paid for, and where the user reads that they are."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, ObjectStoragePath
from airflow.sdk.io import store

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import DestinationError, InvalidArgumentError, InvalidRequestError
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.task_groups import batch_job
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_jobs import count, download, work

REFUSED = {
    "file://{folder}/dag::monday/x.csv": "has '::' in it",
    "{folder}//x.csv": "has an empty segment, '//'",
    "{folder}/x.csv\n\n": "has a line break",
    "out/": "is relative to a folder that each worker has another of",
    "": "The destination is empty.",
    "None": "The destination 'None' is no place.",
    "s4://bucket/x.csv": 'No installed provider serves s4:// destinations. Did you mean "s3://"?',
    "gss://bucket/x.csv": 'Did you mean "gs://"?',
    "adls://bucket/x.csv": 'Did you mean "adl://"?',
    **{f"{scheme}://bucket/x.csv": "Use one of file, local, s3, " for scheme in ("hdfs", "oss", "cos", "nfs", "dbfs")},
    "nowhere://bucket/x.csv": "or install the provider that serves it",
}

# By scheme: the extra, its library, and Airflow's provider.
EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), ("s3", "s3fs", "airflow.providers.amazon")),
    **dict.fromkeys(("gs", "gcs"), ("gcs", "gcsfs", "airflow.providers.google")),
    **dict.fromkeys(("abfs", "abfss"), ("azure", "adlfs", "airflow.providers.microsoft.azure")),
}


@pytest.mark.parametrize("destination", REFUSED)
def test_what_is_no_template_is_refused_when_the_dag_is_read(tmp_path: Path, destination: str) -> None:
    place = destination.format(folder=tmp_path)
    for make in (
        lambda: BatchJobOperator(task_id="task", destination=place, **work("proofy", tmp_path)),
        lambda: download_of("1", place),
        lambda: BatchJobOperator.partial(task_id="task", conn_id="proofy_default", destination=place),
        lambda: batch_job("proofy_default", {"emails": []}, destination=place),
    ):
        with DAG("dag", schedule=None), pytest.raises(ValueError, match="destination") as caught:
            make()
        assert isinstance(caught.value, InvalidArgumentError)
        assert REFUSED[destination] in str(caught.value)


def download_of(job_id: str, destination: Any) -> DownloadBatchResultsOperator:
    return DownloadBatchResultsOperator(
        task_id="download", conn_id="proofy_default", job_id=job_id, destination=destination
    )


@pytest.mark.parametrize("destination", [3, True, b"s3://bucket/x", ["/tmp/x"], {}])
def test_what_is_no_text_is_refused_when_the_dag_is_read(destination: Any) -> None:
    with pytest.raises(ValueError, match="destination must be a text that is not empty, not "):
        download_of("1", destination)


def test_a_dag_may_have_templates_of_its_own_kind() -> None:
    with DAG("dag", schedule=None, jinja_environment_kwargs={"variable_start_string": "[["}):
        download_of("1", "[[ params.place ]]/")
        DownloadBatchResultsOperator.partial(
            task_id="mapped", conn_id="proofy_default", destination="[[ params.place ]]/"
        ).expand(job_id=["1"])


@pytest.mark.parametrize("blocked", ["library", "provider"])
@pytest.mark.parametrize(("scheme", "extra"), EXTRAS.items())
def test_a_store_without_its_packages_is_told_with_the_extra_to_install(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    extra: tuple[str, str, str],
    blocked: str,
) -> None:
    name, library, provider = extra
    module = library if blocked == "library" else provider
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    monkeypatch.setattr(store, "_STORE_CACHE", {})  # other tests of this process may have used one
    with pytest.raises(
        ValueError, match=rf"{scheme}:// destinations need .*{re.escape(module)}.*not installed"
    ) as caught:
        download_of("1", f"{scheme}://conn@bucket/x.csv")
    assert f"pip install 'airflow-provider-batchdl[{name}]'" in str(caught.value)
    arguments: dict[str, Any] = work("apartmentiq", tmp_path)
    place = f"{scheme}://conn@bucket/{{{{ ds }}}}.csv"  # known in the task only
    outcome = api.run(lambda: BatchJobOperator(task_id="run", destination=place, **arguments))
    assert outcome.kind == ("failed", "BatchTaskFailedError")
    assert f"pip install 'airflow-provider-batchdl[{name}]'" in str(outcome.error)
    assert count(connections, "submit") == 0


@pytest.mark.parametrize("destination", [*REFUSED, "s3://bucket/x.csv?versionId=3"])
def test_what_would_lead_elsewhere_is_refused_before_the_submit(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, destination: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    arguments: dict[str, Any] = work("apartmentiq", tmp_path)
    place = f"{{{{ {destination.format(folder=f'{tmp_path}/out')!r} }}}}"
    outcome = api.run(lambda: BatchJobOperator(task_id="run", destination=place, **arguments))
    assert outcome.kind == ("failed", "BatchTaskFailedError")
    assert outcome.error is not None
    assert isinstance(outcome.cause, InvalidRequestError | DestinationError)
    assert count(connections, "submit") == 0
    assert not (tmp_path / "out").exists()


def test_a_pipe_is_refused_before_the_submit(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    arguments: dict[str, Any] = work("apartmentiq", tmp_path)
    outcome = api.run(lambda: BatchJobOperator(task_id="run", destination=f"{tmp_path}/pipe", **arguments))
    assert outcome.error is not None
    assert isinstance(outcome.cause, DestinationError)
    assert count(connections, "submit") == 0
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_days_with_colons_in_their_names_are_two_days(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, scheme: str
) -> None:
    places = [tmp_path / f"dag::{day}" / "x.csv" for day in ("monday", "tuesday")]
    jobs = [connections.add_job("apartmentiq", ResultSpec(bytes=size)) for size in (3_000, 4_000)]
    for job, place in zip(jobs, places, strict=True):
        text = f"{{{{ {f'{scheme}{place}'!r} }}}}"
        outcome = api.run(download(job, destination=text))
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
