from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pendulum
import pytest

from airflow_provider_batchdl._airflow.fail_fast import BatchTaskFailedError
from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import InvalidRequestError, JobCancelledError
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.triggers.job import LAST_POLL_SECONDS
from tests.support.airflow_answers import Deferral
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import VENDORS, count, work
from tests.support.alarm import ring
from tests.support.fixtures import set_extra
from tests.support.leaks import find_secrets

HOUR = timedelta(hours=1)
MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])


def run(**arguments: Any) -> BatchJobOperator:
    return BatchJobOperator(task_id="run", **arguments)


def hold(emulator: Emulator) -> None:
    """Let no job end by itself."""
    emulator.world.run_seconds = 3600


def finish(emulator: Emulator, vendor: str) -> None:
    emulator.jobs(vendor)[0].finish()


def cancel(emulator: Emulator, vendor: str) -> None:
    emulator.jobs(vendor)[0].cancel()


@MODES
@pytest.mark.parametrize("vendor", VENDORS)
def test_submit_wait_and_land(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str, deferrable: bool
) -> None:
    connections.set_result(vendor, ResultSpec(bytes=30_000))
    arguments = work(vendor, tmp_path)
    outcome = api.run_to_end(lambda: run(**arguments, destination=f"{tmp_path}/out/", deferrable=deferrable))
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs(vendor)
    [path] = (tmp_path / "out").glob("[!.]*")  # before Airflow 3.3 the job is noted beside it
    assert hashlib.sha256(path.read_bytes()).hexdigest() == outcome.value["files"][0]["sha256"]
    assert outcome.value["files"][0]["sha256"] == job.files()[0].sha256
    assert api.pushed("run", "job_id") == job.id
    assert (api.deferral is not None) is deferrable
    assert count(connections, "submit") == 1


@MODES
def test_without_a_destination_the_rows_go_into_xcom(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, deferrable: bool
) -> None:
    outcome = api.run_to_end(lambda: run(**work("revenuebase", tmp_path), deferrable=deferrable))
    assert [row["email"] for row in outcome.value] == ["ada@example.com", "grace@example.com", "edsger@example.com"]


def test_what_a_deferred_task_shows(connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls) -> None:
    hold(connections)
    outcome = api.run(lambda: run(**work("batchcom", tmp_path), deferrable=True))
    assert outcome.state == "deferred"
    assert api.pushed("run", "_link_BatchJobLink") == "https://doc.batch.com/developer/api/cep/"
    assert api.pushed("run", "job_id") == connections.jobs("batchcom")[0].id
    assert api.deferral is not None
    stored = json.dumps(api.deferral.kwargs)
    assert len(stored) < 1_000
    assert "http" not in stored
    assert not find_secrets(stored)
    assert api.deferral.timeout is not None  # a day, and a minute for the trigger to say so itself


def test_what_a_task_shows_while_it_waits(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls
) -> None:
    seen: list[Any] = []
    polls.before_next(
        lambda: seen.extend([api.pushed("run", "_link_BatchJobLink"), api.pushed("run", "job_id")]),
    )
    hold(connections)
    polls.before_next(partial(finish, connections, "proofy"))
    api.run(lambda: run(**work("proofy", tmp_path), deferrable=False))
    assert seen == ["https://docs.proofy.io", connections.jobs("proofy")[0].id]


@pytest.mark.parametrize("interval", [7, timedelta(seconds=7)])
@MODES
def test_the_tasks_interval_goes_before_the_connections(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, deferrable: bool, interval: Any
) -> None:
    hold(connections)
    polls.before_next(partial(finish, connections, "proofy"))
    arguments = work("proofy", tmp_path)
    api.run_to_end(lambda: run(**arguments, deferrable=deferrable, poll_interval=interval))
    assert all(6.2 < wait < 7.8 for wait in polls.first_waits)


# When its time is up.


def run_out_of_time(api: ExecutionApi, polls: Polls, make: Callable[[], BatchJobOperator], deferrable: bool) -> Any:
    if not deferrable:
        polls.before_next(ring)
    return api.run_to_end(make, before_trigger=Deferral.run_out)


@MODES
def test_time_up_cancels_the_job_and_a_retry_submits_anew(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, deferrable: bool
) -> None:
    hold(connections)
    arguments = {**work("apartmentiq", tmp_path), "deferrable": deferrable, "execution_timeout": HOUR}
    outcome = run_out_of_time(api, polls, lambda: run(**arguments), deferrable)
    assert outcome.kind == ("up_for_retry", "AirflowTaskTimeout")
    [job] = connections.jobs("apartmentiq")
    assert job.cancelled
    connections.world.run_seconds = 0.05
    assert api.run_to_end(lambda: run(**arguments), try_number=2).state == "success"
    assert count(connections, "submit") == 2


@MODES
def test_a_job_that_ended_just_as_time_was_up_is_landed(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, deferrable: bool
) -> None:
    hold(connections)
    arguments = {**work("revenuebase", tmp_path), "deferrable": deferrable, "execution_timeout": HOUR}

    def ends() -> None:
        connections.jobs("revenuebase")[0].finish()
        if not deferrable:
            ring()

    polls.before_next(ends)
    if deferrable:
        api.run(lambda: run(**arguments))
        ends()
        api.resume_with({"status": "timeout", "job_id": api.pushed("run", "job_id"), "job": None})
    outcome = api.run(lambda: run(**arguments))
    assert outcome.state == "success", outcome.error
    assert len(outcome.value) == 3
    assert not connections.jobs("revenuebase")[0].cancelled


@MODES
@needs_task_state_store
def test_time_up_leaves_a_job_that_is_to_be_left(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, deferrable: bool
) -> None:
    hold(connections)
    arguments = {
        **work("proofy", tmp_path),
        "deferrable": deferrable,
        "execution_timeout": HOUR,
        "cancel_on_kill": False,
    }
    outcome = run_out_of_time(api, polls, lambda: run(**arguments), deferrable)
    assert outcome.kind == ("up_for_retry", "AirflowTaskTimeout")
    [job] = connections.jobs("proofy")
    job.finish()
    assert api.run_to_end(lambda: run(**arguments), try_number=2).state == "success"
    assert count(connections, "submit") == 1


@MODES
@needs_task_state_store
def test_time_up_where_the_vendor_cannot_cancel(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, deferrable: bool
) -> None:
    hold(connections)
    arguments = {**work("batchcom", tmp_path), "deferrable": deferrable, "execution_timeout": HOUR}
    outcome = run_out_of_time(api, polls, lambda: run(**arguments, destination=f"{tmp_path}/out/"), deferrable)
    assert outcome.kind == ("up_for_retry", "AirflowTaskTimeout")
    connections.jobs("batchcom")[0].finish()
    outcome = api.run_to_end(lambda: run(**arguments, destination=f"{tmp_path}/out/"), try_number=2)
    assert outcome.state == "success", outcome.error
    assert count(connections, "submit") == 1


def test_airflows_own_patience_is_longer_than_the_triggers(
    connections: Emulator, api: ExecutionApi, tmp_path: Path
) -> None:
    hold(connections)
    api.run(lambda: run(**work("proofy", tmp_path), deferrable=True, execution_timeout=HOUR))
    assert api.deferral is not None
    assert api.deferral.timeout is not None
    left = api.deferral.kwargs["deadline"] - time.time()
    assert 3500 < left < 3600
    patience = pendulum.parse(api.deferral.timeout)
    assert isinstance(patience, timedelta)
    assert timedelta(seconds=left + LAST_POLL_SECONDS) < patience < timedelta(hours=1, minutes=2)


# Odds and ends.


@MODES
def test_a_job_that_someone_cancelled_fails_the_task_at_once(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, deferrable: bool
) -> None:
    hold(connections)
    polls.before_next(partial(cancel, connections, "apartmentiq"))
    outcome = api.run_to_end(lambda: run(**work("apartmentiq", tmp_path), deferrable=deferrable))
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert outcome.error is not None
    assert isinstance(outcome.cause, JobCancelledError)


def test_a_poll_interval_that_is_none(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_extra(monkeypatch, "proofy", poll_interval="0")
    hold(connections)
    outcome = api.run(lambda: run(**work("proofy", tmp_path), deferrable=False))
    assert outcome.error is not None
    assert isinstance(outcome.cause, InvalidRequestError)
    assert "poll_interval" in str(outcome.error)


def test_results_that_could_not_be_landed_are_not_lost(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = work("revenuebase", tmp_path)
    outcome = api.run(lambda: run(**arguments, deferrable=False, max_xcom_bytes=10))
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert "is paid for and still at the vendor" in caplog.text
    job_id = api.pushed("run", "job_id")
    later = api.run(lambda: DownloadBatchResultsOperator(task_id="later", conn_id="revenuebase_default", job_id=job_id))
    assert len(later.value) == 3


def test_airflow_may_copy_it() -> None:
    """``DAG.partial_subset``, which clearing and testing a part of a DAG use, copies operators deeply."""
    operator = run(conn_id="proofy_default", request={"emails": ["a@b.c"]})
    assert copy.deepcopy(operator).request == operator.request
