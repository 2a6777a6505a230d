"""A submit of several requests: only one that may not be repeated, and was sent, makes it uncertain."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl.client import BatchClient, policy
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidRequestError,
    PermissionDeniedError,
    SubmitUncertainError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.vendors.auth import BearerAuth
from airflow_provider_batchdl.vendors.base import (
    ApiRequest,
    Flow,
    Listing,
    RateLimit,
    Submission,
    Upload,
    Vendor,
    immediate,
)
from tests.client.helpers import Face, account_at, submission
from tests.support.recorder import Recorded, Recorder, Reply, recording


class TwoSteps(Vendor):
    """Uploads a file, makes a job of it, and starts the job."""

    name = "twosteps"
    label = "Two Steps"
    default_host = "https://api.twosteps.example"
    docs_url = "https://docs.twosteps.example"
    states = {"running": JobState.RUNNING}  # noqa: RUF012 as in the documented example
    poll_interval = 1.0
    rate_limits = (RateLimit(1000, 1.0),)
    listing = Listing(complete=True)

    def auth(self) -> httpx.Auth:
        return BearerAuth(self.account.secret)

    def submit(self, submission: Submission) -> Flow[Job]:
        upload = Upload("file", submission.file or "", submission.upload_name(), "text/csv")
        answer = yield ApiRequest("submit", "POST", "/files", form={"purpose": "batch"}, upload=upload)
        made = {"file": answer.json()["id"], "key": submission.key}
        answer = yield ApiRequest("submit", "POST", "/jobs", json=made, repeatable=False)
        job = self._read(answer.json())
        yield ApiRequest("submit", "PATCH", f"/jobs/{job.id}", json={"state": "go"}, job_id=job.id)
        return job

    def get_job(self, job_id: str) -> Flow[Job]:
        answer = yield ApiRequest("status", "GET", f"/jobs/{job_id}", job_id=job_id)
        return self._read(answer.json())

    def candidates(self, submission: Submission, delay: float) -> Flow[Sequence[Job | None]]:
        answer = yield ApiRequest("list", "GET", "/jobs", delay=delay)
        return [self._read(item) for item in answer.json()["jobs"] if item["key"] == submission.key]

    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        return ApiRequest("download", "GET", f"/jobs/{job.id}/result", job_id=job.id)

    def check(self) -> Flow[str]:
        return immediate("fine")

    def _read(self, item: Any) -> Job:
        return Job(item["id"], self.state_of("running"), "running")


class Prompt(TwoSteps):
    """Lists a job as soon as it is made."""

    listing = Listing(complete=True, lag=0.0)


class Unsearched(TwoSteps):
    """Says that its list is complete, and knows no job in it again."""

    listing = Listing(complete=True, lag=0.0)
    candidates = Vendor.candidates


@dataclass
class Service:
    """The vendor: `faults` are what the requests of each kind are answered with first."""

    faults: dict[str, list[Reply]] = field(default_factory=dict)
    processed: bool = False  # by the requests of the faults
    jobs: list[dict[str, str]] = field(default_factory=list)
    files: int = 0

    def __call__(self, request: Recorded) -> Reply:
        kind = f"{request.method} {'/jobs' if request.target.startswith('/jobs') else request.target}"
        fault = self.faults.get(kind)
        if not fault:
            return self._done(kind, request)
        if self.processed:
            self._done(kind, request)
        return fault.pop(0)

    def _done(self, kind: str, request: Recorded) -> Reply:
        if kind == "POST /files":
            self.files += 1
            return Reply({"id": f"f{self.files}"})
        if kind == "POST /jobs":
            job = {"id": f"j{len(self.jobs) + 1}", **json.loads(request.body)}
            self.jobs.append(job)
            return Reply(job)
        return Reply({"jobs": self.jobs}) if kind == "GET /jobs" else Reply({})


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def server(service: Service) -> Iterator[Recorder]:
    with recording(service) as server:
        yield server


@dataclass
class Journal:
    """What was noted of the request that makes the job."""

    notes: list[str] = field(default_factory=list)

    def sending(self) -> None:
        self.notes.append("sending")

    def turned_away(self) -> None:
        self.notes.append("turned away")


def submit(face: Face, server: Recorder, file: Path, kind: type[Vendor] = TwoSteps) -> Job:
    return face.submit(kind(account_at(server.url, "twosteps")), None, file)


LOST = [
    Reply(cut=True),
    Reply("bad gateway", 502),
    Reply(b"unavailable", 503),
    Reply(b'{"id": "x', headers={"Content-Length": "500", "Connection": "close"}),
]
lost = pytest.mark.parametrize("answer", LOST, ids=["cut", "502", "503", "half"])


def test_all_steps_are_sent_and_the_file_is_whole(
    face: Face, service: Service, server: Recorder, contacts: Path
) -> None:
    assert submit(face, server, contacts).id == "j1"
    assert server.targets == ["POST /files", "POST /jobs", "PATCH /jobs/j1"]
    assert contacts.read_bytes() in server.received[0].body
    assert b'name="purpose"\r\n\r\nbatch\r\n' in server.received[0].body


@lost
def test_an_upload_whose_answer_is_lost_is_repeated(
    face: Face, service: Service, server: Recorder, contacts: Path, answer: Reply
) -> None:
    service.faults["POST /files"] = [answer] if answer is not LOST[3] else []
    submit(face, server, contacts)
    assert server.targets.count("POST /jobs") == len(service.jobs) == 1


@lost
def test_an_upload_that_stays_lost_is_no_uncertain_submit(
    face: Face, service: Service, server: Recorder, contacts: Path, answer: Reply
) -> None:
    service.faults["POST /files"] = [answer] * 9
    with pytest.raises((VendorUnavailableError, UnexpectedResponseError)) as caught:
        submit(face, server, contacts)
    assert caught.value.retryable
    assert set(server.targets) == {"POST /files"}  # no search for a job that cannot be there
    assert len(server.targets) == policy.ATTEMPTS


def test_nor_is_an_upload_whose_answer_makes_no_sense(
    face: Face, service: Service, server: Recorder, contacts: Path
) -> None:
    service.faults["POST /files"] = [Reply({"odd": 1})]
    with pytest.raises(UnexpectedResponseError):
        submit(face, server, contacts)
    assert server.targets == ["POST /files"]


@lost
def test_the_step_that_makes_the_job_is_never_repeated_and_the_job_is_adopted(
    face: Face, service: Service, server: Recorder, contacts: Path, answer: Reply
) -> None:
    service.faults["POST /jobs"], service.processed = [answer], True
    assert submit(face, server, contacts).id == "j1"
    assert server.targets.count("POST /jobs") == len(service.jobs) == 1


@pytest.mark.parametrize("answer", [Reply({"message": "no"}, 422), Reply({"message": "no"}, 403)])
def test_a_refusal_of_it_is_certain(
    face: Face, service: Service, server: Recorder, contacts: Path, answer: Reply
) -> None:
    service.faults["POST /jobs"] = [answer]
    with pytest.raises((InvalidRequestError, PermissionDeniedError)):
        submit(face, server, contacts)
    assert server.targets == ["POST /files", "POST /jobs"]


@pytest.mark.parametrize(
    "answer", [Reply(cut=True), Reply({"message": "no"}, 400), Reply({"message": "no"}, 403), Reply("x", 500)]
)
def test_after_it_any_error_leaves_the_job_there(
    face: Face, service: Service, server: Recorder, contacts: Path, answer: Reply
) -> None:
    service.faults["PATCH /jobs"] = [answer] * 9
    assert submit(face, server, contacts).id == "j1"  # adopted
    assert server.targets.count("POST /jobs") == len(service.jobs) == 1
    assert "GET /jobs" in server.targets


def test_and_is_uncertain_where_the_job_cannot_be_found(
    face: Face, service: Service, server: Recorder, contacts: Path
) -> None:
    service.faults["PATCH /jobs"] = [Reply({"message": "no"}, 400)]
    service.faults["GET /jobs"] = [Reply({"message": "no"}, 403)]
    with pytest.raises(SubmitUncertainError) as caught:
        submit(face, server, contacts)
    assert isinstance(caught.value.__cause__, InvalidRequestError)
    assert len(service.jobs) == 1


def test_the_journal_hears_of_the_step_that_makes_the_job_only(
    service: Service, server: Recorder, contacts: Path
) -> None:
    service.faults = {"POST /files": [Reply(cut=True)], "POST /jobs": [Reply({"message": "later"}, 429)]}
    vendor, journal = TwoSteps(account_at(server.url, "twosteps")), Journal()
    with BatchClient(vendor) as client:
        client.run(vendor.submit_once(submission(None, contacts)), journal=journal)
    assert journal.notes == ["sending", "turned away", "sending"]


def test_a_killed_upload_has_stored_no_intent(service: Service, server: Recorder, contacts: Path) -> None:
    service.faults = {"POST /files": [Reply(cut=True)] * 9}
    vendor, journal = TwoSteps(account_at(server.url, "twosteps")), Journal()
    with BatchClient(vendor) as client, pytest.raises(VendorUnavailableError):
        client.run(vendor.submit_once(submission(None, contacts)), journal=journal)
    assert journal.notes == []


# A complete list.


def test_what_a_prompt_and_complete_list_does_not_show_was_not_made(
    face: Face, service: Service, server: Recorder, contacts: Path
) -> None:
    service.faults["POST /jobs"] = [Reply(cut=True)]
    with pytest.raises(VendorUnavailableError, match="was not accepted: its list of all jobs does not show") as caught:
        submit(face, server, contacts, Prompt)
    assert caught.value.maybe_processed is False
    assert caught.value.retryable
    assert submit(face, server, contacts, Prompt).id == "j1"  # the retry


@pytest.mark.parametrize(
    ("kind", "listed"),
    [
        (TwoSteps, Reply({"jobs": []})),  # too soon: jobs show within minutes
        (Prompt, Reply({"jobs": []}, 500)),
        (Prompt, Reply({"odd": []})),
        (Unsearched, Reply({"jobs": []})),
    ],
    ids=["too soon", "no list", "odd list", "nobody searched"],
)
def test_otherwise_it_stays_uncertain(
    face: Face, service: Service, server: Recorder, contacts: Path, kind: type[Vendor], listed: Reply
) -> None:
    service.faults = {"POST /jobs": [Reply(cut=True)], "GET /jobs": [listed] * 30}
    with pytest.raises(SubmitUncertainError):
        submit(face, server, contacts, kind)


def test_a_list_decides_only_where_jobs_in_it_are_known_again(server: Recorder) -> None:
    account = account_at(server.url, "twosteps")
    decides: dict[type[Vendor], bool] = {TwoSteps: True, Prompt: True, Unsearched: False}
    assert {kind: kind(account).lists_every_submit for kind in decides} == decides
    assert (TwoSteps(account).listed_within, Prompt(account).listed_within) == (300.0, 0.0)


def test_the_flows_own_handling_of_a_lost_answer_does_not_make_it_certain(
    face: Face, service: Service, server: Recorder, contacts: Path
) -> None:
    class Stubborn(TwoSteps):
        def submit(self, submission: Submission) -> Flow[Job]:
            try:
                yield ApiRequest("submit", "POST", "/jobs", json={}, repeatable=False)
            except BatchDlError:
                raise InvalidRequestError("nothing to see here") from None
            raise AssertionError

    service.faults["POST /jobs"] = [Reply(cut=True)]
    with pytest.raises(SubmitUncertainError):
        submit(face, server, contacts, Stubborn)
