"""A key that is replaced, at the vendor and in the connection, while a hook is in use."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import AuthenticationError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.transfer.progress import ProgressLines
from tests.support.airflow_jobs import VENDORS, count, work
from tests.support.leaks import find_secrets

VENDOR = pytest.mark.parametrize("vendor", VENDORS)
Rotate = Callable[..., None]


@pytest.fixture
def rotate(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> Rotate:
    """Replace a vendor's key, and in the connection what is said of it: the key, unless something else is given."""

    def replace(vendor: str, **members: Any) -> None:
        name = f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"
        key = connections.world.accounts.rotate(vendor)
        connections.world.accounts.expire_tokens()
        changed = {**json.loads(os.environ[name]), **(members or {"password": key})}
        monkeypatch.setenv(name, json.dumps(changed))

    return replace


def refusals(connections: Emulator) -> int:
    """How many requests were refused for their key; asking for a token with it is part of them."""
    return sum(record.status == 401 and record.operation != "token" for record in connections.requests)


@VENDOR
@pytest.mark.parametrize("shared", [True, False], ids=["one client", "a client for each call"])
def test_questions_go_on_with_the_connections_new_key(
    connections: Emulator, rotate: Rotate, vendor: str, shared: bool, caplog: pytest.LogCaptureFixture
) -> None:
    job = connections.add_job(vendor, state="running")
    hook = BatchApiHook.for_connection(f"{vendor}_default")
    if shared:
        hook.get_conn()
    assert hook.get_job(job.id).state == "running"
    rotate(vendor)
    job.finish()
    assert hook.get_job(job.id).state == "succeeded"
    assert hook.test_connection()[0]
    assert refusals(connections) == 1
    hook.close()
    assert not find_secrets(caplog.text)


@VENDOR
def test_a_download_goes_on_too(connections: Emulator, rotate: Rotate, vendor: str, tmp_path: Path) -> None:
    job = connections.add_job(vendor, ResultSpec(bytes=5_000))
    with BatchApiHook.for_connection(f"{vendor}_default") as hook:
        hook.get_job(job.id)
        rotate(vendor)
        landing = hook.download(job.id, f"{tmp_path}/out/")
        rotate(vendor)
        rows = hook.fetch(job.id, max_bytes=100_000)
    assert [file.sha256 for file in landing.files] == [file.sha256 for file in job.files()]
    assert rows
    assert refusals(connections) == 2


def test_a_download_of_several_parts_begins_again(connections: Emulator, rotate: Rotate, tmp_path: Path) -> None:
    """What came with the old key is not published beside the rest."""
    job = connections.add_job("batchcom", ResultSpec(bytes=60_000, parts=3))
    begun: list[ProgressLines] = []

    def begin() -> ProgressLines:
        begun.append(ProgressLines())
        if len(begun) == 2:
            rotate("batchcom")
            assert not list(tmp_path.glob("out/[!.]*"))
        return begun[-1]

    landing = BatchApiHook.for_connection("batchcom_default").download(job.id, f"{tmp_path}/out/", progress=begin)
    assert [file.sha256 for file in landing.files] == [file.sha256 for file in job.files()]
    assert len(begun) == 2 + 3
    assert refusals(connections)


@VENDOR
def test_a_submit_is_sent_with_one_key_only(connections: Emulator, rotate: Rotate, vendor: str, tmp_path: Path) -> None:
    arguments = work(vendor, tmp_path)
    with BatchApiHook.for_connection(arguments.pop("conn_id")) as hook:
        hook.test_connection()
        rotate(vendor)
        with pytest.raises(AuthenticationError):
            hook.submit_job(**arguments)
    assert not connections.jobs(vendor)


@pytest.mark.parametrize(
    ("members", "asked_again"),
    [
        ({"description": "the same key"}, False),
        ({"password": "rb_" + "0" * 32}, True),
        ({"conn_type": "proofy"}, False),
        ({"conn_type": "nobody"}, False),
        ({"host": "not a host"}, False),
    ],
    ids=["the same", "wrong too", "another vendor's", "nobody's", "unusable"],
)
def test_without_a_key_that_works_the_refusal_is_told_at_once(
    connections: Emulator,
    rotate: Rotate,
    members: dict[str, Any],
    asked_again: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = connections.add_job("revenuebase", state="running")
    with BatchApiHook.for_connection("revenuebase_default") as hook:
        hook.get_job(job.id)
        rotate("revenuebase", **members)
        with pytest.raises(AuthenticationError) as caught:
            hook.get_job(job.id)
    assert refusals(connections) == 1 + asked_again
    assert count(connections, "status") == len(connections.requests)
    assert not find_secrets(f"{caught.value}{caught.value.__cause__}{caplog.text}")


def test_a_connection_that_is_gone_leaves_the_refusal(
    connections: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job = connections.add_job("revenuebase", state="running")
    with BatchApiHook.for_connection("revenuebase_default") as hook:
        hook.get_job(job.id)
        connections.world.accounts.rotate("revenuebase")
        monkeypatch.delenv("AIRFLOW_CONN_REVENUEBASE_DEFAULT")
        with pytest.raises(AuthenticationError):
            hook.get_job(job.id)
    assert "cannot reload connection revenuebase_default" in caplog.text
