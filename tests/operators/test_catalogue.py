"""The catalogue's vendors through Airflow's own task runner: a connection of type ``batchapi``, and no Python."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._airflow.fail_fast import BatchTaskFailedError
from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import QuotaExceededError, SubmitUncertainError, UnsupportedOperationError
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.vendors import submitting
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import STORED, count
from tests.support.catalogue import DECLARED, work
from tests.support.killed_workers import crash_after_submit, die_at_submit

PAGE_ROWS = 80
EACH = pytest.mark.parametrize("vendor", DECLARED)
# A submit sends a key, or the list repeats the request: then the job of a lost one is found.
FOUND = pytest.mark.parametrize("vendor", ["openai_batch", "shopify_bulk", "neverbounce"])
Make = Callable[[], Any]


def run(vendor: str, folder: Path, **more: Any) -> Make:
    return partial(BatchJobOperator, task_id="task", **{**work(vendor, folder), **more})


def files_in(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file, by its name; before Airflow 3.3 the job is noted beside them."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("[!._]*")}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def submit(emulator: Emulator, api: ExecutionApi, vendor: str, folder: Path) -> EmulatedJob:
    outcome = api.run(partial(SubmitBatchJobOperator, task_id="submit", **work(vendor, folder)))
    assert outcome.state == "success", outcome.error
    [job] = emulator.jobs(vendor)
    assert outcome.value == job.id
    return job


@EACH
@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])
def test_submit_wait_and_land(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str, deferrable: bool
) -> None:
    out = tmp_path / "out"
    outcome = api.run_to_end(run(vendor, tmp_path, destination=f"{out}/", deferrable=deferrable))
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs(vendor)
    assert job.files()[0].sha256 in files_in(out).values()
    assert outcome.value["files"][0]["sha256"] == job.files()[0].sha256
    assert (outcome.value["job_id"], outcome.value["vendor"]) == (job.id, vendor)
    assert (api.deferral is not None) is deferrable
    assert count(connections, "submit") == 1
    assert not [record for record in connections.requests if record.status >= 400]


def test_the_file_of_failed_requests_lands_beside(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    outcome = api.run_to_end(run("openai_batch", tmp_path, destination=str(out), deferrable=False))
    assert outcome.state == "success", outcome.error
    assert [json.loads(line)["custom_id"] for line in out.read_text().splitlines()][:2] == ["r0", "r1"]
    errors = tmp_path / "out.errors.jsonl"
    assert [json.loads(line)["custom_id"] for line in errors.read_text().splitlines()] == ["bad"]


@pytest.mark.parametrize("state", ["cancelled", "expired"])
def test_partial_results_of_openai(connections: Emulator, api: ExecutionApi, tmp_path: Path, state: str) -> None:
    job = connections.add_job("openai_batch", ResultSpec(bytes=20_000, errors=1_000), state=state)
    download = partial(DownloadBatchResultsOperator, task_id="task", conn_id="openai_batch_default", job_id=job.id)
    outcome = api.run(partial(download, destination=f"{tmp_path}/out/", accept_partial=True))
    assert outcome.state == "success", outcome.error
    assert job.files()[0].sha256 in files_in(tmp_path / "out").values()
    assert api.run(partial(download, destination=f"{tmp_path}/none/")).state == "failed"


# One job at the vendor.


@pytest.fixture
def quick(connections: Emulator, polls: Polls, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Lists that are asked at once, and the rest of the time as it is."""
    monkeypatch.setattr(submitting, "ADOPTION_DELAYS", (0.0, 0.0))
    return connections


@FOUND
def test_the_job_of_a_lost_answer_is_adopted(quick: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str) -> None:
    quick.add_fault(Fault("reset", vendor=vendor, operation="submit", processed=True))
    outcome = api.run_to_end(run(vendor, tmp_path, destination=f"{tmp_path}/out/", deferrable=True))
    assert outcome.state == "success", outcome.error
    [job] = quick.jobs(vendor)
    assert outcome.value["job_id"] == job.id


@needs_task_state_store
def test_a_lost_answer_where_no_list_shows_the_query(quick: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    """Salesforce's jobs do not show their SOQL, and another's job of the same minutes must not be taken for it."""
    vendor = "salesforce_bulk_query"
    quick.add_fault(Fault("reset", vendor=vendor, operation="submit", processed=True))
    outcome = api.run(run(vendor, tmp_path, deferrable=False))
    assert isinstance(outcome.cause or outcome.error, SubmitUncertainError)
    again = api.run(run(vendor, tmp_path, deferrable=False), try_number=2)
    assert again.state != "success"
    assert len(quick.jobs(vendor)) == 1


def minutes_pass(api: ExecutionApi, minutes: float) -> None:
    """Let the submit that got no response have been so much earlier."""
    record = dict(api.store[STORED])
    for name in ("submitted_at", "lost_at"):
        if record.get(name):
            record[name] = (datetime.fromisoformat(record[name]) - timedelta(minutes=minutes)).isoformat()
    api.store[STORED] = record


@needs_task_state_store
@FOUND
def test_a_worker_killed_before_it_knew_the_id(
    quick: Emulator, api: ExecutionApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vendor: str
) -> None:
    crash_after_submit(monkeypatch)
    make = run(vendor, tmp_path, deferrable=False)
    assert api.run(make).kind == ("up_for_retry", "MemoryError")
    assert api.store[STORED]["job_id"] is None
    outcome = api.run(make, try_number=2)
    assert outcome.state == "success", outcome.error
    assert [job.id for job in quick.jobs(vendor)] == [api.store[STORED]["job_id"]]


@needs_task_state_store
def test_a_worker_killed_before_it_knew_the_id_where_no_list_shows_the_query(
    quick: Emulator, api: ExecutionApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_after_submit(monkeypatch)
    make = run("salesforce_bulk_query", tmp_path, deferrable=False)
    assert api.run(make).kind == ("up_for_retry", "MemoryError")
    outcome = api.run(make, try_number=2)
    assert isinstance(outcome.cause or outcome.error, SubmitUncertainError)
    assert len(quick.jobs("salesforce_bulk_query")) == 1


@needs_task_state_store
@EACH
def test_a_worker_killed_while_it_waited(
    quick: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, vendor: str
) -> None:
    quick.world.run_seconds = 3600

    def die() -> None:
        raise MemoryError("killed")

    polls.before_next(die)
    make = run(vendor, tmp_path, deferrable=False)
    assert api.run(make).kind == ("up_for_retry", "MemoryError")
    [job] = quick.jobs(vendor)
    job.finish()
    outcome = api.run(make, try_number=2)
    assert outcome.state == "success", outcome.error
    assert count(quick, "submit") == 1


@needs_task_state_store
@EACH
def test_a_worker_killed_before_it_sent(quick: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str) -> None:
    """A list that shows every job proves that there is none; without one, a person decides."""
    make = run(vendor, tmp_path, deferrable=False)
    die_at_submit(api, make)
    assert quick.jobs(vendor) == []
    outcome = api.run(make, try_number=2)
    assert isinstance(outcome.cause or outcome.error, SubmitUncertainError)
    if vendor in ("salesforce_bulk_query", "shopify_bulk"):
        minutes_pass(api, 6)
        outcome = api.run(make, try_number=3)
        assert outcome.state == "success", outcome.error
        assert count(quick, "submit") == 1
    else:
        assert quick.jobs(vendor) == []


# Cancel, errors, downloads.


@EACH
def test_cancel(connections: Emulator, api: ExecutionApi, vendor: str) -> None:
    job = connections.add_job(vendor, state="running")
    make = partial(CancelBatchJobOperator, task_id="cancel", conn_id=f"{vendor}_default", job_id=job.id)
    outcome = api.run(make)
    if vendor == "neverbounce":
        assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
        assert isinstance(outcome.cause, UnsupportedOperationError)
        return
    assert outcome.state == "success", outcome.error
    assert (outcome.value["id"], job.cancelled) == (job.id, True)
    assert api.run(make).state == "success"  # again
    ended = connections.add_job(vendor)
    assert api.run(partial(make, job_id=ended.id)).state == "success"
    assert not ended.cancelled


@pytest.mark.parametrize("vendor", ["shopify_bulk", "neverbounce"])
@pytest.mark.parametrize("operation", ["submit", "status"])
def test_a_throttled_request_is_sent_again_though_it_is_a_200(
    quick: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str, operation: str
) -> None:
    quick.add_fault(Fault("status", vendor=vendor, operation=operation, status=429, times=2))
    outcome = api.run_to_end(run(vendor, tmp_path, destination=f"{tmp_path}/out/", deferrable=True))
    assert outcome.state == "success", outcome.error
    assert len(quick.jobs(vendor)) == 1
    assert not quick.unused_faults


@pytest.mark.parametrize("vendor", ["openai_batch", "salesforce_bulk_query"])
def test_a_quota_that_time_does_not_end_fails_the_task(
    quick: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str
) -> None:
    quick.set_quota_exceeded(vendor, True)
    outcome = api.run(run(vendor, tmp_path, deferrable=False))
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert isinstance(outcome.cause, QuotaExceededError)
    assert quick.jobs(vendor) == []


@EACH
def test_a_download_that_breaks_off_is_whole(quick: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str) -> None:
    quick.set_result(vendor, ResultSpec(bytes=300_000))
    job = submit(quick, api, vendor, tmp_path)
    job.finish()
    operation = "store" if vendor == "shopify_bulk" else "download"
    quick.add_fault(Fault("cut", vendor=vendor, operation=operation, after_bytes=100_000))
    make = partial(DownloadBatchResultsOperator, task_id="task", conn_id=f"{vendor}_default", job_id=job.id)
    outcome = api.run(partial(make, destination=f"{tmp_path}/out/"))
    assert outcome.state == "success", outcome.error
    assert job.files()[0].sha256 in files_in(tmp_path / "out").values()
    assert not quick.unused_faults


def test_an_expired_link_is_asked_for_again(quick: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    quick.set_result("shopify_bulk", ResultSpec(bytes=300_000))
    job = submit(quick, api, "shopify_bulk", tmp_path)
    job.finish()
    quick.add_fault(Fault("cut", operation="store", after_bytes=100_000))
    quick.add_fault(Fault("expired_link", operation="store"))
    make = partial(DownloadBatchResultsOperator, task_id="task", conn_id="shopify_bulk_default", job_id=job.id)
    outcome = api.run(partial(make, destination=f"{tmp_path}/out.jsonl"))
    assert outcome.state == "success", outcome.error
    assert sha256((tmp_path / "out.jsonl").read_bytes()) == job.files()[0].sha256
    stores = [record for record in quick.requests if record.operation == "store"]
    assert "range" in stores[-1].headers
    assert not [record for record in stores if "x-shopify-access-token" in record.headers]


PAGED = "salesforce_bulk_query"


def test_four_hundred_pages_land_as_one_csv(quick: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    quick.set_result(PAGED, ResultSpec(bytes=2_000_000, page_rows=PAGE_ROWS))
    out = tmp_path / "out.csv"
    outcome = api.run_to_end(run(PAGED, tmp_path, destination=str(out), deferrable=True, join_pages=True))
    assert outcome.state == "success", outcome.error
    [job] = quick.jobs(PAGED)
    [file] = outcome.value["files"]
    assert count(quick, "download") == file["pages"] >= 400
    assert sha256(out.read_bytes()) == file["sha256"] == job.files()[0].sha256


def test_a_page_of_many_breaks_off(quick: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    job = quick.add_job(PAGED, ResultSpec(bytes=500_000, page_rows=2_000))
    quick.add_fault(Fault("cut", vendor=PAGED, operation="download", after=2, after_bytes=1_000))
    quick.add_fault(Fault("status", vendor=PAGED, operation="download", after=3, status=503))
    quick.expire_tokens()
    make = partial(DownloadBatchResultsOperator, task_id="task", conn_id=f"{PAGED}_default", job_id=job.id)
    outcome = api.run(partial(make, destination=f"{tmp_path}/out.csv", join_pages=True))
    assert outcome.state == "success", outcome.error
    assert sha256((tmp_path / "out.csv").read_bytes()) == job.files()[0].sha256
    assert not quick.unused_faults


def test_without_joining_each_page_is_a_part(quick: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    job = quick.add_job(PAGED, ResultSpec(bytes=100_000, page_rows=1_000))
    make = partial(DownloadBatchResultsOperator, task_id="task", conn_id=f"{PAGED}_default", job_id=job.id)
    outcome = api.run(partial(make, destination=f"{tmp_path}/out/"))
    assert outcome.state == "success", outcome.error
    parts = [Path(file["uri"].removeprefix("file://")).read_bytes() for file in outcome.value["files"]]
    header = parts[0].partition(b"\n")[0]
    rows = b"".join(part.removeprefix(header + b"\n") for part in parts)
    assert len(parts) == count(quick, "download") > 1
    assert header + b"\n" + rows == b"".join(job.content().chunks())


def test_an_operation_without_data_has_no_file(quick: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    quick.set_result("shopify_bulk", ResultSpec(bytes=0))
    make = run("shopify_bulk", tmp_path, destination=f"{tmp_path}/out/", deferrable=True, on_empty="land")
    outcome = api.run_to_end(make)
    assert outcome.state == "success", outcome.error
    assert outcome.value["files"] == []


def test_a_deferred_task_shows_no_link(quick: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    outcome = api.run(run("shopify_bulk", tmp_path, deferrable=True))
    assert outcome.state == "deferred"
    assert api.deferral is not None
    assert "http" not in json.dumps(api.deferral.kwargs)
