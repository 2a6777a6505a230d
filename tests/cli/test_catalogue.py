"""`airflow batchdl …` with the catalogue's vendors. Commands know no vendor: one whose ids are URLs stands for all."""

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


def submit(vendor: str, folder: Path) -> str:
    job = work(vendor, folder)
    return BatchApiHook.for_connection(job.pop("conn_id")).submit_job(**job).id


def test_jobs_and_job(batchdl: Batchdl, connections: Emulator, tmp_path: Path) -> None:
    connections.world.run_seconds = 3600
    ids = {submit("shopify_bulk", tmp_path), submit("shopify_bulk", tmp_path)}
    ended = batchdl("jobs", "--conn-id", "shopify_bulk_default", "--output", "json")
    assert ended.code == 0, ended.err
    assert {row["job_id"] for row in json.loads(ended.out)} == ids
    connections.jobs("shopify_bulk")[0].finish()
    ended = batchdl("job", "-c", "shopify_bulk_default", connections.jobs("shopify_bulk")[0].id, "-o", "json")
    assert ended.code == 0, ended.err
    assert "succeeded" in ended.out


def test_download(batchdl: Batchdl, connections: Emulator, tmp_path: Path) -> None:
    job = connections.add_job("shopify_bulk", ResultSpec(bytes=50_000))
    out = tmp_path / "result"
    ended = batchdl("download", "-c", "shopify_bulk_default", job.id, str(out), "-o", "json")
    assert ended.code == 0, ended.err
    assert hashlib.sha256(out.read_bytes()).hexdigest() == job.files()[0].sha256


def test_cancel(batchdl: Batchdl, connections: Emulator) -> None:
    job = connections.add_job("shopify_bulk", state="running")
    ended = batchdl("cancel", "-c", "shopify_bulk_default", job.id)
    assert ended.code == 0, ended.err
    assert job.cancelled


def test_cancel_where_the_document_has_no_such_step(batchdl: Batchdl, connections: Emulator) -> None:
    ended = batchdl("cancel", "-c", "neverbounce_default", connections.add_job("neverbounce", state="running").id)
    assert ended.code == 1
    assert "UnsupportedOperationError: NeverBounce's API cannot cancel a job." in ended.err


@pytest.mark.parametrize("vendor", DECLARED)
def test_check(batchdl: Batchdl, connections: Emulator, vendor: str) -> None:
    ended = batchdl("check", "--conn-id", f"{vendor}_default")
    assert ended.code == 0, ended.err + ended.out
    assert "accepts the credentials" in ended.out


def test_balance(batchdl: Batchdl, connections: Emulator) -> None:
    connections.set_credits("neverbounce", 77)
    ended = batchdl("balance", "-c", "neverbounce_default")
    assert (ended.code, "77" in ended.out) == (0, True), ended.err
