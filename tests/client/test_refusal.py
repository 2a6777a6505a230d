"""An error inside a 200 is typed, retried and learned from as one with a status of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InsufficientCreditsError,
    InvalidRequestError,
    JobNotFoundError,
    RateLimitedError,
    SubmitUncertainError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.transfer.source.range_client import RangeClient, Source
from airflow_provider_batchdl.vendors.auth import HeaderKeyAuth
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, RateLimit, Submission, Vendor
from airflow_provider_batchdl.vendors.errors import json_of
from airflow_provider_batchdl.vendors.retry_after import duration
from tests.client.helpers import REQUESTS, Face, Waits, account_at, operations, vendor_of
from tests.support.recorder import Recorded, Recorder, Reply, recording

THROTTLED = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}
DENIED = {"errors": [{"message": "Field 'x' does not exist"}]}
BUSY = {"errors": [{"message": "Later", "extensions": {"code": "NOT_NOW"}}]}
LOST = {"errors": [{"message": "Timeout", "extensions": {"code": "TIMEOUT"}}]}
ODD = {"errors": 7}
JOB = {"data": {"node": {"id": "gid://1", "status": "RUNNING"}}}
MINUTE_AND_A_HALF = {"X-RateLimit-Reset-Requests": "1m30s"}


class GraphQL(Vendor):
    """A vendor whose every answer is a 200."""

    name = "graphql"
    label = "GraphQL Inc"
    default_host = "https://api.graphql.example"
    docs_url = "https://docs.graphql.example"
    states = {"RUNNING": JobState.RUNNING}  # noqa: RUF012 as in the documented example
    poll_interval = 1.0
    rate_limits = (RateLimit(1000, 1.0),)

    def auth(self) -> httpx.Auth:
        return HeaderKeyAuth("X-Shop-Key", self.account.secret)

    def refusal(self, request: ApiRequest, response: httpx.Response) -> BatchDlError | None:
        if request.operation == "check" and response.status_code == 404:
            return None
        error = super().refusal(request, response)
        body = json_of(response)
        if error is not None or not isinstance(body, dict) or not body.get("errors"):
            return error
        first = body["errors"][0]
        kinds: dict[str, BatchDlError] = {
            "THROTTLED": RateLimitedError(first["message"]),
            "NOT_NOW": VendorUnavailableError(first["message"], maybe_processed=False),
            "TIMEOUT": VendorUnavailableError(first["message"]),
        }
        return kinds.get(first.get("extensions", {}).get("code")) or InvalidRequestError(first["message"])

    def retry_after(self, headers: Mapping[str, str]) -> float | None:
        asked = headers.get("x-ratelimit-reset-requests")
        return super().retry_after(headers) if asked is None else duration(asked)

    def submit(self, submission: Submission) -> Flow[Job]:
        response = yield ApiRequest("submit", "POST", "/graphql", json={"query": "m"}, repeatable=False)
        return self._read(response)

    def get_job(self, job_id: str) -> Flow[Job]:
        response = yield ApiRequest("status", "POST", "/graphql", json={"query": "q"}, job_id=job_id)
        return self._read(response)

    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        return ApiRequest("download", "GET", "/result", job_id=job.id)

    def check(self) -> Flow[str]:
        response = yield ApiRequest("check", "GET", "/none")
        return f"status {response.status_code}"

    def _read(self, response: httpx.Response) -> Job:
        node = response.json()["data"]["node"]
        return Job(node["id"], self.state_of(node["status"]), node["status"])


class Replies:
    """Answers one request after another; the last one again and again."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []

    def __call__(self, _: Recorded) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@pytest.fixture
def replies() -> Replies:
    return Replies()


@pytest.fixture
def server(replies: Replies) -> Iterator[Recorder]:
    with recording(replies) as server:
        yield server


@pytest.fixture
def vendor(server: Recorder) -> Vendor:
    return GraphQL(account_at(server.url, "graphql"))


def polled(face: Face, vendor: Vendor) -> Job:
    job: Job = face.run(vendor, lambda each: each.get_job("gid://1"))
    return job


def test_it_is_retried_by_the_same_policy(
    face: Face, server: Recorder, replies: Replies, vendor: Vendor, waits: Waits
) -> None:
    replies.replies = [Reply(THROTTLED, headers=MINUTE_AND_A_HALF), Reply(BUSY), Reply(JOB)]
    assert polled(face, vendor).state is JobState.RUNNING
    assert len(server.received) == 3
    assert waits.asked == [90.0, None]
    assert waits.holds == [90.0]  # the account's throttle knows, too


def test_one_that_stays_reaches_the_caller_with_its_facts(
    face: Face, server: Recorder, replies: Replies, vendor: Vendor
) -> None:
    replies.replies = [Reply(THROTTLED, headers=MINUTE_AND_A_HALF)]
    with pytest.raises(RateLimitedError) as caught:
        polled(face, vendor)
    assert len(server.received) == 5
    error = caught.value
    assert (error.vendor, error.job_id, error.status, error.retry_after) == ("graphql", "gid://1", 200, 90.0)


def test_a_flow_may_catch_it(face: Face, replies: Replies, vendor: Vendor) -> None:
    replies.replies = [Reply(DENIED)]

    def flow(_: Vendor) -> Flow[str]:
        try:
            yield ApiRequest("list", "GET", "/x")
        except InvalidRequestError as error:
            return error.message
        return "accepted"

    assert face.run(vendor, flow) == "Field 'x' does not exist"


@pytest.mark.parametrize("body", [DENIED, BUSY, THROTTLED], ids=["denied", "busy", "throttled"])
def test_a_submit_that_was_not_taken_is_not_uncertain(
    face: Face, server: Recorder, replies: Replies, vendor: Vendor, body: dict[str, Any]
) -> None:
    replies.replies = [Reply(body)]
    with pytest.raises((InvalidRequestError, VendorUnavailableError, RateLimitedError)):
        face.submit(vendor)
    assert len(server.received) == (1 if body is DENIED else 5)


def test_and_is_sent_again_where_that_helps(face: Face, server: Recorder, replies: Replies, vendor: Vendor) -> None:
    replies.replies = [Reply(BUSY), Reply(THROTTLED), Reply(JOB)]
    assert face.submit(vendor).id == "gid://1"
    assert len(server.received) == 3


@pytest.mark.parametrize("body", [LOST, ODD, {"data": {"node": None}}], ids=["lost", "odd", "no job"])
def test_one_that_leaves_it_open_is(
    face: Face, server: Recorder, replies: Replies, vendor: Vendor, body: dict[str, Any]
) -> None:
    replies.replies = [Reply(body)]
    with pytest.raises(SubmitUncertainError):
        face.submit(vendor)
    assert len(server.received) == 1


def test_a_reader_of_refusals_that_fails_is_an_answer_that_cannot_be_read(
    face: Face, replies: Replies, vendor: Vendor
) -> None:
    replies.replies = [Reply(ODD)]
    with pytest.raises(UnexpectedResponseError, match="cannot be read: TypeError") as caught:
        polled(face, vendor)
    assert (caught.value.job_id, caught.value.status) == ("gid://1", 200)


def test_a_status_that_is_no_error_to_the_vendor_is_none(face: Face, replies: Replies, vendor: Vendor) -> None:
    replies.replies = [Reply({"message": "none"}, 404)]
    assert face.run(vendor, lambda each: each.check()) == "status 404"
    with pytest.raises(JobNotFoundError):
        polled(face, vendor)


@pytest.mark.parametrize("status", [429, 200])
def test_the_vendors_own_header_reaches_the_throttle(
    face: Face, replies: Replies, vendor: Vendor, waits: Waits, status: int
) -> None:
    headers = {**MINUTE_AND_A_HALF, "X-RateLimit-Remaining": "0"}
    replies.replies = [Reply(JOB, status, headers), Reply(JOB)]
    assert polled(face, vendor).id == "gid://1"
    assert waits.holds == [90.0]
    assert waits.asked == ([90.0] if status == 429 else [])


@pytest.mark.parametrize("status", [429, 503, 200])
@pytest.mark.parametrize("value", ["soon", "-1s", "9999999h", "nan", ""])
def test_no_answer_is_lost_over_its_headers(
    face: Face, replies: Replies, vendor: Vendor, waits: Waits, value: str, status: int
) -> None:
    headers = {"X-RateLimit-Reset-Requests": value, "X-RateLimit-Remaining": "0"}
    replies.replies = [Reply(JOB, status, headers), Reply(JOB)]
    assert polled(face, vendor).id == "gid://1"
    assert waits.asked == ([None] if status != 200 else [])


def test_a_download_that_is_refused_is_asked_about_too(
    server: Recorder, replies: Replies, vendor: Vendor, waits: Waits
) -> None:
    replies.replies = [Reply(DENIED, 429, MINUTE_AND_A_HALF)]
    job = Job("gid:1", JobState.SUCCEEDED, "x")
    with BatchClient(vendor) as client, pytest.raises(RateLimitedError) as caught:
        RangeClient(Source(client, job, ResultFile("1"))).open()
    assert caught.value.retry_after == 90.0
    assert waits.holds == [90.0]


# Proofy, whose older API answers errors as 200.


def inside(emulator: Emulator, body: str, operation: str, times: int = 1) -> None:
    fault = Fault("status", operation=operation, status=200, body=body, content_type="application/json", times=times)
    emulator.add_fault(fault)


TOO_MANY = '{"error": true, "message": "Too Many Requests"}'
NO_CREDITS = '{"error": true, "message": "Not enough credits"}'
UNAVAILABLE = '{"error": true, "message": "Service Unavailable"}'


@pytest.mark.parametrize("body", [TOO_MANY, UNAVAILABLE], ids=["429", "503"])
@pytest.mark.parametrize("operation", ["submit", "balance"])
def test_proofys_error_inside_a_200_is_retried(
    emulator: Emulator, face: Face, waits: Waits, body: str, operation: str
) -> None:
    vendor = vendor_of(emulator, "proofy")
    inside(emulator, body, operation, times=2)
    run: dict[str, Callable[[], Any]] = {
        "submit": lambda: face.submit(vendor, REQUESTS["proofy"]),
        "balance": lambda: face.run(vendor, lambda each: each.get_balance()),
    }
    run[operation]()
    assert operations(emulator).count(operation) == 3
    assert len(waits.holds) == (2 if body is TOO_MANY else 0)
    assert len(emulator.jobs("proofy")) == (operation == "submit")


def test_proofys_submit_that_was_not_taken_is_no_uncertain_one(emulator: Emulator, face: Face) -> None:
    inside(emulator, NO_CREDITS, "submit")
    with pytest.raises(InsufficientCreditsError, match="Not enough credits"):
        face.submit(vendor_of(emulator, "proofy"), REQUESTS["proofy"])


def test_a_job_of_proofys_with_an_error_is_a_job(emulator: Emulator, face: Face) -> None:
    inside(emulator, '{"id": "7", "status": "failed", "error": true, "message": "Bad list"}', "status")
    job: Job = face.run(vendor_of(emulator, "proofy"), lambda each: each.get_job("7"))
    assert (job.state, job.message) == (JobState.FAILED, "Bad list")
