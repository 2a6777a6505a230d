"""A vendor whose expired jobs have partial results, which counts records, and whose jobs have a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl import vendors
from airflow_provider_batchdl.cli.jobs import row
from airflow_provider_batchdl.exceptions import JobFailedError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.jobs import Job, state_words
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.triggers.events import job_to_event
from tests.support.airflow_api import ExecutionApi
from tests.support.linked_vendor import JOB, KEY, Linked, LinkedService, Served, linked_service

ROWS = b"word\none\ntwo\n"
PARSED = [{"word": "one"}, {"word": "two"}]
LINK = "_link_BatchJobLink"
PAGE = f"https://app.linked.example/jobs/{JOB}"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[LinkedService]:
    monkeypatch.setattr(vendors, "_registered", dict(vendors._registered))
    vendors.register(Linked)
    with linked_service() as service:
        service.files["x.csv"] = Served(ROWS)
        extra = json.dumps({"poll_interval": 0.05, "rate_limit": "1000/1"})
        connection = {"conn_type": "linked", "host": service.url, "password": KEY, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_LINKED", json.dumps(connection))
        yield service


@pytest.fixture
def api(service: LinkedService) -> Iterator[ExecutionApi]:
    running = ExecutionApi()
    yield running
    sent = "\n".join(running.sent)
    assert not [secret for secret in (KEY, *service.signatures) if secret in sent]


def run(**more: Any) -> BatchJobOperator:
    return BatchJobOperator(task_id="run", conn_id="linked", request={"words": 2}, **more)


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_results_of_an_expired_job_are_taken_if_wanted(
    service: LinkedService, api: ExecutionApi, deferrable: bool
) -> None:
    service.state, service.states = "expired", ["busy"]
    ended = api.run_to_end(lambda: run(deferrable=deferrable, accept_partial=True))
    assert (ended.state, ended.value) == ("success", PARSED)
    waited = api.run_to_end(
        lambda: BatchJobSensor(
            task_id="wait", conn_id="linked", job_id=JOB, accept_partial=True, deferrable=deferrable, poke_interval=0.01
        )
    )
    assert waited.value["vendor_state"] == "expired"
    assert waited.value["records"] == 12_000
    assert service.asked.count("submit") == 1


def test_else_the_job_has_failed_and_the_error_says_what_it_left(service: LinkedService) -> None:
    service.state = "expired"
    hook = BatchApiHook("linked")
    job = hook.get_job(JOB)
    with pytest.raises(JobFailedError, match="accept_partial=True"):
        hook.ensure_results(job)
    assert hook.ensure_results(job, accept_partial=True)
    service.state = "failed"
    with pytest.raises(JobFailedError) as caught:
        hook.ensure_results(hook.get_job(JOB), accept_partial=True)
    assert "accept_partial" not in str(caught.value)


def test_a_retry_takes_them_instead_of_submitting_again(
    service: LinkedService, api: ExecutionApi, tmp_path: Path
) -> None:
    service.state = "expired"
    target = f"{tmp_path}/out/"
    service.files["x.csv"].content = b"<!DOCTYPE html><html><body>Sorry</body></html>"
    first = api.run(lambda: run(destination=target, accept_partial=True, retries=2))
    assert first.state != "success"
    service.files["x.csv"].content = ROWS
    second = api.run(lambda: run(destination=target, accept_partial=True, retries=2))
    assert second.state == "success", second.error
    assert service.asked.count("submit") == 1


def test_records_are_logged_and_shown(
    service: LinkedService, api: ExecutionApi, capfd: pytest.CaptureFixture[str]
) -> None:
    service.states = ["waiting", "busy"]
    api.run_to_end(lambda: run(deferrable=False))
    assert f"Job {JOB} is busy (12,000 records)." in "".join(capfd.readouterr())
    job = BatchApiHook("linked").get_job(JOB)
    assert row(job)["progress"] == "12,000 records"
    assert Job.from_dict(job_to_event(job)).records == 12_000
    assert state_words(replace(job, progress=0.5)) == "done (50%)"
    assert state_words(replace(job, records=None)) == "done"
    link = "https://store.example/x.csv?X-Amz-Signature=0123456789abcdef0123"
    assert "0123456789abcdef" not in json.dumps(row(replace(job, name=link, vendor_state=link, message=link)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: run(deferrable=False),
        lambda: run(deferrable=True),
        lambda: SubmitBatchJobOperator(task_id="run", conn_id="linked", request={"words": 2}),
        lambda: BatchJobSensor(task_id="run", conn_id="linked", job_id=JOB, poke_interval=0.01),
        lambda: DownloadBatchResultsOperator(task_id="run", conn_id="linked", job_id=JOB),
        lambda: CancelBatchJobOperator(task_id="run", conn_id="linked", job_id=JOB),
    ],
)
def test_the_extra_link_leads_to_the_jobs_page(service: LinkedService, api: ExecutionApi, make: Any) -> None:
    ended = api.run_to_end(make)
    assert ended.state == "success", ended.error
    assert api.pushed("run", LINK) == PAGE


@pytest.mark.parametrize("url", ["https://h/jobs/7?X-Amz-Signature=0123456789abcdef", "javascript:alert(1)", None, 7])
def test_a_page_that_cannot_be_shown_is_the_documentation(
    service: LinkedService, api: ExecutionApi, monkeypatch: pytest.MonkeyPatch, url: Any
) -> None:
    monkeypatch.setattr(Linked, "job_url", lambda self, job: url)
    api.run(lambda: DownloadBatchResultsOperator(task_id="run", conn_id="linked", job_id=JOB))
    assert api.pushed("run", LINK) == Linked.docs_url
