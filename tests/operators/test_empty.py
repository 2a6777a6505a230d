"""`on_empty`, through the operators: what a job without a result file does to the task, its place and its assets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import EmptyResultError
from airflow_provider_batchdl.operators.run import BatchJobOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import download, work

EMPTY = ResultSpec(parts=0)
OLD = "yesterday's\n"
REPORTS = Asset("reports", uri="s3://lake/reports")
RESULTS = AssetAlias("results")


def asset_events(api: ExecutionApi) -> list[Any]:
    """All asset events that tasks have sent, and the outlets of tasks that ended well."""
    bodies = [json.loads(body) for body in api.sent]
    ends = [body for body in bodies if isinstance(body, dict)]
    return [body for body in ends if body.get("outlet_events") or body.get("task_outlets")]


@pytest.mark.parametrize("into_xcom", [False, True])
@pytest.mark.parametrize("on_empty", ["fail", "skip"])
def test_nothing_lands_and_no_asset_is_said_to_have(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, on_empty: str, into_xcom: bool
) -> None:
    (tmp_path / "out.csv").write_text(OLD)
    job = connections.add_job("batchcom", EMPTY)
    folder = None if into_xcom else tmp_path
    outcome = api.run(download(job, folder, on_empty=on_empty, outlets=[REPORTS, RESULTS]))
    assert outcome.state == ("failed" if on_empty == "fail" else "skipped")
    if on_empty == "fail":
        assert outcome.error is not None
        assert isinstance(outcome.cause, EmptyResultError)
    assert (tmp_path / "out.csv").read_text() == OLD
    assert asset_events(api) == []


def test_fail_is_what_happens_where_nothing_is_said(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    job = connections.add_job("batchcom", EMPTY)
    assert api.run(download(job, tmp_path)).kind == ("failed", "BatchTaskFailedError")
    assert api.run(download(job)).kind == ("failed", "BatchTaskFailedError")


def test_landed_it_is_an_event_of_the_asset_and_no_asset_of_its_own(
    connections: Emulator, api: ExecutionApi, tmp_path: Path
) -> None:
    (tmp_path / "out.csv").write_text(OLD)
    job = connections.add_job("batchcom", EMPTY)
    outcome = api.run(download(job, tmp_path, on_empty="land", outlets=[REPORTS, RESULTS]))
    assert outcome.state == "success", outcome.error
    assert outcome.value["files"] == []
    assert [path.name for path in tmp_path.iterdir()] == ["out_manifest.json"]
    [body] = asset_events(api)
    [event] = body["outlet_events"]
    assert event["dest_asset_key"]["name"] == REPORTS.name
    assert (event["extra"]["uris"], event["extra"]["bytes"]) == ([], 0)


def test_into_xcom_it_is_an_empty_list(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("batchcom", EMPTY)
    assert api.run(download(job, on_empty="land")).value == []


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(("on_empty", "state"), [("fail", "failed"), ("skip", "skipped"), ("land", "success")])
def test_the_operator_that_does_it_all(
    connections: Emulator,
    api: ExecutionApi,
    polls: Polls,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    deferrable: bool,
    on_empty: str,
    state: str,
) -> None:
    connections.set_result("batchcom", EMPTY)
    arguments = {**work("batchcom", tmp_path), "destination": f"{tmp_path}/out/", "on_empty": on_empty}
    outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", deferrable=deferrable, **arguments))
    assert outcome.state == state, outcome.error
    assert "still at the vendor" not in caplog.text
