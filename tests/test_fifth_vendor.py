"""A vendor that this package has never heard of: docs/adding-a-vendor.md is followed, and everything works with it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import tomllib
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl import vendors
from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.jobs import JobState
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.vendors import submitting
from tests.support import installed
from tests.support.acme import KEY, ROWS, AcmeServer, acme_server
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_task_state_store

PAGE = Path(__file__).parents[1] / "docs" / "adding-a-vendor.md"
RESULT = len(json.dumps(ROWS))


def blocks(language: str) -> list[str]:
    """The page's blocks of code, as a reader copies them."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


MODULE, TESTS, DAG_FILE = blocks("python")
[PROJECT] = blocks("toml")


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[AcmeServer]:
    """The server, and the connection `acme_default` to it. Nothing that is logged may show its key."""
    monkeypatch.setattr(vendors, "_registered", dict(vendors._registered))
    monkeypatch.setattr(submitting, "ADOPTION_DELAYS", (0.0, 0.0))
    with acme_server() as server:
        connection = {"conn_type": "acme", "host": f"http://127.0.0.1:{server.server_port}/v1", "password": KEY}
        connection["extra"] = json.dumps({"poll_interval": 0.05, "rate_limit": "1000/1", "team": "blue"})
        monkeypatch.setenv("AIRFLOW_CONN_ACME_DEFAULT", json.dumps(connection))
        with caplog.at_level(logging.DEBUG, "httpx"):
            yield server
    assert KEY not in caplog.text


@pytest.fixture
def api() -> Iterator[ExecutionApi]:
    running = ExecutionApi()
    yield running
    assert KEY not in "\n".join(running.sent)


@pytest.fixture
def page_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of `acme_batch.py`, where it can be imported."""
    (tmp_path / "acme_batch.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme_batch", raising=False)
    return tmp_path


@pytest.fixture
def package(page_module: Path) -> None:
    """The page's package, as pip installs it."""
    [entries] = tomllib.loads(PROJECT)["project"]["entry-points"].values()
    installed.install(page_module, "acme-batch", MODULE, **entries)


@pytest.fixture
def run(package: None, tmp_path: Path) -> Callable[..., BatchJobOperator]:
    def make(**how: Any) -> BatchJobOperator:
        given: dict[str, Any] = {"request": {"words": 2}, "destination": f"{tmp_path}/rows.json", "retries": 2}
        return BatchJobOperator(task_id="run", conn_id="acme_default", **(given | how))

    return make


# The page itself.


@pytest.mark.usefixtures("page_module")
def test_the_pages_own_tests_pass() -> None:
    names: dict[str, Any] = {}
    exec(compile(TESTS, PAGE.name, "exec"), names)  # noqa: S102  what a reader does with it
    tests = [each for name, each in names.items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test()


@pytest.mark.usefixtures("package")
def test_the_pages_dag_is_parsed_without_a_warning() -> None:
    names: dict[str, Any] = {}
    with warnings.catch_warnings(action="error"):
        exec(compile(DAG_FILE, PAGE.name, "exec"), names)  # noqa: S102  as above
    assert names["dag"].task_ids == ["count"]


@pytest.mark.usefixtures("page_module")
def test_without_registration_nobody_knows_it(acme: AcmeServer) -> None:
    good, words = BatchApiHook("acme_default").test_connection()
    assert not good
    assert "'acme'" in words


@pytest.mark.parametrize("way", ["register", "entry point"])
def test_both_ways_make_it_known(acme: AcmeServer, page_module: Path, way: str, request: Any) -> None:
    if way == "register":
        vendors.register(import_module("acme_batch").Acme)
    else:
        request.getfixturevalue("package")
    assert "acme" in vendors.names()
    assert BatchApiHook("acme_default").test_connection() == (True, "Acme accepts the key of Example Inc..")


# What Airflow does with it.


@pytest.mark.usefixtures("package")
def test_the_hook_in_both_ways(acme: AcmeServer, tmp_path: Path) -> None:
    hook = BatchApiHook.for_connection("acme_default")
    assert hook.test_connection() == asyncio.run(hook.atest_connection())
    job = hook.submit_job({"words": 2})
    others = [asyncio.run(hook.asubmit_job({"words": 2})).id, hook.submit_job({"words": 2}).id]
    assert hook.get_job(job.id).state is asyncio.run(hook.aget_job(job.id)).state is JobState.RUNNING
    listed = [job.id, *others][::-1]
    assert [each.id for each in hook.list_jobs()] == [each.id for each in asyncio.run(hook.alist_jobs())] == listed
    assert all(each.created is not None for each in hook.list_with_times())
    assert hook.is_listed(job.id)
    assert hook.get_balance() == 12
    assert hook.get_job(job.id).state is JobState.SUCCEEDED
    assert hook.fetch(job.id, max_bytes=1_000) == ROWS
    assert [file.bytes for file in hook.download(job.id, f"{tmp_path}/out/").files] == [RESULT]


@pytest.mark.usefixtures("package")
def test_cancelling(acme: AcmeServer) -> None:
    """Acme answers 204 to it, 409 to the second one, and 409 where the batch is done."""
    hook = BatchApiHook.for_connection("acme_default")
    running, done = hook.submit_job({"words": 2}), hook.submit_job({"words": 2})
    for _ in range(2):
        assert hook.cancel_job(running.id).state is JobState.CANCELLED
    assert asyncio.run(hook.acancel_job(running.id)).state is JobState.CANCELLED
    while hook.get_job(done.id).state is not JobState.SUCCEEDED:
        pass
    with pytest.raises(InvalidRequestError, match="It has ended"):
        hook.cancel_job(done.id)


@pytest.mark.usefixtures("package")
def test_task_by_task(acme: AcmeServer, api: ExecutionApi, tmp_path: Path) -> None:
    conn_id = "acme_default"
    submitted = api.run(lambda: SubmitBatchJobOperator(task_id="submit", conn_id=conn_id, request={"words": 2}))
    job_id = submitted.value
    assert job_id == "17"
    for deferrable in (False, True):
        acme.restart()
        waited = api.run_to_end(
            lambda deferrable=deferrable: BatchJobSensor(  # type: ignore[misc]
                task_id="wait", conn_id=conn_id, job_id=job_id, deferrable=deferrable, poke_interval=0.01
            )
        )
        assert waited.value["state"] == "succeeded"
    assert api.deferral is not None
    landed = api.run(
        lambda: DownloadBatchResultsOperator(
            task_id="download", conn_id=conn_id, job_id=job_id, destination=f"{tmp_path}/rows.json"
        )
    )
    assert json.loads((tmp_path / "rows.json").read_text()) == ROWS
    assert landed.value["vendor"] == "acme"
    acme.restart()
    cancelled = api.run(lambda: CancelBatchJobOperator(task_id="cancel", conn_id=conn_id, job_id=job_id))
    assert cancelled.value["state"] == "cancelled"
    assert api.pushed("cancel", "_link_BatchJobLink") == "https://docs.acme.example"


@pytest.mark.parametrize("deferrable", [False, True])
def test_in_one_task(acme: AcmeServer, api: ExecutionApi, run: Callable[..., Any], deferrable: bool) -> None:
    done = api.run_to_end(lambda: run(deferrable=deferrable, destination=None))
    assert (done.state, done.value) == ("success", ROWS)
    assert len(acme.batches) == 1


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_lost_answer_makes_one_batch(
    acme: AcmeServer, api: ExecutionApi, run: Callable[..., Any], deferrable: bool, tmp_path: Path
) -> None:
    acme.add("of somebody else")
    acme.loses_submits = True
    done = api.run_to_end(lambda: run(deferrable=deferrable))
    assert done.state == "success", done.error
    assert len(acme.batches) == 2
    assert acme.asked.count("POST /v1/batches") == 1
    assert json.loads((tmp_path / "rows.json").read_text()) == ROWS


@needs_task_state_store
@pytest.mark.parametrize("at", ["the answer to the submit", "a poll"])
def test_a_killed_worker_leaves_one_batch(
    acme: AcmeServer, api: ExecutionApi, run: Callable[..., Any], at: str, tmp_path: Path
) -> None:
    """It dies before it has stored the id, or later; the retry finds the batch by its label, or by its id."""
    kind = vendors.vendor_class("acme")
    operation = "submit" if at == "the answer to the submit" else "status"
    with pytest.MonkeyPatch.context() as patch:
        read = kind._job  # type: ignore[attr-defined]

        def die(self: Any, done: str, item: Any) -> Any:
            if done == operation:
                raise MemoryError("killed")
            return read(self, done, item)

        patch.setattr(kind, "_job", die)
        assert api.run(lambda: run(deferrable=False)).state != "success"
    done = api.run_to_end(lambda: run(deferrable=True), try_number=2)
    assert done.state == "success", done.error
    assert len(acme.batches) == 1
    assert json.loads((tmp_path / "rows.json").read_text()) == ROWS
