"""What OpenLineage is told, where Airflow's provider is installed; and that nothing is missed without it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.lineage import dataset_name
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Looks
from tests.support.airflow_jobs import work


class Kept(list[Any]):
    """Operators, kept as they execute: Airflow asks the very one that has."""

    def keep(self, context: Any) -> None:
        self.append(context["task"])

    @property
    def lineage(self) -> Any:
        return self[-1].get_openlineage_facets_on_complete(None)


def test_without_openlineage_there_is_none(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage", None)
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.extractors", None)
    kept = Kept()
    job = connections.add_job("revenuebase", ResultSpec(bytes=3_000))
    outcome = api.run(
        lambda: DownloadBatchResultsOperator(
            task_id="download",
            conn_id="revenuebase_default",
            job_id=job.id,
            destination=f"{tmp_path}/out.csv",
            pre_execute=kept.keep,
        )
    )
    assert outcome.state == "success", outcome.error
    assert kept.lineage is None


def test_before_it_has_run_a_task_has_none() -> None:
    task = DownloadBatchResultsOperator(task_id="download", conn_id="c", job_id="1")
    assert task.get_openlineage_facets_on_complete(None) is None


@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])
def test_the_job_is_the_input_and_the_files_are_the_outputs(
    connections: Emulator, api: ExecutionApi, looks: Looks, tmp_path: Path, deferrable: bool
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
    outcome = api.run(
        lambda: DownloadBatchResultsOperator(
            task_id="download", conn_id="revenuebase_default", job_id=job.id, pre_execute=kept.keep
        )
    )
    assert outcome.state == "success", outcome.error
    assert [given.name for given in kept.lineage.inputs] == [f"jobs/{job.id}"]
    assert kept.lineage.outputs == []


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("s3://aws_conn@lake/october/report.csv", ("s3://lake", "october/report.csv")),
        ("gs://lake/what?#1.csv", ("gs://lake", "what?#1.csv")),
        ("file:///data/x.csv", ("file", "/data/x.csv")),
        ("/data/x.csv", ("file", "/data/x.csv")),
    ],
)
def test_datasets_are_named_without_the_connection(place: str, name: tuple[str, str]) -> None:
    assert dataset_name(place) == name
