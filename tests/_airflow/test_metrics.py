"""What Airflow's metrics learn of jobs, polls, retries and downloads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._airflow import compat, metrics
from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import count, download, work
from tests.support.airflow_stats import Stats

MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])


def test_a_download_is_counted(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, stats: Stats, polls: Polls
) -> None:
    job = connections.add_job("apartmentiq", ResultSpec(bytes=3_000_000))
    connections.add_fault(Fault("cut", operation="store", after_bytes=1_000_000))
    outcome = api.run(download(job, tmp_path))
    assert outcome.state == "success", outcome.error
    assert {stat: value for stat, value, _ in stats.seen} == {
        "batchdl.downloads": 1,
        "batchdl.download.files": 1,
        "batchdl.download.bytes": outcome.value["bytes"],
        "batchdl.download.resumed": 1,
        "batchdl.download.restarted": 0,
        "batchdl.download.duration": timedelta(seconds=outcome.value["seconds"]),
        "batchdl.retries": 1,
    }
    assert {tags["vendor"] for _, _, tags in stats.seen} == {"apartmentiq"}
    assert stats.counted("batchdl.retries", "operation", "reason") == {("download", "dropped"): 1}


def test_what_was_there_already_is_not(connections: Emulator, api: ExecutionApi, tmp_path: Path, stats: Stats) -> None:
    job = connections.add_job("apartmentiq", ResultSpec(bytes=3_000))
    for try_number in (1, 2):
        outcome = api.run(download(job, tmp_path, if_exists="skip"), try_number=try_number)
        assert outcome.state == "success", outcome.error
    assert stats.counted("batchdl.downloads", "vendor") == {"apartmentiq": 1}


@MODES
@pytest.mark.parametrize(("ends", "state"), [("finish", "succeeded"), ("fail", "failed"), ("cancel", "cancelled")])
def test_jobs_are_counted_by_how_they_ended(
    connections: Emulator,
    api: ExecutionApi,
    polls: Polls,
    stats: Stats,
    deferrable: bool,
    ends: str,
    state: str,
) -> None:
    job = connections.add_job("revenuebase", state="running")
    polls.before_next(getattr(job, ends))
    api.run_to_end(
        lambda: BatchJobSensor(task_id="wait", conn_id="revenuebase_default", job_id=job.id, deferrable=deferrable)
    )
    assert stats.counted("batchdl.jobs", "vendor", "state") == {("revenuebase", state): 1}


@MODES
@pytest.mark.parametrize("vendor", ["revenuebase", "proofy"])
def test_every_poll_is_counted_once_however_a_task_waits(
    connections: Emulator, api: ExecutionApi, polls: Polls, stats: Stats, tmp_path: Path, vendor: str, deferrable: bool
) -> None:
    """On the worker and in the triggerer together, as many as reached the vendor."""
    connections.world.run_seconds = 3600

    def finish() -> None:
        connections.jobs(vendor)[0].finish()

    polls.before_next(*[lambda: None] * 3, finish)
    outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", deferrable=deferrable, **work(vendor, tmp_path)))
    assert outcome.state == "success", outcome.error
    assert stats.counted("batchdl.submits", "vendor") == {vendor: 1}
    assert "batchdl.cancels" not in {stat for stat, _, _ in stats.seen}
    seen = stats.counted("batchdl.polls", "vendor", "kind")
    assert set(seen) <= {(vendor, "single"), (vendor, "list")}
    # A download begins with a poll of its own, which is no part of the wait.
    assert sum(seen.values()) == count(connections, "status") + count(connections, "list") - 1


def test_a_cancel_is_counted_where_the_vendor_took_it(connections: Emulator, api: ExecutionApi, stats: Stats) -> None:
    running, ended = (connections.add_job("revenuebase", state=state) for state in ("running", "succeeded"))
    for job in (running, ended):
        make = partial(CancelBatchJobOperator, task_id="cancel", conn_id="revenuebase_default", job_id=job.id)
        outcome = api.run(make)
        assert outcome.state == "success", outcome.error
    assert stats.counted("batchdl.cancels", "vendor") == {"revenuebase": 1}


def test_requests_that_are_sent_again_are_counted_by_reason_and_logged(
    connections: Emulator,
    api: ExecutionApi,
    stats: Stats,
    polls: Polls,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for fault in (
        Fault("status", operation="submit", status=429, retry_after=0),
        Fault("status", operation="submit", status=503),
        Fault("reset", operation="status"),
    ):
        connections.add_fault(fault)
    outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", **work("revenuebase", tmp_path)))
    assert outcome.state == "success", outcome.error
    assert stats.counted("batchdl.retries", "vendor", "operation", "reason") == {
        ("revenuebase", "submit", "rate_limited"): 1,
        ("revenuebase", "submit", "server_error"): 1,
        ("revenuebase", "status", "dropped"): 1,
    }
    assert caplog.text.count("Retrying submit request in ") == 2
    assert caplog.text.count("Retrying status request in ") == 1


class TestWithoutStats:
    """Metrics are no reason for a task to fail, or a triggerer to stop."""

    @pytest.fixture(autouse=True)
    def _uninitialised(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = pytest.importorskip("airflow.sdk._shared.observability.metrics.stats")
        monkeypatch.setattr(real, "_factory", None, raising=False)
        monkeypatch.setattr(real, "_backend", None, raising=False)

    def test_a_task_runs_where_nobody_has_set_them_up(
        self, connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path
    ) -> None:
        run: Callable[[], Any] = lambda: BatchJobOperator(  # noqa: E731
            task_id="run", deferrable=True, destination=f"{tmp_path}/out/", **work("revenuebase", tmp_path)
        )
        outcome = api.run_to_end(run)
        assert outcome.state == "success", outcome.error

    def test_every_metric_passes_airflows_own_functions(self) -> None:
        """Names and tags as its registry wants them, and a real gauge, timer and counter behind them."""
        metrics.count("batchdl.submits", vendor="proofy")
        metrics.count_shared_polls("proofy", polls={"single": 2}, lags=[0.5], unseen=[1.0], waiting=3)


@needs_task_state_store
def test_the_jobs_id_is_stored_before_metrics_can_hang_or_fail(
    connections: Emulator, api: ExecutionApi, stats: Stats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is paid for must not be lost to a StatsD host that cannot be found."""

    def no_host(stat: str, *_: Any, **__: Any) -> None:
        if stat == "batchdl.submits":
            raise OSError("no such host")

    monkeypatch.setattr(compat.stats_client(), "incr", no_host, raising=False)
    make = partial(BatchJobOperator, task_id="run", **work("revenuebase", tmp_path))
    assert api.run(make).state == "up_for_retry"
    outcome = api.run(make, try_number=2)
    assert outcome.state == "success", outcome.error
    assert count(connections, "submit") == 1
