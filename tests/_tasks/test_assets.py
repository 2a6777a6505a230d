"""What the asset events of a download carry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessor

from airflow_provider_batchdl._tasks.assets import asset_uri
from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import InvalidArgumentError
from airflow_provider_batchdl.operators.run import BatchJobOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_asset_partitions
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import download, work

REPORTS = Asset("reports", uri="s3://lake/reports")
RESULTS = AssetAlias("results")
MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])


def events(api: ExecutionApi) -> list[dict[str, Any]]:
    """The asset events of the last task that ended well."""
    bodies = [json.loads(body) for body in api.sent]
    [*_, found] = [body["outlet_events"] for body in bodies if "outlet_events" in body]
    return list(found)


def expected(landing: dict[str, Any], rows: int | None) -> dict[str, Any]:
    """The extra that belongs to a landing."""
    return {
        "vendor": landing["vendor"],
        "job_id": landing["job_id"],
        "uris": [file["uri"] for file in landing["files"]],
        "bytes": landing["bytes"],
        "sha256": [file["sha256"] for file in landing["files"]],
        **({} if rows is None else {"rows": rows}),
    }


@MODES
def test_an_assets_event_carries_the_landing(
    connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path, deferrable: bool
) -> None:
    arguments = {**work("apartmentiq", tmp_path), "destination": f"{tmp_path}/out/", "outlets": [REPORTS, RESULTS]}
    outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", deferrable=deferrable, **arguments))
    assert outcome.state == "success", outcome.error
    [file] = outcome.value["files"]
    extra = expected(outcome.value, file["rows"])
    assert file["rows"] > 0
    asset, alias = events(api)
    assert asset == {"dest_asset_key": {"name": REPORTS.name, "uri": REPORTS.uri}, "extra": extra}
    assert alias["source_alias_name"] == RESULTS.name
    assert alias["dest_asset_key"] == {"name": f"file://{file['uri']}", "uri": f"file://{file['uri']}"}
    assert alias["extra"] == extra


def test_a_retry_that_finds_its_result_tells_the_same(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    job = connections.add_job("revenuebase", ResultSpec(bytes=3_000))
    make = download(job, tmp_path, if_exists="skip", outlets=[REPORTS, RESULTS])
    assert api.run(make).state == "success"
    first = events(api)
    assert api.run(make, try_number=2).state == "success"
    assert events(api) == first


def test_several_files_are_one_asset_where_the_user_wanted_them(
    connections: Emulator, api: ExecutionApi, tmp_path: Path
) -> None:
    job = connections.add_job("batchcom", ResultSpec(bytes=9_000, parts=3))
    outcome = api.run(download(job, destination=f"file://{tmp_path}/out/", outlets=[RESULTS]))
    assert outcome.state == "success", outcome.error
    [event] = events(api)
    assert event["dest_asset_key"]["uri"] == f"file://{tmp_path}/out"
    assert len(event["extra"]["uris"]) == len(event["extra"]["sha256"]) == 3
    assert event["extra"]["rows"] == sum(file["rows"] for file in outcome.value["files"])


def test_what_is_not_known_is_left_out(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    job = connections.add_job("revenuebase", ResultSpec(bytes=3_000))
    outcome = api.run(download(job, tmp_path, sha256=False, outlets=[REPORTS]))
    assert outcome.state == "success", outcome.error
    [event] = events(api)
    assert "sha256" not in event["extra"]
    assert event["extra"]["bytes"] == outcome.value["bytes"]


def test_a_users_own_extra_stays(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    job = connections.add_job("revenuebase", ResultSpec(bytes=3_000))

    def note(context: Any) -> None:
        context["outlet_events"][REPORTS].extra["owner"] = "finance"

    outcome = api.run(download(job, tmp_path, outlets=[REPORTS], pre_execute=note))
    assert outcome.state == "success", outcome.error
    [event] = events(api)
    assert (event["extra"]["owner"], event["extra"]["job_id"]) == ("finance", job.id)


@needs_asset_partitions
class TestPartitions:
    """Airflow 3.3's: which part of an asset a result is, for DAGs that run once for each."""

    @MODES
    @pytest.mark.parametrize("given", ["2026-10", ["2026-10", "2026-11"]], ids=["one", "several"])
    def test_the_assets_event_is_of_the_partitions_that_the_task_names(
        self,
        connections: Emulator,
        api: ExecutionApi,
        polls: Polls,
        tmp_path: Path,
        deferrable: bool,
        given: str | list[str],
    ) -> None:
        """An alias' event cannot be: it has the partition of the run, which Airflow's server adds."""
        arguments = {**work("apartmentiq", tmp_path), "destination": f"{tmp_path}/out/", "outlets": [REPORTS, RESULTS]}
        outcome = api.run_to_end(
            lambda: BatchJobOperator(task_id="run", deferrable=deferrable, partition_key=given, **arguments)
        )
        assert outcome.state == "success", outcome.error
        *of_asset, of_alias = sorted(events(api), key=lambda event: "source_alias_name" in event)
        keys = [given] if isinstance(given, str) else given
        assert sorted(event["partition_key"] for event in of_asset) == keys
        extra = expected(outcome.value, outcome.value["files"][0]["rows"])
        assert [event["extra"] for event in (*of_asset, of_alias)] == [extra] * (len(keys) + 1)
        assert "partition_key" not in of_alias

    def test_it_is_templated(self, connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
        job = connections.add_job("revenuebase", ResultSpec(bytes=3_000))
        key = "{{ dag_run.logical_date.strftime('%Y-%m') }}"
        outcome = api.run(download(job, tmp_path, outlets=[REPORTS], partition_key=key))
        assert outcome.state == "success", outcome.error
        assert [event["partition_key"] for event in events(api)] == ["2026-01"]

    @pytest.mark.parametrize(
        ("key", "keys"),
        [
            (20261129, ["20261129"]),
            ([202610, 202611], ["202610", "202611"]),
        ],
        ids=["number", "list"],
    )
    def test_what_native_rendering_made_a_number_is_a_key(
        self, connections: Emulator, api: ExecutionApi, tmp_path: Path, key: Any, keys: list[str]
    ) -> None:
        job = connections.add_job("revenuebase", ResultSpec(bytes=3_000))
        given = {"partition_key": "{{ params.key }}", "params": {"key": key}, "render_template_as_native_obj": True}
        outcome = api.run(download(job, tmp_path, outlets=[REPORTS], **given))
        assert outcome.state == "success", outcome.error
        assert sorted(event["partition_key"] for event in events(api)) == keys

    def test_a_result_in_xcom_has_its_partition_too(self, connections: Emulator, api: ExecutionApi) -> None:
        job = connections.add_job("revenuebase", ResultSpec(bytes=3_000))
        outcome = api.run(download(job, outlets=[REPORTS], partition_key="2026-10"))
        assert outcome.state == "success", outcome.error
        assert [event["partition_key"] for event in events(api)] == ["2026-10"]

    def test_without_one_the_event_is_left_to_airflow(self, connections: Emulator, api: ExecutionApi) -> None:
        """Its server gives an event without a partition that of the run."""
        job = connections.add_job("revenuebase", ResultSpec(bytes=3_000))
        assert api.run(download(job, outlets=[REPORTS])).state == "success"
        assert all("partition_key" not in event for event in events(api))

    @pytest.mark.parametrize("given", ["", "  ", ["ok", "x" * 251], [None], True, {"a": 1}])
    def test_what_cannot_be_a_key_is_refused_when_the_dag_is_parsed(self, tmp_path: Path, given: Any) -> None:
        with pytest.raises(InvalidArgumentError, match="partition_key"):
            BatchJobOperator(task_id="run", partition_key=given, outlets=[REPORTS], **work("apartmentiq", tmp_path))

    @pytest.mark.parametrize(
        ("given", "outlets"),
        [
            ("{{ '' }}", [REPORTS]),
            (["ok", "{{ 'x' * 251 }}"], [REPORTS]),
            ("2026-10", [RESULTS]),
            ("2026-10", []),
        ],
        ids=["empty", "too long", "an alias alone", "no outlet"],
    )
    def test_what_cannot_be_is_refused_before_a_job_is_paid_for(
        self, connections: Emulator, api: ExecutionApi, tmp_path: Path, given: str | list[str], outlets: list[Any]
    ) -> None:
        arguments = work("apartmentiq", tmp_path)
        outcome = api.run(lambda: BatchJobOperator(task_id="run", partition_key=given, outlets=outlets, **arguments))
        assert outcome.kind == ("failed", "BatchTaskFailedError")
        assert "partition_key" in str(outcome.error)
        assert connections.requests == []


def test_an_airflow_without_partitions_of_ones_own_says_so(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(OutletEventAccessor, "add_partitions", raising=False)
    arguments = work("apartmentiq", tmp_path)
    outcome = api.run(lambda: BatchJobOperator(task_id="run", partition_key="2026-10", outlets=[REPORTS], **arguments))
    assert outcome.kind == ("failed", "BatchTaskFailedError")
    assert "needs Airflow 3.3" in str(outcome.error)
    assert connections.requests == []


def test_a_place_that_cannot_be_an_asset_does_not_fail_the_download(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Airflow's database takes 1500 characters."""
    folders = "/".join(["f" * 200] * 8)
    job = connections.add_job("revenuebase", ResultSpec(bytes=3_000))
    outcome = api.run(download(job, tmp_path / folders, outlets=[REPORTS, RESULTS]))
    assert outcome.state == "success", outcome.error
    assert [event["dest_asset_key"]["uri"] for event in events(api)] == [REPORTS.uri]
    assert "Cannot create an asset for" in caplog.text


@pytest.mark.parametrize(
    ("place", "uri"),
    [
        ("s3://aws_conn@lake/october/report.csv", "s3://lake/october/report.csv"),
        ("s3://lake/october/report.csv", "s3://lake/october/report.csv"),
        ("S3://a:b@c@lake/x", "s3://lake/x"),
        ("s3://conn@lake/someone@example.com.csv", "s3://lake/someone@example.com.csv"),
        ("gs://lake/what?#1.csv", "gs://lake/what%3F%231.csv"),
        ("abfs://azure_conn@container/x.csv", "abfs://container/x.csv"),
        ("file:///data/x.csv", "file:///data/x.csv"),
        ("/data/x y.csv", "file:///data/x y.csv"),
    ],
)
def test_an_asset_is_named_without_the_connection(place: str, uri: str) -> None:
    assert asset_uri(place) == uri
    assert Asset(uri).uri == uri
