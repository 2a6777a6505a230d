"""Connections of type ``batchapi`` at the emulator: everything works with them at once, and they do not mix."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.hooks.batchapi import DeclaredVendorHook
from airflow_provider_batchdl.jobs import JobState
from airflow_provider_batchdl.operators.run import BatchJobOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_jobs import VENDORS, work
from tests.triggers.waiting import patience, statuses, waits_for
from tests.vendors.declared.documents import TWINS

EVERY_VENDOR = pytest.mark.parametrize("vendor", VENDORS)


@pytest.fixture
def declared(connections: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """Replace a vendor's connection by one of type ``batchapi`` with the vendor's twin as its document."""

    def declared(vendor: str, *, as_file: bool = False, conn_id: str = "") -> str:
        known = connections.credentials[vendor]
        text = (TWINS / f"{vendor}.toml").read_text().replace(f'name = "{vendor}"', f'name = "my_{vendor}"')
        path = tmp_path / f"{vendor}.toml"
        path.write_text(text)
        extra = {"vendor_file": f"file://{path}"} if as_file else {"vendor_document": text}
        project = {"project_key": known.extra["project_key"]} if vendor == "batchcom" else {}
        value = {
            "conn_type": "batchapi", "host": connections.urls[vendor], "login": known.login, "password": known.password,
            "extra": {**extra, **project, "poll_interval": 0.1, "rate_limit": "1000/1"},
        }  # fmt: skip
        conn_id = conn_id or f"{vendor}_default"
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(value))
        return conn_id

    return declared


@EVERY_VENDOR
def test_the_hook_in_both_ways(declared: Callable[..., str], connections: Emulator, vendor: str) -> None:
    hook = BatchApiHook.for_connection(declared(vendor, as_file=True))
    assert type(hook) is DeclaredVendorHook
    good, words = hook.test_connection()
    assert good, words
    assert asyncio.run(hook.atest_connection()) == (good, words)
    assert hook.vendor.name == f"my_{vendor}"
    job = connections.add_job(vendor, state="running")
    assert hook.get_job(job.id) == asyncio.run(hook.aget_job(job.id))
    assert hook.get_job(job.id).state is JobState.RUNNING
    if hook.vendor.listing is not None:
        assert job.id in {each.id for each in hook.list_jobs()}


@EVERY_VENDOR
@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])
def test_in_one_task(
    declared: Callable[..., str],
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    vendor: str,
    deferrable: bool,
) -> None:
    declared(vendor)
    arguments = work(vendor, tmp_path)
    outcome = api.run_to_end(
        lambda: BatchJobOperator(task_id="run", **arguments, destination=f"{tmp_path}/out/", deferrable=deferrable)
    )
    assert outcome.state == "success", outcome.error
    assert outcome.value["vendor"] == f"my_{vendor}"
    [job] = connections.jobs(vendor)
    assert outcome.value["job_id"] == job.id
    assert (tmp_path / "out").is_dir()


def test_four_connections_in_one_triggerer(declared: Callable[..., str], connections: Emulator) -> None:
    async def wait_for_all() -> list[dict[str, Any]]:
        jobs = [connections.add_job(vendor, state="running") for vendor in VENDORS for _ in range(3)]
        async with patience():
            waits = waits_for(jobs)
            await asyncio.sleep(0.3)
            for job in jobs:
                job.finish()
            return await asyncio.gather(*waits)

    for vendor in VENDORS:
        declared(vendor)
    events = asyncio.run(wait_for_all())
    assert statuses(events) == {"ended"}, events
    assert len(events) == 12
