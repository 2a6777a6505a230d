"""A connection is read once for all its waits, and connections to one account share its loop."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidConnectionError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.triggers import account_registry
from airflow_provider_batchdl.triggers.account_registry import account_key
from airflow_provider_batchdl.vendors import vendor_class
from airflow_provider_batchdl.vendors.account import Account
from tests.triggers.waiting import errors, patience, statuses, waits_for


def test_the_connection_is_read_once_for_all(connections: Emulator, readings: list[str]) -> None:
    jobs = [connections.add_job("apartmentiq", state="queued") for _ in range(30)]

    async def story() -> list[dict[str, Any]]:
        async with patience():
            return await asyncio.gather(*waits_for(jobs))

    assert statuses(asyncio.run(story())) == {"ended"}
    assert readings == ["apartmentiq_default"]


def test_a_connection_that_cannot_be_read_is_read_again(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    job = connections.add_job("proofy", state="queued")
    real = account_registry._read
    trouble = [BatchDlError("The secrets backend is out.")]

    async def failing(conn_id: str) -> BatchApiHook:
        if trouble:
            raise trouble.pop()
        return await real(conn_id)

    monkeypatch.setattr(account_registry, "_read", failing)

    async def story() -> list[str]:
        async with patience():
            return [(await asyncio.gather(*waits_for([job])))[0]["status"] for _ in range(2)]

    assert asyncio.run(story()) == ["error", "ended"]


def test_a_connection_that_lacks_something_ends_its_waits_with_that(
    connections: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [connections.add_job("batchcom", state="running") for _ in range(3)]
    described = json.loads(os.environ["AIRFLOW_CONN_BATCHCOM_DEFAULT"])
    del described["extra"]["project_key"]
    monkeypatch.setenv("AIRFLOW_CONN_BATCHCOM_DEFAULT", json.dumps(described))

    async def story() -> list[dict[str, Any]]:
        async with patience():
            return await asyncio.gather(*waits_for(jobs))

    assert errors(asyncio.run(story())) == {InvalidConnectionError}


def test_connections_to_one_account_share_its_loop(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    described = connections.connections()["apartmentiq_default"]
    other = {**described, "extra": {"poll_interval": 0.15, "max_poll_interval": 1, "rate_limit": "1000/1"}}
    monkeypatch.setenv("AIRFLOW_CONN_TWIN", json.dumps(other))

    async def story() -> bool:
        first, second = [await account_registry.account_of(name) for name in ("apartmentiq_default", "twin")]
        return first[1] is second[1] and first[0] is not second[0]

    assert asyncio.run(story())


def test_two_projects_of_batchcom_are_two_accounts() -> None:
    made = [
        vendor_class("batchcom")(Account("https://api.batch.com", "rest_key", extra={"project_key": project}))
        for project in ("project_one", "project_two")
    ]
    keys = {account_key(vendor) for vendor in made}
    assert len(keys) == 2
    assert "project_" not in repr(keys)
    assert "rest_key" not in repr(keys)
