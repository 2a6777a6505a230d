"""The note that tasks leave of their job, for the page in Airflow's UI."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._airflow import job_note
from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import work

MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])


def noted(api: ExecutionApi, task_id: str = "run") -> dict[str, Any]:
    note: dict[str, Any] = api.pushed(task_id, "batchdl_job")
    return note


@MODES
def test_a_landed_job(connections: Emulator, api: ExecutionApi, tmp_path: Path, deferrable: bool) -> None:
    connections.set_result("batchcom", ResultSpec(bytes=30_000))
    arguments = work("batchcom", tmp_path) | {"destination": f"{tmp_path}/out/", "deferrable": deferrable}
    outcome = api.run_to_end(lambda: BatchJobOperator(task_id="run", **arguments))
    assert outcome.state == "success", outcome.error
    note = noted(api)
    [job] = connections.jobs("batchcom")
    assert (note["vendor"], note["conn_id"], note["job_id"]) == ("batchcom", "batchcom_default", job.id)
    assert note["state"] == "succeeded"
    assert note["landed"]["bytes"] == outcome.value["bytes"]
    assert note["landed"]["destination"] == f"{tmp_path}/out/"
    assert note["error"] is None
    assert note["noted_at"]


def test_a_failed_job_with_the_vendors_words_and_the_remedy(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("apartmentiq", state="running")
    job.fail("Property 1201 is not yours.")
    outcome = api.run(lambda: BatchJobSensor(task_id="run", conn_id="apartmentiq_default", job_id=job.id))
    assert outcome.state == "failed"
    error = noted(api)["error"]
    assert error["type"] == "JobFailedError"
    assert "Property 1201 is not yours." in f"{error['message']} {error['vendor_message']}"
    assert error["remedy"]
    assert noted(api)["state"] == "failed"


def test_a_job_that_fails_while_its_task_is_deferred(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    connections.world.run_seconds = 3600
    arguments = work("batchcom", tmp_path) | {"destination": f"{tmp_path}/out/", "deferrable": True}
    outcome = api.run_to_end(
        lambda: BatchJobOperator(task_id="run", **arguments),
        before_trigger=lambda _: connections.jobs("batchcom")[0].fail("Too many attributes."),
    )
    assert outcome.state != "success"
    assert noted(api)["error"]["type"] == "JobFailedError"
    assert noted(api)["job_id"] == connections.jobs("batchcom")[0].id


def test_a_submitted_job(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    outcome = api.run_to_end(lambda: SubmitBatchJobOperator(task_id="run", **work("proofy", tmp_path)))
    assert noted(api)["job_id"] == outcome.value
    assert noted(api)["vendor"] == "proofy"


def test_a_polled_job(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("batchcom", state="succeeded")
    outcome = api.run_to_end(lambda: BatchJobSensor(task_id="run", conn_id="batchcom_default", job_id=job.id))
    assert outcome.state == "success", outcome.error
    assert noted(api)["state"] == "succeeded"


def test_an_error_before_anything_was_sent(connections: Emulator, api: ExecutionApi) -> None:
    api.run(lambda: BatchJobSensor(task_id="run", conn_id="no_such_connection", job_id="1"))
    error = noted(api)["error"]
    assert error["type"] == "InvalidConnectionError"
    assert "no_such_connection" in error["message"]
    assert error["remedy"]


def test_none_where_the_page_is_turned_off(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__BATCHDL__UI", "False")
    api.run_to_end(lambda: SubmitBatchJobOperator(task_id="run", **work("proofy", tmp_path)))
    assert api.pushed("run", "batchdl_job") is None


@pytest.mark.parametrize("task", ["operator", "sensor"])
def test_polls_of_a_task_that_waits_itself(
    connections: Emulator,
    api: ExecutionApi,
    polls: Polls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    task: str,
) -> None:
    monkeypatch.setattr(job_note, "POLL_SECONDS", 0.05)
    connections.set_result("proofy", ResultSpec(bytes=30_000))
    connections.world.run_seconds = 3600

    def finish() -> None:
        connections.jobs("proofy")[0].finish()

    polls.before_next(lambda: None, lambda: time.sleep(0.1), finish)  # the poll after the pause is noted
    if task == "operator":
        arguments = work("proofy", tmp_path) | {"destination": f"{tmp_path}/out/"}
        outcome = api.run(lambda: BatchJobOperator(task_id="run", deferrable=False, **arguments))
    else:
        job = connections.add_job("proofy", state="running")
        outcome = api.run(lambda: BatchJobSensor(task_id="run", conn_id="proofy_default", job_id=job.id))
    assert outcome.state == "success", outcome.error
    poll = api.pushed("run", "batchdl_poll")
    assert poll["polled_at"]
    assert poll["vendor_state"]


def test_a_short_wait_notes_no_poll(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    connections.set_result("proofy", ResultSpec(bytes=30_000))
    arguments = work("proofy", tmp_path) | {"destination": f"{tmp_path}/out/", "poll_interval": 0.1}
    api.run(lambda: BatchJobOperator(task_id="run", deferrable=False, **arguments))
    assert not [key for key in api.xcoms if key[2] == "batchdl_poll"]
