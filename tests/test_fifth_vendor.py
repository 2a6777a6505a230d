"""A vendor that this package has never heard of: one class and its registration, and everything works with it."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from airflow_provider_batchdl import vendors
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.vendors.auth import BearerAuth
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, RateLimit, Submission, Vendor
from tests.support.airflow_api import ExecutionApi

KEY = "acme-key-that-nobody-may-see"
ROWS = [{"word": "one"}, {"word": "two"}]


class Acme(Vendor):
    name = "acme"
    label = "Acme"
    default_host = "https://api.acme.example"
    docs_url = "https://docs.acme.example"
    states: ClassVar[Mapping[str, JobState]] = {
        "working": JobState.RUNNING,
        "done": JobState.SUCCEEDED,
        "stopped": JobState.CANCELLED,
    }
    poll_interval = 0.05
    rate_limits = (RateLimit(1000, 1.0),)

    def auth(self) -> httpx.Auth:
        return BearerAuth(self.account.secret)

    def submit(self, submission: Submission) -> Flow[Job]:
        response = yield ApiRequest("submit", "POST", "/jobs", json=dict(submission.request), repeatable=False)
        return self._read("submit", response)

    def get_job(self, job_id: str) -> Flow[Job]:
        response = yield ApiRequest("status", "GET", f"/jobs/{job_id}", job_id=job_id)
        return self._read("status", response)

    def cancel_job(self, job_id: str) -> Flow[Job]:
        response = yield ApiRequest("cancel", "DELETE", f"/jobs/{job_id}", job_id=job_id)
        return self._read("cancel", response)

    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        return ApiRequest("download", "GET", f"/jobs/{job.id}/result", job_id=job.id)

    def check(self) -> Flow[str]:
        yield ApiRequest("check", "GET", "/")
        return "Acme accepts the key."

    def _read(self, operation: str, response: httpx.Response) -> Job:
        body = self.read_json(operation, response)
        return Job(str(body["id"]), self.state_of(body["state"]), body["state"])


# Acme itself.


class AcmeServer(ThreadingHTTPServer):
    """Jobs are done at the third look."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), AcmeRequest)
        self.looks: list[int] = []
        self.stopped: set[int] = set()

    def state_of(self, job: int) -> dict[str, Any]:
        word = "stopped" if job in self.stopped else "done" if self.looks[job] > 2 else "working"
        return {"id": job, "state": word}


class AcmeRequest(BaseHTTPRequestHandler):
    server: AcmeServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers["Authorization"] != f"Bearer {KEY}":
            return self.reply(401, {"message": "who are you?"})
        job, _, tail = self.path.removeprefix("/jobs").strip("/").partition("/")
        if self.command == "POST":
            self.server.looks.append(0)
            return self.reply(201, self.server.state_of(len(self.server.looks) - 1))
        if not job:
            return self.reply(200, {})
        if self.command == "DELETE":
            self.server.stopped.add(int(job))
        self.server.looks[int(job)] += 1
        return self.reply(200, ROWS if tail else self.server.state_of(int(job)))

    do_GET = do_POST = do_DELETE = do  # noqa: N815 the standard library's names

    def reply(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[AcmeServer]:
    """The server, and the connection `acme` to it. Nothing that is logged may show its key."""
    monkeypatch.setattr(vendors, "_registered", dict(vendors._registered))
    server = AcmeServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    connection = {"conn_type": "acme", "host": f"http://127.0.0.1:{server.server_port}", "password": KEY}
    monkeypatch.setenv("AIRFLOW_CONN_ACME", json.dumps(connection))
    with caplog.at_level(logging.DEBUG, "httpx"):
        yield server
    server.shutdown()
    server.server_close()
    thread.join()
    assert KEY not in caplog.text


@pytest.fixture
def api() -> Iterator[ExecutionApi]:
    running = ExecutionApi()
    yield running
    assert KEY not in "\n".join(running.sent)


@pytest.fixture(params=["register", "entry point"])
def _registered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if request.param == "register":
        vendors.register(Acme)
        return
    # A package of its own, as if installed.
    imports = inspect.getsource(inspect.getmodule(Acme) or vendors).partition("\nKEY = ")[0]
    (tmp_path / "acme_batch.py").write_text(f"{imports}\n\n{inspect.getsource(Acme)}")
    metadata = tmp_path / "acme_batch-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-batch\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{vendors.ENTRY_POINT_GROUP}]\nacme = acme_batch:Acme\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "acme" in vendors.names()


def test_it_is_one_small_class() -> None:
    assert len(inspect.getsource(Acme).splitlines()) <= 60


def test_without_registration_nobody_knows_it(acme: AcmeServer) -> None:
    good, words = BatchApiHook("acme").test_connection()
    assert not good
    assert "'acme'" in words


@pytest.mark.usefixtures("_registered")
def test_the_hook_in_both_ways(acme: AcmeServer, tmp_path: Path) -> None:
    hook = BatchApiHook.for_connection("acme")
    assert hook.test_connection() == asyncio.run(hook.atest_connection()) == (True, "Acme accepts the key.")
    job = hook.submit_job({"words": 2})
    assert asyncio.run(hook.asubmit_job({"words": 2})).id != job.id
    assert hook.get_job(job.id).state is asyncio.run(hook.aget_job(job.id)).state is JobState.RUNNING
    assert hook.get_balance() is None
    assert hook.fetch(job.id, max_bytes=1_000) == ROWS
    landing = hook.download(job.id, f"{tmp_path}/out/")
    assert [file.bytes for file in landing.files] == [len(json.dumps(ROWS))]
    assert hook.cancel_job(job.id).state is JobState.CANCELLED


@pytest.mark.usefixtures("_registered")
def test_task_by_task(acme: AcmeServer, api: ExecutionApi, tmp_path: Path) -> None:
    submitted = api.run(lambda: SubmitBatchJobOperator(task_id="submit", conn_id="acme", request={"words": 2}))
    assert submitted.value == "0"
    for deferrable in (False, True):
        acme.looks[0] = 0
        waited = api.run_to_end(
            lambda deferrable=deferrable: BatchJobSensor(  # type: ignore[misc]
                task_id="wait", conn_id="acme", job_id="0", deferrable=deferrable, poke_interval=0.01
            )
        )
        assert waited.value["state"] == "succeeded"
    assert api.deferral is not None
    landed = api.run(
        lambda: DownloadBatchResultsOperator(
            task_id="download", conn_id="acme", job_id="0", destination=f"{tmp_path}/rows.json"
        )
    )
    assert json.loads((tmp_path / "rows.json").read_text()) == ROWS
    assert landed.value["vendor"] == "acme"
    acme.looks[0] = 0
    assert api.run(lambda: CancelBatchJobOperator(task_id="cancel", conn_id="acme", job_id="0")).value["state"] == (
        "cancelled"
    )
    assert api.pushed("cancel", "_link_BatchJobLink") == "https://docs.acme.example"


@pytest.mark.usefixtures("_registered")
@pytest.mark.parametrize("deferrable", [False, True])
def test_in_one_task(acme: AcmeServer, api: ExecutionApi, deferrable: bool) -> None:
    done = api.run_to_end(
        lambda: BatchJobOperator(task_id="run", conn_id="acme", request={"words": 2}, deferrable=deferrable)
    )
    assert (done.state, done.value) == ("success", ROWS)
    assert len(acme.looks) == 1
