"""Without Airflow's task state store, before 3.3: the job outlives its try in a record beside the destination."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._tasks import job_record
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.vendors import submitting
from tests.support import airflow_answers
from tests.support.airflow_api import ExecutionApi, without_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import VENDORS, count, work
from tests.support.s3_bucket import fresh_bucket
from tests.support.seaweedfs import READER, S3Store

Run = Callable[[], BatchJobOperator]


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "ADOPTION_DELAYS", (0.0,))
    monkeypatch.setattr(job_record, "STORE_PAUSES", (0.0, 0.0))


def landing(vendor: str, folder: Path, **arguments: Any) -> Run:
    """What makes the task: it lands in ``out/`` and finds no store in its context."""
    given = {"deferrable": False, "destination": f"{folder}/out/", **work(vendor, folder), **arguments}
    return partial(BatchJobOperator, task_id="task", pre_execute=without_store, **given)


def record(folder: Path) -> Path:
    """The one record there."""
    [path] = (folder / "out/.batchdl").iterdir()
    return path


def change(folder: Path, **members: Any) -> None:
    """Another version, or somebody, has written the record."""
    document = json.loads(record(folder).read_text())
    document[job_record.STATE_KEY].update(members)
    record(folder).write_text(json.dumps(document))


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("place", ["out/", "out/result.csv"])
def test_a_retry_reconnects(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, vendor: str, place: str
) -> None:
    run = landing(vendor, tmp_path, destination=f"{tmp_path}/{place}")
    first, second = (api.run(run, try_number=number) for number in (1, 2))
    assert first.state == second.state == "success", second.error
    assert first.value["job_id"] == second.value["job_id"]
    assert count(connections, "submit") == 1
    assert record(tmp_path).stat().st_size < 2_000
    assert not api.store


def test_a_clear_supersedes(connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls) -> None:
    connections.world.run_seconds = 3600
    run = landing("apartmentiq", tmp_path, deferrable=True)
    assert api.run(run).state == "deferred"
    api.clear()
    assert api.run(run, try_number=2).state == "deferred"
    [old, new] = connections.jobs("apartmentiq")
    assert (old.cancelled, new.cancelled) == (True, False)
    # A retry of the new generation knows the new job.
    api.resume_failing("Trigger timeout")
    assert api.run(run, try_number=2).kind == ("up_for_retry", "TaskDeferralTimeout")
    new.finish()
    assert api.run_to_end(run, try_number=3).value["job_id"] == new.id
    assert count(connections, "submit") == 2


def test_instances_of_a_mapped_task_have_records_of_their_own(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls
) -> None:
    run = landing("proofy", tmp_path)
    ids = {api.run(run, map_index=index).value["job_id"] for index in (0, 1)}
    assert {api.run(run, map_index=index, try_number=2).value["job_id"] for index in (0, 1)} == ids
    assert len(ids) == len(list((tmp_path / "out/.batchdl").iterdir())) == 2


def test_a_run_made_again_under_the_same_name_has_a_job_of_its_own(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user deletes a run; its schedule makes it again. What the old one submitted goes on, and is never adopted."""
    connections.world.run_seconds = 3600
    run = landing("apartmentiq", tmp_path, deferrable=True)
    assert api.run(run).state == "deferred"
    monkeypatch.setattr(airflow_answers, "_MIDNIGHT", "2026-01-02T00:00:00Z")
    connections.add_fault(Fault("reset", operation="submit", processed=True))
    assert api.run(run).state == "deferred"
    [old, new] = connections.jobs("apartmentiq")
    assert (old.cancelled, api.pushed("task", "job_id")) == (False, new.id)


@pytest.mark.parametrize("vendor", ["batchcom", "apartmentiq"])
def test_a_kill_between_submit_and_answer_is_followed_by_adoption(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    polls: Polls,
    monkeypatch: pytest.MonkeyPatch,
    vendor: str,
) -> None:
    real = job_record.RecordStore.save

    def killed(self: job_record.RecordStore, state: Any, **how: Any) -> None:
        if state.job_id:
            raise MemoryError("killed")
        real(self, state, **how)

    run = landing(vendor, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(job_record.RecordStore, "save", killed)
        assert api.run(run).kind == ("up_for_retry", "MemoryError")
    outcome = api.run(run, try_number=2)
    assert outcome.state == "success", outcome.error
    assert outcome.value["job_id"] == connections.jobs(vendor)[0].id
    assert count(connections, "submit") == 1


def test_time_up_gives_the_job_up(connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls) -> None:
    connections.world.run_seconds = 3600
    run = landing("apartmentiq", tmp_path, deferrable=True)
    api.run(run)
    api.resume_with({"status": "timeout", "job_id": api.pushed("task", "job_id"), "job": None})
    assert api.run(run).kind == ("up_for_retry", "AirflowTaskTimeout")
    assert api.run(run, try_number=2).state == "deferred"
    assert [job.cancelled for job in connections.jobs("apartmentiq")] == [True, False]


@pytest.mark.parametrize(("state", "cancelled"), [("running", False), ("failed", True), ("restarting", True)])
def test_ending_the_task_on_its_worker(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, state: str, *, cancelled: bool
) -> None:
    """A worker that goes away leaves the job to the retry; a user's kill cancels it."""
    connections.world.run_seconds = 3600

    def kill() -> None:
        api.states["task", -1] = state
        os.kill(os.getpid(), signal.SIGTERM)

    polls.before_next(kill)
    assert api.run(landing("apartmentiq", tmp_path)).kind == ("up_for_retry", "RuntimeError")
    [job] = connections.jobs("apartmentiq")
    assert job.cancelled is cancelled


def test_a_submit_that_was_turned_away_leaves_no_intent(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls
) -> None:
    connections.add_fault(Fault("status", operation="submit", status=402))
    assert api.run(landing("proofy", tmp_path)).state == "failed"
    assert json.loads(record(tmp_path).read_text()) == {}
    assert api.run(landing("proofy", tmp_path), try_number=2).state == "success"


DAMAGED = {
    "not JSON": "{",
    "a list": "[]",
    "empty": "",
    "too large": " " * (300 << 10),
    "deep": "[" * 100_000,
    "no members": json.dumps({job_record.STATE_KEY: {"run": 1}}),
    "no record": json.dumps({job_record.STATE_KEY: "129"}),
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_record_pays_for_nothing(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, text: str
) -> None:
    run = landing("proofy", tmp_path)
    api.run(run)
    record(tmp_path).write_text(text)
    outcome = api.run(run, try_number=2)
    assert outcome.state == "failed"
    assert "record" in str(outcome.error)
    assert count(connections, "submit") == 1
    record(tmp_path).unlink()
    assert api.run(run, try_number=3).state == "success"


def test_a_member_of_another_type_pays_for_nothing(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls
) -> None:
    run = landing("proofy", tmp_path)
    api.run(run)
    change(tmp_path, job_id=129)
    assert api.run(run, try_number=2).state == "failed"
    assert count(connections, "submit") == 1


def test_members_of_a_newer_version_are_ignored(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls
) -> None:
    run = landing("proofy", tmp_path)
    api.run(run)
    change(tmp_path, newer={"than": "this"})
    assert api.run(run, try_number=2).state == "success"
    assert count(connections, "submit") == 1


def test_no_record_is_written_where_it_is_not_needed(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls
) -> None:
    assert api.run(landing("proofy", tmp_path, durable=False)).state == "success"
    assert not (tmp_path / "out/.batchdl").exists()


@pytest.mark.parametrize("if_exists", ["error", "skip"])
def test_the_record_is_no_result(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, if_exists: str
) -> None:
    assert api.run(landing("apartmentiq", tmp_path, if_exists=if_exists)).state == "success"
    assert record(tmp_path).is_file()


@pytest.fixture
def lake(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bucket, and Airflow connections to it. Airflow keeps a store for each id, so no other test has these."""
    for name, login, password in (
        ("RECORDS_LAKE", s3_store.access_key, s3_store.secret_key),
        ("RECORDS_READER", *READER),
    ):
        extra = {"endpoint_url": s3_store.endpoint_url, "region_name": "us-east-1"}
        value = {"conn_type": "aws", "login": login, "password": password, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(value))
    with fresh_bucket(s3_store) as bucket:
        yield bucket


def test_on_s3(connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, lake: Any) -> None:
    run = landing("apartmentiq", tmp_path, destination=f"s3://records_lake@{lake.name}/october/report.csv")
    first, second = (api.run(run, try_number=number) for number in (1, 2))
    assert first.state == second.state == "success", first.error
    assert count(connections, "submit") == 1
    [name, result] = sorted(lake.keys())
    assert (name.startswith("october/.batchdl/"), result) == (True, "october/report.csv")


def test_who_may_not_write_there_pays_for_nothing(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, lake: Any
) -> None:
    outcome = api.run(
        landing("apartmentiq", tmp_path, destination=f"s3://records_reader@{lake.name}/october/report.csv")
    )
    assert outcome.state == "failed"
    assert "durable=False" in str(outcome.error)
    assert not connections.jobs("apartmentiq")


@pytest.mark.parametrize("may_read", [True, False])
def test_a_refused_read_counts_once_something_is_there(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    polls: Polls,
    monkeypatch: pytest.MonkeyPatch,
    *,
    may_read: bool,
) -> None:
    """S3 answers 403, not 404, to who may not list; whether the record can be read shows when it is there."""
    real = Destination.info

    def refusing(self: Destination) -> Any:
        if ".batchdl" in self.path and not (may_read and Path(self.path).exists()):
            raise PermissionError("Forbidden")
        return real(self)

    monkeypatch.setattr(Destination, "info", refusing)
    run = landing("proofy", tmp_path)
    outcomes = [api.run(run, try_number=number).state for number in (1, 2)]
    assert outcomes == (["success"] * 2 if may_read else ["failed"] * 2)
    assert count(connections, "submit") == (1 if may_read else 0)


@pytest.mark.parametrize("failing", range(1, 6))
@pytest.mark.parametrize("times", [1, 3])
def test_a_store_that_fails_at_a_call(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    polls: Polls,
    monkeypatch: pytest.MonkeyPatch,
    failing: int,
    times: int,
) -> None:
    from airflow_provider_batchdl._tasks.sidecar import SidecarStore

    calls: list[None] = []

    def flaky(real: Any) -> Any:
        def call(self: SidecarStore, *arguments: Any) -> Any:
            calls.append(None)
            if failing <= len(calls) < failing + times:
                raise ConnectionError("the store is down")
            return real(self, *arguments)

        return call

    for name in ("get", "set", "delete"):
        monkeypatch.setattr(SidecarStore, name, flaky(getattr(SidecarStore, name)))
    run = landing("apartmentiq", tmp_path)
    try_number, outcome = 1, api.run(run)
    while outcome.state != "success" and try_number < 3:
        assert outcome.kind == ("up_for_retry", "StateStoreError")
        assert count(connections, "submit") == 0
        try_number += 1
        outcome = api.run(run, try_number=try_number)
    assert outcome.state == "success", outcome.error
    assert count(connections, "submit") == 1
