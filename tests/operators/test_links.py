"""The button that leads to the vendor: there while a task runs, while it is deferred, and when it has ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.vendors import vendor_class
from tests.support.airflow_answers import Deferral
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import VENDORS, count, work

KEY = "_link_BatchJobLink"


def submit(vendor: str, job_id: str, folder: Path) -> BaseOperator:
    return SubmitBatchJobOperator(task_id="task", **work(vendor, folder))


def wait(vendor: str, job_id: str, folder: Path, **more: Any) -> BaseOperator:
    return BatchJobSensor(task_id="task", conn_id=f"{vendor}_default", job_id=job_id, **more)


def download(vendor: str, job_id: str, folder: Path) -> BaseOperator:
    destination = f"{folder}/out/"
    return DownloadBatchResultsOperator(
        task_id="task", conn_id=f"{vendor}_default", job_id=job_id, destination=destination
    )


def cancel(vendor: str, job_id: str, folder: Path) -> BaseOperator:
    return CancelBatchJobOperator(task_id="task", conn_id=f"{vendor}_default", job_id=job_id)


def run(vendor: str, job_id: str, folder: Path, **more: Any) -> BaseOperator:
    return BatchJobOperator(task_id="task", destination=f"{folder}/out/", **work(vendor, folder), **more)


Make = Callable[[str, str, Path], BaseOperator]


@pytest.mark.parametrize(
    ("make", "vendor"),
    [*zip((submit, wait, download, cancel, run), (*VENDORS, "proofy"), strict=True), (run, "revenuebase")],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_it_is_there_before_the_vendor_is_asked_anything_and_stays(
    connections: Emulator,
    api: ExecutionApi,
    polls: Polls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    vendor: str,
    make: Make,
) -> None:
    seen: list[Any] = []
    job, send = connections.add_job(vendor), BatchClient._send

    async def noting(client: BatchClient, *request: Any, **more: Any) -> Any:
        seen.append(api.pushed("task", KEY))
        return await send(client, *request, **more)

    monkeypatch.setattr(BatchClient, "_send", noting)
    outcome = api.run(lambda: make(vendor, job.id, tmp_path))
    assert outcome.state == "success", outcome.error
    page = vendor_class(vendor).docs_url
    assert page.startswith("https://")
    assert set(seen) == {page}
    assert api.pushed("task", KEY) == page


@pytest.mark.parametrize("make", [wait, run], ids=lambda make: make.__name__)
def test_it_is_there_while_deferred(
    connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path, make: Any
) -> None:
    connections.world.run_seconds = 3600
    job = connections.add_job("proofy", state="running")
    seen: list[Any] = []

    def look(_: Deferral) -> None:
        seen.append(api.pushed("task", KEY))
        for each in connections.jobs("proofy"):
            each.finish()

    outcome = api.run_to_end(lambda: make("proofy", job.id, tmp_path, deferrable=True), before_trigger=look)
    assert outcome.state == "success", outcome.error
    assert seen == [vendor_class("proofy").docs_url]
    assert api.pushed("task", KEY) == seen[0]


def test_it_is_there_when_the_task_has_failed(
    connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path
) -> None:
    """When it is wanted most."""
    outcome = api.run(lambda: download("proofy", "no-such-job", tmp_path))
    assert outcome.state == "failed"
    assert api.pushed("task", KEY) == vendor_class("proofy").docs_url
    assert count(connections, "status") > 0
