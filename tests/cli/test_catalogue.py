"""`airflow batchdl …` with the catalogue's vendors, against their stand-ins."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.hooks.base import BatchApiHook
from tests.cli.conftest import Ended
from tests.support.airflow_features import needs_provider_commands
from tests.support.catalogue import DECLARED, work

Batchdl = Callable[..., Ended]
pytestmark = needs_provider_commands
EACH = pytest.mark.parametrize("vendor", DECLARED)


def submit(vendor: str, folder: Path) -> str:
    job = work(vendor, folder)
    return BatchApiHook.for_connection(job.pop("conn_id")).submit_job(**job).id


@EACH
def test_jobs_and_job(batchdl: Batchdl, connections: Emulator, tmp_path: Path, vendor: str) -> None:
    connections.world.run_seconds = 3600
    ids = {submit(vendor, tmp_path), submit(vendor, tmp_path)}
    ended = batchdl("jobs", "--conn-id", f"{vendor}_default", "--output", "json")
    assert ended.code == 0, ended.err
    assert {row["job_id"] for row in json.loads(ended.out)} == ids
    connections.jobs(vendor)[0].finish()
    ended = batchdl("job", "-c", f"{vendor}_default", connections.jobs(vendor)[0].id, "-o", "json")
    assert ended.code == 0, ended.err
    assert "succeeded" in ended.out


@EACH
def test_download(batchdl: Batchdl, connections: Emulator, tmp_path: Path, vendor: str) -> None:
    job = connections.add_job(vendor, ResultSpec(bytes=50_000))
    out = tmp_path / "result"
    ended = batchdl("download", "-c", f"{vendor}_default", job.id, str(out), "-o", "json")
    assert ended.code == 0, ended.err
    assert hashlib.sha256(out.read_bytes()).hexdigest() == job.files()[0].sha256


@EACH
def test_cancel(batchdl: Batchdl, connections: Emulator, vendor: str) -> None:
    job = connections.add_job(vendor, state="running")
    ended = batchdl("cancel", "-c", f"{vendor}_default", job.id)
    if vendor == "neverbounce":
        assert ended.code == 1
        assert "UnsupportedOperationError: NeverBounce's API cannot cancel a job." in ended.err
        return
    assert ended.code == 0, ended.err
    assert job.cancelled


@EACH
def test_check(batchdl: Batchdl, connections: Emulator, vendor: str) -> None:
    ended = batchdl("check", "--conn-id", f"{vendor}_default")
    assert ended.code == 0, ended.err + ended.out
    assert "accepts the credentials" in ended.out


def test_balance(batchdl: Batchdl, connections: Emulator) -> None:
    connections.set_credits("neverbounce", 77)
    ended = batchdl("balance", "-c", "neverbounce_default")
    assert (ended.code, "77" in ended.out) == (0, True), ended.err
