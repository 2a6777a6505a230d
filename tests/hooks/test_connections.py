"""The Test button, and what a connection must and may hold."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from airflow.sdk import BaseHook, Connection

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import InvalidArgumentError, UnsupportedOperationError
from airflow_provider_batchdl.hooks.apartmentiq import ApartmentIQHook
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.hooks.batchcom import BatchComHook
from airflow_provider_batchdl.hooks.proofy import ProofyHook
from airflow_provider_batchdl.hooks.revenuebase import RevenuebaseHook
from airflow_provider_batchdl.jobs import Job
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import VENDORS, count, work
from tests.support.leaks import find_secrets

HOOKS = {
    "revenuebase": RevenuebaseHook,
    "proofy": ProofyHook,
    "batchcom": BatchComHook,
    "apartmentiq": ApartmentIQHook,
}
VENDOR = pytest.mark.parametrize("vendor", VENDORS)


@pytest.fixture
def change(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Change members of a vendor's connection; a dict for its extra is merged in, None takes a member away."""

    def change(vendor: str, **members: Any) -> str:
        name = f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"
        value = json.loads(os.environ[name])
        value["extra"].update(members.pop("extra", {}))
        value.update(members)
        value = {key: member for key, member in value.items() if member is not None}
        value["extra"] = {key: member for key, member in value["extra"].items() if member is not None}
        monkeypatch.setenv(name, json.dumps(value))
        return f"{vendor}_default"

    return change


def both_ways(hook: BatchApiHook) -> tuple[bool, str]:
    """What the Test button and its async twin say, which must be the same and show nothing secret."""
    answers = hook.test_connection(), asyncio.run(hook.atest_connection())
    assert answers[0] == answers[1]
    assert not find_secrets(answers[0][1])
    return answers[0]


@VENDOR
def test_the_connections_type_picks_the_hook(connections: Emulator, vendor: str) -> None:
    hook = BatchApiHook.for_connection(f"{vendor}_default")
    assert type(hook) is HOOKS[vendor]
    assert HOOKS[vendor]().conn_id == f"{vendor}_default"
    assert (hook.conn_type, hook.conn_name_attr, hook.default_conn_name) == (vendor, "conn_id", f"{vendor}_default")
    with pytest.raises(InvalidArgumentError, match="conn_id must be a text that is not empty, not ''"):
        type(hook)("").get_balance()  # a variable that is empty is not the default one


@VENDOR
def test_good_credentials(connections: Emulator, vendor: str) -> None:
    good, words = both_ways(HOOKS[vendor]())
    assert good, words
    assert "accepts" in words


@VENDOR
def test_bad_credentials(change: Any, vendor: str) -> None:
    good, words = both_ways(HOOKS[vendor](change(vendor, password="not-the-secret-at-all")))
    assert not good
    assert "HTTP 401" in words
    assert "not-the-secret-at-all" not in words


@VENDOR
def test_nobody_there(change: Any, vendor: str, polls: Polls) -> None:
    hook = HOOKS[vendor](change(vendor, host="http://127.0.0.1:9/base"))
    for good, words in (hook.test_connection(), asyncio.run(hook.atest_connection())):
        assert not good
        assert "http://127.0.0.1:9" in words
        assert not find_secrets(words)


@VENDOR
def test_no_password(change: Any, vendor: str) -> None:
    good, words = both_ways(HOOKS[vendor](change(vendor, password=None)))
    assert not good
    assert "password" in words


def test_the_vendors_own_pace(change: Any) -> None:
    assert ProofyHook(change("proofy", extra={"poll_interval": None})).poll_interval == 75.0
    assert ProofyHook(change("proofy", extra={"poll_interval": ""})).poll_interval == 75.0


def test_apartmentiq_takes_a_pasted_token(change: Any, connections: Emulator) -> None:
    hook = ApartmentIQHook(change("apartmentiq", login=None, password=connections.access_token))
    assert both_ways(hook)[0]
    assert count(connections, "token") == 0


def test_apartmentiq_may_have_its_tokens_elsewhere(change: Any, connections: Emulator) -> None:
    extra = {"token_url": f"{connections.origin}/oauth/token"}
    assert both_ways(ApartmentIQHook(change("apartmentiq", extra=extra)))[0]


def test_a_connection_as_a_url(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many set ``AIRFLOW_CONN_...`` as a URL; the base URL with its path survives that."""
    account = connections.credentials["proofy"]
    connection = Connection(
        conn_id="by_url", conn_type="proofy", host=connections.urls["proofy"], password=account.password
    )
    monkeypatch.setenv("AIRFLOW_CONN_BY_URL", connection.get_uri())
    assert both_ways(BatchApiHook.for_connection("by_url"))[0]


# What hooks do, in both ways.


@VENDOR
def test_jobs_in_both_ways(connections: Emulator, tmp_path: Any, vendor: str) -> None:
    job = connections.add_job(vendor, state="running")
    hook = BatchApiHook.for_connection(f"{vendor}_default")
    assert hook.get_job(job.id) == asyncio.run(hook.aget_job(job.id))
    if vendor == "proofy":
        with pytest.raises(UnsupportedOperationError):
            hook.list_jobs()
        with pytest.raises(UnsupportedOperationError):
            asyncio.run(hook.alist_jobs())
    else:
        assert [each.id for each in hook.list_jobs()] == [job.id]
        assert hook.list_jobs() == asyncio.run(hook.alist_jobs())
    assert hook.get_balance() == asyncio.run(hook.aget_balance())
    if vendor == "batchcom":
        with pytest.raises(UnsupportedOperationError):
            asyncio.run(hook.acancel_job(job.id))
    else:
        assert asyncio.run(hook.acancel_job(job.id)).id == hook.cancel_job(job.id).id == job.id

    arguments = {name: value for name, value in work(vendor, tmp_path).items() if name != "conn_id"}
    connections.world.run_seconds = 3600
    submitted = hook.submit_job(**arguments), asyncio.run(hook.asubmit_job(**arguments))
    assert [each.id for each in submitted] == [each.id for each in connections.jobs(vendor)[1:]]


def test_one_client_for_a_with_block(connections: Emulator) -> None:
    job = connections.add_job("proofy")
    with ProofyHook() as hook:
        client = hook.get_conn()
        hook.get_job(job.id)
        assert hook.get_conn() is client
    hook.get_job(job.id)
    assert hook._client is None


def test_threads_that_share_a_hook_close_no_client_under_each_other(connections: Emulator) -> None:
    """A submit would have been cut off, of a job that is paid for."""
    job, hook = connections.add_job("proofy"), ProofyHook()
    begun, first_is_over = threading.Event(), threading.Event()

    def late(client: BatchClient) -> Job:
        begun.set()
        assert first_is_over.wait(60)
        return client.run(client.vendor.get_job(job.id))

    with ThreadPoolExecutor() as pool:

        def early(_: BatchClient) -> Future[Job]:
            second = pool.submit(hook._once, late)
            assert begun.wait(60)
            return second

        second = hook._once(early)
        first_is_over.set()
        assert second.result(60).id == job.id


def test_asking_many_things_at_once(connections: Emulator) -> None:
    jobs = [connections.add_job("apartmentiq") for _ in range(10)]

    async def ask() -> list[Any]:
        async with ApartmentIQHook() as hook:
            return await asyncio.gather(*(hook.aget_job(job.id) for job in jobs))

    assert [job.id for job in asyncio.run(ask())] == [job.id for job in jobs]
    assert count(connections, "token") == 1


def test_a_task_asks_for_its_connection_once(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = BaseHook.get_connection

    def get_connection(conn_id: str) -> Any:
        asked.append(conn_id)
        return real(conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", staticmethod(get_connection))
    with BatchApiHook.for_connection("proofy_default") as hook:
        hook.get_balance()
    assert asked == ["proofy_default"]


@pytest.mark.parametrize("name", ["base", "storage", "not-a-name", "os.path"])
def test_a_type_that_is_a_module_but_no_vendor(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps({"conn_type": name, "password": "pass-word"}))
    good, words = both_ways(BatchApiHook.for_connection("odd"))
    assert not good
    assert "known:" in words
