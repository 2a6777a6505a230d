"""What Airflow's metrics learn of downloads and jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl import metrics
from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Looks


@dataclass
class Backend:
    """Takes what Airflow would send to StatsD."""

    seen: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)

    def incr(self, stat: str, count: int = 1, rate: float = 1, *, tags: dict[str, str] | None = None) -> None:
        self.seen.append((stat, count, tags or {}))

    def timing(self, stat: str, dt: Any, *, tags: dict[str, str] | None = None) -> None:
        self.seen.append((stat, dt, tags or {}))

    def ours(self) -> dict[str, Any]:
        """What the provider sent, by name; all of it for one vendor."""
        return {stat: value for stat, value, _ in self.seen if stat.startswith("batchdl.")}


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    """What the provider sends comes here, and does not reach what Airflow is configured to send to."""
    taken = Backend()
    stats = metrics._stats()
    monkeypatch.setattr(stats, "incr", taken.incr, raising=False)
    monkeypatch.setattr(stats, "timing", taken.timing, raising=False)
    return taken


def download(job_id: str, tmp_path: Path, **arguments: Any) -> partial[DownloadBatchResultsOperator]:
    return partial(
        DownloadBatchResultsOperator,
        task_id="download",
        conn_id="apartmentiq_default",
        job_id=job_id,
        destination=f"{tmp_path}/out.csv",
        **arguments,
    )


def test_a_download_is_counted(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, backend: Backend, looks: Looks
) -> None:
    job = connections.add_job("apartmentiq", ResultSpec(bytes=3_000_000))
    connections.add_fault(Fault("cut", operation="store", after_bytes=1_000_000))
    outcome = api.run(download(job.id, tmp_path))
    assert outcome.state == "success", outcome.error
    assert backend.ours() == {
        "batchdl.downloads": 1,
        "batchdl.download.files": 1,
        "batchdl.download.bytes": outcome.value["bytes"],
        "batchdl.download.resumed": 1,
        "batchdl.download.restarted": 0,
        "batchdl.download.duration": timedelta(seconds=outcome.value["seconds"]),
    }
    assert {tags["vendor"] for stat, _, tags in backend.seen if stat.startswith("batchdl.")} == {"apartmentiq"}


def test_what_was_there_already_is_not(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, backend: Backend
) -> None:
    job = connections.add_job("apartmentiq", ResultSpec(bytes=3_000))
    for try_number in (1, 2):
        outcome = api.run(download(job.id, tmp_path, if_exists="skip"), try_number=try_number)
        assert outcome.state == "success", outcome.error
    assert [stat for stat, _, _ in backend.seen].count("batchdl.downloads") == 1


@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])
@pytest.mark.parametrize(("ends", "state"), [("finish", "succeeded"), ("fail", "failed"), ("cancel", "cancelled")])
def test_jobs_are_counted_by_how_they_ended(
    connections: Emulator,
    api: ExecutionApi,
    looks: Looks,
    backend: Backend,
    deferrable: bool,
    ends: str,
    state: str,
) -> None:
    job = connections.add_job("revenuebase", state="running")
    looks.before_next(getattr(job, ends))
    api.run_to_end(
        lambda: BatchJobSensor(task_id="wait", conn_id="revenuebase_default", job_id=job.id, deferrable=deferrable)
    )
    ours = [(stat, tags) for stat, _, tags in backend.seen if stat.startswith("batchdl.")]
    assert ours == [("batchdl.jobs", {"vendor": "revenuebase", "state": state})]
