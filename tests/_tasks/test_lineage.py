"""What OpenLineage is told, where Airflow's provider is installed; and that nothing is missed without it."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.utils.state import TaskInstanceState

from airflow_provider_batchdl._tasks.lineage import dataset_name
from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import download, work

REPORTS = Asset("reports", uri="s3://lake/reports")


class Kept(list[Any]):
    """Operators, kept as they execute: Airflow asks the very one that has."""

    def keep(self, context: Any) -> None:
        self.append(context["ti"].task)  # its "task" is a copy of that in Airflow 3.1.0

    @property
    def lineage(self) -> Any:
        return self[-1].get_openlineage_facets_on_complete(None)

    def told(self, state: str) -> Any:
        """What Airflow's provider makes of the last one for the event of that state."""
        extractors = pytest.importorskip("airflow.providers.openlineage.extractors.manager")
        dag_run, ti = SimpleNamespace(run_id="run_1"), SimpleNamespace(get_template_context=dict)
        return extractors.ExtractorManager().extract_metadata(dag_run, self[-1], TaskInstanceState(state), ti)


def names(datasets: list[Any]) -> list[tuple[str, str]]:
    return [(dataset.namespace, dataset.name) for dataset in datasets]


def test_without_openlineage_there_is_none(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage", None)
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.extractors", None)
    kept = Kept()
    job = connections.add_job("revenuebase", ResultSpec(bytes=3_000))
    outcome = api.run(download(job, tmp_path, pre_execute=kept.keep))
    assert outcome.state == "success", outcome.error
    assert kept.lineage is None


def test_before_it_has_run_a_task_has_none() -> None:
    task = DownloadBatchResultsOperator(task_id="download", conn_id="c", job_id="1")
    assert task.get_openlineage_facets_on_complete(None) is None


def test_a_submit_makes_the_job_of_the_file_and_the_download_the_objects_of_the_job(
    connections: Emulator, api: ExecutionApi, tmp_path: Path
) -> None:
    """What one task makes goes by the same name as what the next one reads."""
    kept, arguments = Kept(), work("revenuebase", tmp_path)
    submit = partial(SubmitBatchJobOperator, task_id="submit", pre_execute=kept.keep, **arguments)
    outcome = api.run(submit)
    assert outcome.state == "success", outcome.error
    submitted, [job] = kept.told("success"), connections.jobs("revenuebase")
    assert names(submitted.inputs) == [("file", arguments["file"])]
    assert submitted.run_facets["externalQuery"].externalQueryId == job.id == outcome.value
    job.finish()
    assert api.run(download(job, tmp_path, pre_execute=kept.keep)).state == "success"
    downloaded = kept.told("success")
    assert names(submitted.outputs) == names(downloaded.inputs)
    assert names(downloaded.outputs) == [("file", f"{tmp_path}/out.csv")]


def test_one_task_that_does_it_all_reads_the_file_too(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    kept, arguments = Kept(), work("revenuebase", tmp_path)
    make = partial(BatchJobOperator, task_id="run", deferrable=False, pre_execute=kept.keep, **arguments)
    outcome = api.run(make)
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs("revenuebase")
    assert [name for _, name in names(kept.told("success").inputs)] == [arguments["file"], f"jobs/{job.id}"]


def test_a_request_is_read_from_where_the_task_says(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    kept, people = Kept(), Asset("people", uri="s3://lake/people")
    submit = partial(SubmitBatchJobOperator, task_id="submit", inlets=[people], pre_execute=kept.keep)
    outcome = api.run(lambda: submit(**work("proofy", tmp_path)))
    assert outcome.state == "success", outcome.error
    lineage = kept.told("success")
    assert names(lineage.inputs) == [("s3://lake", "people")]
    assert [name for _, name in names(lineage.outputs)] == [f"jobs/{outcome.value}"]


def test_a_file_that_is_also_declared_is_named_once(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    kept, arguments = Kept(), work("revenuebase", tmp_path)
    people = Asset("people", uri=f"file://{arguments['file']}")
    submit = partial(SubmitBatchJobOperator, task_id="submit", inlets=[people], pre_execute=kept.keep, **arguments)
    assert api.run(submit).state == "success"
    assert names(kept.told("success").inputs) == [("file", arguments["file"])]


@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])
def test_the_job_is_the_input_and_the_files_are_the_outputs(
    connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path, deferrable: bool
) -> None:
    pytest.importorskip("airflow.providers.openlineage.extractors")
    kept = Kept()
    arguments = {**work("apartmentiq", tmp_path), "destination": f"{tmp_path}/out/", "pre_execute": kept.keep}
    outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", deferrable=deferrable, **arguments))
    assert outcome.state == "success", outcome.error
    [file], lineage = outcome.value["files"], kept.lineage
    source = connections.urls["apartmentiq"].partition("://")[2].partition("/")[0]
    [given], [made] = lineage.inputs, lineage.outputs
    assert (given.namespace, given.name) == (f"apartmentiq://{source}", f"jobs/{outcome.value['job_id']}")
    assert (made.namespace, made.name) == ("file", file["uri"])
    statistics = made.outputFacets["outputStatistics"]
    assert (statistics.size, statistics.rowCount) == (file["bytes"], file["rows"])
    query = lineage.run_facets["externalQuery"]
    assert (query.externalQueryId, query.source) == (outcome.value["job_id"], f"apartmentiq://{source}")


def test_a_result_in_xcom_has_an_input_only(connections: Emulator, api: ExecutionApi) -> None:
    pytest.importorskip("airflow.providers.openlineage.extractors")
    kept = Kept()
    job = connections.add_job("revenuebase", ResultSpec(bytes=3_000))
    outcome = api.run(download(job, pre_execute=kept.keep))
    assert outcome.state == "success", outcome.error
    assert [given.name for given in kept.lineage.inputs] == [f"jobs/{job.id}"]
    assert kept.lineage.outputs == []


@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])
def test_a_task_that_failed_names_the_job_and_where_its_result_was_to_go(
    connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path, deferrable: bool
) -> None:
    kept = Kept()
    connections.world.run_seconds = 3600

    def fail() -> None:
        connections.jobs("revenuebase")[0].fail()

    polls.before_next(fail)
    arguments = {**work("revenuebase", tmp_path), "outlets": [REPORTS], "pre_execute": kept.keep}
    outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", deferrable=deferrable, **arguments))
    assert outcome.kind == ("up_for_retry", "JobFailedError")
    lineage = kept.told("failed")
    [job] = connections.jobs("revenuebase")
    assert [given.name for given in lineage.inputs] == [arguments["file"], f"jobs/{job.id}"]
    assert [(made.namespace, made.name) for made in lineage.outputs] == [("s3://lake", "reports")]
    assert lineage.run_facets["externalQuery"].externalQueryId == job.id


def test_a_download_that_failed_names_no_file(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    kept = Kept()
    job = connections.add_job("revenuebase", state="running")
    outcome = api.run(download(job, tmp_path, pre_execute=kept.keep))
    assert outcome.kind == ("up_for_retry", "ResultNotReadyError")
    lineage = kept.told("failed")
    assert [given.name for given in lineage.inputs] == [f"jobs/{job.id}"]
    assert lineage.outputs == []


def test_before_there_is_a_job_the_dag_file_speaks(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    """The start event, and the failure of a task whose submit was refused."""
    pytest.importorskip("airflow.providers.openlineage", "2.16", reason="an older one leaves declared assets out")
    kept = Kept()
    connections.add_fault(Fault("status", operation="submit", status=401, times=9))
    arguments = {**work("revenuebase", tmp_path), "outlets": [REPORTS], "pre_execute": kept.keep}
    outcome = api.run(lambda: BatchJobOperator(task_id="run", **arguments))
    assert outcome.state == "failed"
    for state in ("running", "failed"):
        lineage = kept.told(state)
        assert lineage.inputs == []
        assert [(made.namespace, made.name) for made in lineage.outputs] == [("s3://lake", "reports")]


def test_a_result_in_xcom_goes_where_the_task_says(connections: Emulator, api: ExecutionApi) -> None:
    kept = Kept()
    job = connections.add_job("revenuebase", ResultSpec(bytes=3_000))
    outcome = api.run(download(job, outlets=[REPORTS, AssetAlias("results")], pre_execute=kept.keep))
    assert outcome.state == "success", outcome.error
    lineage = kept.told("success")
    assert [given.name for given in lineage.inputs] == [f"jobs/{job.id}"]
    assert [(made.namespace, made.name) for made in lineage.outputs] == [("s3://lake", "reports")]


def test_what_landed_is_more_than_what_was_declared(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    kept = Kept()
    job = connections.add_job("batchcom", ResultSpec(bytes=9_000, parts=3))
    outcome = api.run(download(job, destination=f"{tmp_path}/out/", outlets=[REPORTS], pre_execute=kept.keep))
    assert outcome.state == "success", outcome.error
    lineage = kept.told("success")
    files = outcome.value["files"]
    assert [made.name for made in lineage.outputs] == [file["uri"] for file in files]
    statistics = [made.outputFacets["outputStatistics"] for made in lineage.outputs]
    assert [(each.size, each.rowCount) for each in statistics] == [(file["bytes"], file["rows"]) for file in files]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("s3://aws_conn@lake/october/report.csv", ("s3://lake", "october/report.csv")),
        ("gs://lake/what?#1.csv", ("gs://lake", "what?#1.csv")),
        ("https://me:pass@h.example/a/b.csv?X-Amz-Signature=abc#d", ("https://h.example", "a/b.csv")),
        ("https://h.example?sig=a/b", ("https://h.example", "")),
        ("file:///data/x.csv", ("file", "/data/x.csv")),
        ("/data/x.csv", ("file", "/data/x.csv")),
    ],
)
def test_datasets_are_named_without_connection_and_secrets(place: str, name: tuple[str, str]) -> None:
    assert dataset_name(place) == name
