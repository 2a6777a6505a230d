"""The catalogue's vendors through both clients, against their stand-ins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.client import policy
from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, Fault
from airflow_provider_batchdl.emulator.apis import salesforce
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    BatchDlError,
    InvalidRequestError,
    JobNotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    UnexpectedResponseError,
    UnsupportedOperationError,
)
from airflow_provider_batchdl.jobs import JobState
from airflow_provider_batchdl.vendors import submitting
from airflow_provider_batchdl.vendors.account import Account
from airflow_provider_batchdl.vendors.base import Vendor
from airflow_provider_batchdl.vendors.declared import Declared
from tests.client.helpers import Face, submission
from tests.support.catalogue import DECLARED, work

EACH = pytest.mark.parametrize("name", DECLARED)


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Face:
    monkeypatch.setattr(submitting, "ADOPTION_DELAYS", (0.0,))
    monkeypatch.setattr(policy, "BACKOFF_CAP", 0.0)
    return Face(request.param)


def vendor_at(emulator: Emulator, name: str, **changes: Any) -> Vendor:
    known = emulator.credentials[name]
    fields = {"base_url": emulator.urls[name], "secret": known.password, "login": known.login, **changes}
    return Declared.load(name)(Account(**fields, extra={"rate_limit": "10000/1"}))


def submitted(face: Face, vendor: Vendor, folder: Path, key: str = "k0000001") -> Any:
    arguments = work(vendor.name, folder)
    what = submission(arguments["request"], arguments.get("file"), key)
    return face.run(vendor, lambda each: each.submit_once(what))


def state_of(face: Face, vendor: Vendor, job_id: str) -> JobState:
    state: JobState = face.run(vendor, lambda each: each.get_job(job_id)).state
    return state


@EACH
def test_a_job_from_submit_to_end(emulator: Emulator, face: Face, tmp_path: Path, name: str) -> None:
    emulator.world.queue_seconds = 3600  # the response to the submit has its state
    vendor = vendor_at(emulator, name)
    job = submitted(face, vendor, tmp_path)
    [made] = emulator.jobs(name)
    assert (job.id, job.state) == (made.id, JobState.PENDING)
    made.finish()
    done = face.run(vendor, lambda each: each.get_job(job.id))
    assert (done.state, done.vendor_state) == (JobState.SUCCEEDED, made.vendor_state)
    assert [each.id for each in face.run(vendor, lambda each: each.list_jobs())] == [job.id]
    assert "accepts the credentials" in face.run(vendor, lambda each: each.check())


@EACH
def test_the_list_is_read_to_its_end(
    emulator: Emulator, face: Face, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(salesforce, "LIST_ROWS", 100)
    made = {emulator.add_job(name, state="running").id for _ in range(230)}
    vendor = vendor_at(emulator, name)
    assert {job.id for job in face.run(vendor, lambda each: each.list_jobs())} == made
    assert sum(record.operation == "list" for record in emulator.requests) == 3


@EACH
def test_each_state_has_a_meaning(emulator: Emulator, face: Face, name: str) -> None:
    emulator.world.queue_seconds = 3600
    vendor = vendor_at(emulator, name)
    for state, meaning in (
        ("queued", JobState.PENDING),
        ("running", JobState.RUNNING),
        ("succeeded", JobState.SUCCEEDED),
        ("failed", JobState.FAILED),
    ):
        job = emulator.add_job(name, state=state)
        assert state_of(face, vendor, job.id) is meaning
    words = {word.lower() for word in vendor.states}
    assert {job.vendor_state.lower() for job in emulator.jobs(name)} <= words


@EACH
def test_wrong_credentials(emulator: Emulator, face: Face, name: str) -> None:
    vendor = vendor_at(emulator, name, secret="wrong-00000001")
    with pytest.raises(AuthenticationError):
        face.run(vendor, lambda each: each.check())


@EACH
def test_an_unknown_job(emulator: Emulator, face: Face, name: str) -> None:
    vendor = vendor_at(emulator, name)
    # NeverBounce has one code for whatever is wrong with a request.
    expected = UnexpectedResponseError if name == "neverbounce" else JobNotFoundError
    with pytest.raises(expected):
        face.run(vendor, lambda each: each.get_job("99"))


@EACH
def test_cancel(emulator: Emulator, face: Face, name: str) -> None:
    vendor = vendor_at(emulator, name)
    job = emulator.add_job(name, state="running")
    if name == "neverbounce":
        with pytest.raises(UnsupportedOperationError):
            face.run(vendor, lambda each: each.ensure_cancelled(job.id))
        return
    for _ in range(2):  # what is cancelled already is no error
        assert face.run(vendor, lambda each: each.ensure_cancelled(job.id)).id == job.id
    assert job.cancelled


@pytest.mark.parametrize("name", ["openai_batch", "shopify_bulk", "neverbounce"])
def test_a_lost_submit_is_found_beside_others(emulator: Emulator, face: Face, tmp_path: Path, name: str) -> None:
    for _ in range(3):
        emulator.add_job(name, state="running")
    emulator.add_fault(Fault("reset", vendor=name, operation="submit", processed=True))
    job = submitted(face, vendor_at(emulator, name), tmp_path)
    assert job.id == emulator.jobs(name)[-1].id
    assert len(emulator.jobs(name)) == 4


def test_openais_limit_is_waited_for_as_long_as_it_says(emulator: Emulator, face: Face) -> None:
    emulator.add_fault(
        Fault(
            "status",
            vendor="openai_batch",
            status=429,
            times=20,
            headers={"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m12.5s"},
        )
    )
    vendor = vendor_at(emulator, "openai_batch")
    with pytest.raises(RateLimitedError) as caught:
        face.run(vendor, lambda each: each.get_job("batch_1"))
    assert 372 <= (caught.value.retry_after or 0) <= 373


GRAPHQL = '{"errors": [{"message": "no", "extensions": {"code": "ACCESS_DENIED"}}]}'


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("shopify_bulk", GRAPHQL, PermissionDeniedError),
        ("shopify_bulk", '{"errors": [{"message": "Field \'x\' doesn\'t exist"}]}', UnexpectedResponseError),
        ("neverbounce", '{"status": "bad_referrer", "message": "no"}', PermissionDeniedError),
        ("neverbounce", '{"status": "general_failure", "message": "Missing parameter"}', UnexpectedResponseError),
    ],
)
def test_an_error_inside_a_200_is_typed(
    emulator: Emulator, face: Face, name: str, body: str, expected: type[BatchDlError]
) -> None:
    job: EmulatedJob = emulator.add_job(name)
    emulator.add_fault(Fault("status", vendor=name, status=200, body=body, content_type="application/json"))
    with pytest.raises(expected) as caught:
        face.run(vendor_at(emulator, name), lambda each: each.get_job(job.id))
    assert caught.value.vendor_message


def test_a_mutation_that_is_refused_is_an_invalid_request(emulator: Emulator, face: Face) -> None:
    vendor = vendor_at(emulator, "shopify_bulk")
    what = submission({"query": "{ shop { name } }"})
    with pytest.raises(InvalidRequestError, match="at least one connection"):
        face.run(vendor, lambda each: each.submit_once(what))
    assert emulator.jobs("shopify_bulk") == []


def test_salesforces_token_is_renewed_and_its_instance_asked(emulator: Emulator, face: Face) -> None:
    vendor = vendor_at(emulator, "salesforce_bulk_query")
    job = emulator.add_job("salesforce_bulk_query")
    face.run(vendor, lambda each: each.get_job(job.id))
    emulator.expire_tokens()
    assert face.run(vendor, lambda each: each.get_job(job.id)).state is JobState.SUCCEEDED
    operations = [record.operation for record in emulator.requests]
    assert operations.count("token") == 2
    paths = {record.path for record in emulator.requests if record.operation == "status"}
    assert all(path.startswith(salesforce.INSTANCE) for path in paths)
