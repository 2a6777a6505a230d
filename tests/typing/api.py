"""The public surface as users write it, for type checkers: it is never run. mypy --strict checks it with all else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, assert_type

import fsspec
import httpx
from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_batchdl import vendors, windows
from airflow_provider_batchdl.client import AsyncBatchClient, BatchClient
from airflow_provider_batchdl.decorators.batch_job import batch_job_task
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidArgumentError, RateLimitedError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.hooks.proofy import ProofyHook
from airflow_provider_batchdl.jobs import Job, JobState, LandedFile, Landing, ResultFile
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.options import DownloadOptions
from airflow_provider_batchdl.retries import BatchDlRetryPolicy, BatchTaskFailedError
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.task_groups import batch_job
from airflow_provider_batchdl.transfer import Destination, download, fetch
from airflow_provider_batchdl.triggers.completed import CompletedJobsTrigger
from airflow_provider_batchdl.vendors.account import Account
from airflow_provider_batchdl.vendors.auth import HeaderKeyAuth
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, JobPage, Listing, RateLimit, Submission, Vendor


def a_dag() -> None:
    with DAG("typed", default_args={"retries": 3, "retry_policy": BatchDlRetryPolicy()}):
        submit = SubmitBatchJobOperator(task_id="submit", conn_id="revenuebase_default", file=Path("/data/a.csv"))
        wait = BatchJobSensor(
            task_id="wait", conn_id="revenuebase_default", job_id=submit.output, timeout=timedelta(hours=2)
        )
        land = DownloadBatchResultsOperator(
            task_id="land",
            conn_id="revenuebase_default",
            job_id=submit.output,
            destination="s3://aws_default@lake/{{ ds }}.csv",
            if_exists="skip",
        )
        wait >> land >> CancelBatchJobOperator(task_id="cancel", conn_id="revenuebase_default", job_id=submit.output)
        BatchJobOperator(
            task_id="run",
            conn_id="proofy_default",
            request={"emails": ["ada@example.com"]},
            poll_interval=timedelta(seconds=30),
            on_uncertain_submit="resubmit",
            outlets=[Asset("reports")],
        )
        BatchJobOperator(task_id="no", conn_id="x", on_uncertain_submit="perhaps")  # type: ignore[arg-type]

        @task.batch_job(conn_id="proofy_default", retries=3)
        def verify(domain: str) -> dict[str, Any]:
            return {"emails": [f"ada@{domain}"]}

        @batch_job_task(conn_id="revenuebase_default", retries=3)
        def upload() -> Path:
            return Path("/data/a.csv")

        verify("example.com") >> upload() >> land
        (batch_job("revenuebase_default", file="/data/a.csv", keep="latest") >> land)
    AssetWatcher(name="jobs", trigger=CompletedJobsTrigger(conn_id="revenuebase_default"))


def a_hook() -> None:
    with BatchApiHook.for_connection("batchcom_default") as hook:
        assert_type(hook, BatchApiHook)
        job = hook.submit_job({"export_type": "ATTRIBUTES"})
        assert_type(job, Job)
        assert_type(job.state, JobState)
        assert_type(job.files, tuple[ResultFile, ...])
        assert_type(hook.list_jobs(), list[Job])
        assert_type(hook.get_balance(), int | None)
        landing = hook.download(job.id, "/data/", DownloadOptions(sha256=False), if_exists="error")
        assert_type(landing, Landing)
        assert_type(landing.files[0], LandedFile)
        assert_type(landing.files[0].rows, int | None)
        hook.download(job.id, "/data/", if_exists="perhaps")  # type: ignore[arg-type]
        assert_type(hook.fetch(job.id, max_bytes=1 << 20), object)
        assert_type(hook.test_connection(), tuple[bool, str])


async def twins() -> None:
    async with ProofyHook() as hook:
        assert_type(await hook.aget_job("1"), Job)
        assert_type(await hook.acancel_job("1"), Job)


def errors(run: Callable[[], None]) -> float | None:
    try:
        run()
    except RateLimitedError as error:
        return error.retry_after
    except InvalidArgumentError as error:
        raise ValueError(error.remedy) from error
    except BatchDlError as error:
        assert_type(error.retryable, bool)
        assert_type(error.vendor_message, str | None)
    except BatchTaskFailedError as error:
        assert_type(error.cause, BatchDlError)
    return None


def a_script() -> None:
    account = Account("https://api.revenuebase.ai", "the API key", None, {})
    vendor = vendors.vendor_class("revenuebase")(account)
    with BatchClient(vendor) as client:
        target = Destination(fsspec.filesystem("file"), "/data/", "/data/")
        assert_type(download(client, "1", target, keep="latest"), Landing)
        assert_type(fetch(client, "1", max_bytes=1000), object)
        assert_type(client.run(vendor.get_job("1")), Job)


async def async_script(vendor: Vendor) -> None:
    async with AsyncBatchClient(vendor) as client:
        assert_type(await client.run(vendor.list_jobs()), list[Job])


def a_window(context: dict[str, Any]) -> None:
    assert_type(windows.inclusive_days(days=7).first.isoformat(), str)
    assert_type(windows.period(context, lag=timedelta(hours=1)).start, str)


@vendors.register
class Acme(Vendor):
    """A vendor of one's own."""

    name = "acme"
    label = "Acme"
    default_host = "https://api.acme.example"
    docs_url = "https://docs.acme.example"
    states = {"busy": JobState.RUNNING, "done": JobState.SUCCEEDED}  # noqa: RUF012 as in docs/adding-a-vendor.md
    poll_interval = 30.0
    rate_limits = (RateLimit(60, 60.0),)
    listing = Listing()

    def list_page(self, cursor: str | None = None) -> Flow[JobPage]:
        yield ApiRequest("list", "GET", "/batches")
        return JobPage(())

    def auth(self) -> httpx.Auth:
        return HeaderKeyAuth("x-acme-key", self.account.secret)

    def submit(self, submission: Submission) -> Flow[Job]:
        response = yield ApiRequest("submit", "POST", "/batches", json=dict(submission.request), repeatable=False)
        return self._job(self.read_json("submit", response))

    def get_job(self, job_id: str) -> Flow[Job]:
        response = yield ApiRequest("status", "GET", f"/batches/{job_id}", job_id=job_id)
        return self._job(self.read_json("status", response))

    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        return ApiRequest("download", "GET", f"/batches/{job.id}/result", job_id=job.id)

    def check(self) -> Flow[str]:
        yield ApiRequest("check", "GET", "/me")
        return "Acme accepts the key."

    def _job(self, body: dict[str, Any]) -> Job:
        return Job(str(body["id"]), self.state_of(body["status"]), body["status"])


assert_type(vendors.vendor_class("acme"), type[Vendor])
