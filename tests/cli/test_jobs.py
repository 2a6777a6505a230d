"""`airflow batchdl jobs`, `job`, `cancel` and `balance`, against the emulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._values.times import moment_of, now
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.hooks.base import BatchApiHook
from tests.cli.conftest import Ended
from tests.support.airflow_features import needs_provider_commands
from tests.support.airflow_jobs import VENDORS, count, work

Batchdl = Callable[..., Ended]
pytestmark = needs_provider_commands
LISTING = [vendor for vendor in VENDORS if vendor != "proofy"]


def submit(vendor: str, folder: Path) -> str:
    job = work(vendor, folder)
    return BatchApiHook.for_connection(job.pop("conn_id")).submit_job(**job).id


@pytest.mark.parametrize("vendor", LISTING)
def test_jobs(batchdl: Batchdl, connections: Emulator, tmp_path: Path, vendor: str) -> None:
    connections.world.run_seconds = 3600
    ids = {submit(vendor, tmp_path), submit(vendor, tmp_path)}
    ended = batchdl("jobs", "--conn-id", f"{vendor}_default", "--output", "json")
    assert ended.code == 0
    rows = json.loads(ended.out)
    assert {row["job_id"] for row in rows} == ids
    # Revenuebase's list tells when a job last changed, Batch.com's when it was made and when it was done.
    told = {"revenuebase": ["updated"], "batchcom": ["created"], "apartmentiq": ["created", "updated"]}[vendor]
    for row in rows:
        assert [name for name in ("created", "updated") if row[name]] == told
        moments = [moment_of(row[name]) for name in told]
        assert all(moment is not None and abs(moment - now()) < timedelta(minutes=5) for moment in moments)
    assert batchdl("jobs", "-c", f"{vendor}_default", "--state", "failed").out == "No data found\n"


def test_a_vendor_without_a_list_says_so(batchdl: Batchdl, connections: Emulator) -> None:
    ended = batchdl("jobs", "--conn-id", "proofy_default")
    assert ended.code == 1
    assert ended.out == ""
    assert ended.err.startswith("airflow batchdl: UnsupportedOperationError: Proofy's API cannot list jobs.")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("output", ["table", "json", "yaml", "plain"])
def test_job(batchdl: Batchdl, connections: Emulator, tmp_path: Path, output: str) -> None:
    job_id = submit("revenuebase", tmp_path)
    connections.jobs("revenuebase")[0].finish()
    ended = batchdl("job", "-c", "revenuebase_default", job_id, "-o", output)
    assert ended.code == 0
    assert job_id in ended.out
    assert "succeeded" in ended.out


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_vendors_words_are_shown_as_they_are(
    batchdl: Batchdl, connections: Emulator, tmp_path: Path, output: str
) -> None:
    """Square brackets are markup to the library that draws tables."""
    job_id = submit("apartmentiq", tmp_path)
    connections.jobs("apartmentiq")[0].fail("row [3]: [/bold] is no [red]number")
    ended = batchdl("job", "-c", "apartmentiq_default", job_id, "-o", output)
    assert ended.code == 0
    assert "row [3]: [/bold] is no [red]number" in ended.out


@pytest.mark.parametrize("output", ["table", "plain"])
def test_a_vendors_words_do_not_act_on_the_terminal(
    batchdl: Batchdl, connections: Emulator, tmp_path: Path, output: str
) -> None:
    """An escape could clear the screen; a mark of right-to-left text turns around what follows it."""
    job_id = submit("apartmentiq", tmp_path)
    connections.jobs("apartmentiq")[0].fail("a\x1b[2Jb\u202ec")
    assert "a\ufffd[2Jb\ufffdc" in batchdl("job", "-c", "apartmentiq_default", job_id, "-o", output).out


def test_an_unknown_job(batchdl: Batchdl, connections: Emulator) -> None:
    ended = batchdl("job", "-c", "proofy_default", "no-such-job")
    assert ended.code == 1
    assert "JobNotFoundError" in ended.err
    assert "Check the job id" in ended.err
    assert ended.err.count("\n") == 1


def test_cancel(batchdl: Batchdl, connections: Emulator) -> None:
    job = connections.add_job("apartmentiq", state="running")
    ended = batchdl("cancel", "-c", "apartmentiq_default", job.id, "-o", "json")
    assert ended.code == 0
    assert json.loads(ended.out)[0]["job_id"] == job.id
    assert job.cancelled


def test_a_job_that_has_ended_is_not_cancelled(batchdl: Batchdl, connections: Emulator) -> None:
    job = connections.add_job("proofy", state="succeeded")
    ended = batchdl("cancel", "-c", "proofy_default", job.id, "-o", "json")
    assert ended.code == 0
    assert ended.err == f"Job {job.id} has already ended.\n"
    assert count(connections, "cancel") == 0


def test_cancel_where_the_vendor_cannot(batchdl: Batchdl, connections: Emulator) -> None:
    ended = batchdl("cancel", "-c", "batchcom_default", connections.add_job("batchcom", state="running").id)
    assert ended.code == 1
    assert "UnsupportedOperationError" in ended.err


def test_balance(batchdl: Batchdl, connections: Emulator) -> None:
    [row] = json.loads(batchdl("balance", "-c", "proofy_default", "-o", "json").out)
    assert row["vendor"] == "proofy"
    assert int(row["credits"]) > 0


def test_balance_where_the_api_does_not_tell(batchdl: Batchdl, connections: Emulator) -> None:
    ended = batchdl("balance", "-c", "batchcom_default", "-o", "json")
    assert json.loads(ended.out)[0]["credits"] is None
    assert ended.err == "The API of Batch.com does not report a balance.\n"


def test_what_may_be_better_later_has_an_exit_code_of_its_own(
    batchdl: Batchdl, connections: Emulator, polls: Any
) -> None:
    connections.add_fault(Fault("status", status=503, times=100))
    ended = batchdl("balance", "-c", "proofy_default")
    assert ended.code == 75
    assert "VendorUnavailableError" in ended.err


def test_the_only_connection_need_not_be_named(
    batchdl: Batchdl, database: Any, connections: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = batchdl("balance")
    assert several.code == 1
    assert f"there are {', '.join(sorted(connections.connections()))}." in several.err
    for conn_id in connections.connections():
        if conn_id != "proofy_default":
            monkeypatch.delenv(f"AIRFLOW_CONN_{conn_id.upper()}")
    assert "proofy_default" in batchdl("balance").out
    monkeypatch.delenv("AIRFLOW_CONN_PROOFY_DEFAULT")
    assert "there is none to a batch API" in batchdl("balance").err


@pytest.mark.parametrize("command", [["job"], ["jobs", "-o", "csv"], ["download", "1"], ["nonsense"]])
def test_wrong_usage(batchdl: Batchdl, command: list[str]) -> None:
    assert batchdl(*command).code == 2
