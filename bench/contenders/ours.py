"""This engine, with a vendor made up here whose jobs are the files that the source serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.transfer.job_download import Destination, download
from airflow_provider_batchdl.vendors.account import Account
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, RateLimit, Submission, Vendor, immediate
from bench.contenders import Order, Work
from bench.contenders.source import s3_filesystem, small_files


class Bench(Vendor):
    """A job's id is its file's name; every job has succeeded."""

    name = "bench"
    label = "Bench"
    default_host = "http://127.0.0.1"
    docs_url = "http://127.0.0.1"
    states: ClassVar[Mapping[str, JobState]] = {}
    poll_interval = 1.0
    rate_limits = (RateLimit(1_000_000, 1.0),)

    def auth(self) -> httpx.Auth:
        return httpx.Auth()

    def submit(self, submission: Submission) -> Flow[Job]:
        raise NotImplementedError

    def get_job(self, job_id: str) -> Flow[Job]:
        return immediate(Job(job_id, JobState.SUCCEEDED, "done"))

    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        return ApiRequest("download", "GET", f"/{job.id}", job_id=job.id)

    def check(self) -> Flow[str]:
        return immediate("")


def ours(order: Order) -> Work:
    """Through `download`, into a local folder or a bucket."""
    fs = s3_filesystem(order) if order.get("s3") else LocalFileSystem()
    client = BatchClient(Bench(Account(order["base"], "", None, {})))
    options: dict[str, Any] = {"sha256": order["sha256"]}
    if "connections" in order:
        options["max_connections"] = order["connections"]

    def work() -> None:
        with client:
            for job, target in small_files(order) if order.get("count") else [(order["file"], order["target"])]:
                download(client, job, Destination(fs, target, target), **options)

    return work
