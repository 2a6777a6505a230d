"""What `check_vendor` says of a vendor's class: nothing of the four, and each mistake in words."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx
import pytest

from airflow_provider_batchdl import vendors
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidRequestError
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.testing import Answer, assert_vendor, check_vendor
from airflow_provider_batchdl.vendors.auth import BearerAuth
from airflow_provider_batchdl.vendors.base import (
    ApiRequest,
    Flow,
    JobPage,
    ListedJob,
    Listing,
    RateLimit,
    Submission,
    Vendor,
    path_segment,
)
from airflow_provider_batchdl.vendors.reading import as_id, as_int, as_list, as_text, as_token

UUID = "ed49987b-6539-4e9e-8a63-2bcd811ef0ec"
REPORT = {
    "report_type": "units", "output_format": "csv", "start_date": "2026-01-01", "end_date": "2026-01-31",
    "property_ids": [1],
}  # fmt: skip

FOUR: dict[str, dict[str, Any]] = {
    "revenuebase": {
        "file": "/data/contacts.csv",
        "job_id": "41001",
        "answers": {
            "submit": (200, {"process_id": 41001, "status": "PROCESSING QUEUED"}),
            "status": (200, {"process_id": 41001, "current_status": "COMPLETED", "filename": "contacts.csv"}),
            "list": (200, {"processes": [{"process_id": 41001, "current_status": "PROCESSING"}]}),
            "cancel": (200, {"process_id": 41001, "status": "CANCELLING"}),
            "balance": (200, {"credits": 5}),
        },
    },
    "proofy": {
        "request": {"emails": ["a@b.example"]},
        "job_id": "5b2f",
        "answers": {
            "submit": (200, {"id": "5b2f", "status": "parsing"}),
            "status": (200, {"id": "5b2f", "status": "ready"}),
            "cancel": (200, {"id": "5b2f", "status": "cancelled"}),
            "balance": (200, {"credits": 5}),
        },
    },
    "batchcom": {
        "request": {"export_type": "ATTRIBUTES", "attributes": ["a"]},
        "job_id": "export_1",
        "extra": {"project_key": "project_0001"},
        "answers": {
            "submit": (200, {"id": "export_1"}),
            "status": (200, {"id": "export_1", "status": "SUCCESS", "files": [{"id": "f1", "size": 5, "part": 1}]}),
            "list": (200, {"exports": [{"id": "export_1", "status": "RUNNING"}], "has_more": True, "next_from": "c2"}),
            "check": (200, {"exports": []}),
        },
    },
    "apartmentiq": {
        "request": REPORT,
        "job_id": UUID,
        "login": "client",
        "answers": {
            "submit": (200, {"job_id": UUID, "status": "submitted"}),
            "status": (200, {"job_id": UUID, "status": "succeeded", **REPORT}),
            "list": (200, {"jobs": [{"job_id": UUID, "status": "submitted"}], "pagination": {"total_pages": 3}}),
            "cancel": (200, {"job_id": UUID, "status": "cancelled"}),
            "check": (200, {"data": []}),
        },
    },
}


@pytest.mark.parametrize("name", FOUR)
def test_the_four_make_no_mistake(name: str) -> None:
    assert check_vendor(vendors.vendor_class(name), **FOUR[name]) == []


JOB = {"id": 17, "state": "done", "files": ["rows.csv"], "reason": None}
ANSWERS: dict[str, Answer] = {
    "submit": (201, {"id": 17, "state": "waiting"}),
    "status": (200, JOB),
    "list": (200, {"batches": [JOB], "next": "c2"}),
    "cancel": (200, {"id": 17, "state": "stopped"}),
    "balance": (200, {"credits": 12}),
    "check": (200, {"name": "Example Inc."}),
}


class Acme(Vendor):
    """Makes no mistake; each class below makes one."""

    name = "acme"
    label = "Acme"
    default_host = "https://api.acme.example"
    docs_url = "https://docs.acme.example"
    states: ClassVar[Mapping[str, JobState]] = {
        "waiting": JobState.PENDING,
        "done": JobState.SUCCEEDED,
        "stopped": JobState.CANCELLED,
    }
    poll_interval = 30.0
    rate_limits = (RateLimit(60, 60.0),)
    listing = Listing()

    def auth(self) -> httpx.Auth:
        return BearerAuth(self.account.secret)

    def submit(self, submission: Submission) -> Flow[Job]:
        response = yield ApiRequest("submit", "POST", "/batches", json=dict(submission.request), repeatable=False)
        return self._job("submit", self.read_json("submit", response))

    def get_job(self, job_id: str) -> Flow[Job]:
        response = yield ApiRequest("status", "GET", f"/batches/{path_segment(job_id)}", job_id=job_id)
        return self._job("status", self.read_json("status", response))

    def list_page(self, cursor: str | None = None) -> Flow[JobPage]:
        response = yield ApiRequest("list", "GET", "/batches", params={"after": cursor} if cursor else None)
        body = self.read_json("list", response)
        jobs = self.read_items(as_list(body["batches"]), lambda item: ListedJob(self._job("list", item)))
        return JobPage(tuple(jobs), body["next"])

    def cancel_job(self, job_id: str) -> Flow[Job]:
        response = yield ApiRequest("cancel", "DELETE", f"/batches/{path_segment(job_id)}", job_id=job_id)
        return self._job("cancel", self.read_json("cancel", response))

    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        path = f"/batches/{path_segment(job.id)}/{path_segment(file.id)}"
        return ApiRequest("download", "GET", path, job_id=job.id)

    def get_balance(self) -> Flow[int | None]:
        response = yield ApiRequest("balance", "GET", "/me")
        return as_int(self.read_json("balance", response)["credits"])

    def check(self) -> Flow[str]:
        response = yield ApiRequest("check", "GET", "/me")
        return f"Acme accepts the key of {self.read_json('check', response)['name']}."

    def _job(self, operation: str, item: Any) -> Job:
        state, word = self.read_state(operation, item.get("state"))
        return Job(as_id(item["id"]), state, word, as_text(item.get("reason")))


def problems(kind: type[Vendor], **how: Any) -> list[str]:
    return check_vendor(kind, **{"request": {"words": 2}, "job_id": "17", "answers": ANSWERS} | how)


def test_a_vendor_without_mistakes() -> None:
    assert problems(Acme) == []
    assert_vendor(Acme, request={"words": 2}, job_id="17", answers=ANSWERS)
    assert problems(Acme, answers=None) == []


class LacksALabel(Acme):
    label = ""


class NeedsARegion(Acme):
    def __init__(self, account: Any) -> None:
        super().__init__(account)
        raise account.wrong("extra field 'region'", "is missing", "Set it.")


class IsRepeatable(Acme):
    def submit(self, submission: Submission) -> Flow[Job]:
        response = yield ApiRequest("submit", "POST", "/batches", json=dict(submission.request))
        return self._job("submit", self.read_json("submit", response))


class SubmitsAgain(Acme):
    def submit(self, submission: Submission) -> Flow[Job]:
        request = ApiRequest("submit", "POST", "/batches", json=dict(submission.request), repeatable=False)
        try:
            response = yield request
        except BatchDlError:
            response = yield request
        return self._job("submit", self.read_json("submit", response))


class MakesUpAJob(Acme):
    def submit(self, submission: Submission) -> Flow[Job]:
        try:
            response = yield ApiRequest("submit", "POST", "/batches", repeatable=False)
        except BatchDlError:
            return Job("0", JobState.PENDING, "waiting")
        return self._job("submit", self.read_json("submit", response))


class HidesALostAnswer(Acme):
    def submit(self, submission: Submission) -> Flow[Job]:
        try:
            response = yield ApiRequest("submit", "POST", "/batches", repeatable=False)
        except BatchDlError as error:
            raise InvalidRequestError("Try again.") from error
        return self._job("submit", self.read_json("submit", response))


class PutsIdsIntoPathsAsTheyAre(Acme):
    def get_job(self, job_id: str) -> Flow[Job]:
        response = yield ApiRequest("status", "GET", f"/batches/{job_id}", job_id=job_id)
        return self._job("status", self.read_json("status", response))


class PutsFileIdsIntoPathsAsTheyAre(Acme):
    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        return ApiRequest("download", "GET", f"/batches/{path_segment(job.id)}/{file.id}", job_id=job.id)


class FailsOverAnId(Acme):
    def get_job(self, job_id: str) -> Flow[Job]:
        response = yield ApiRequest("status", "GET", f"/batches/{int(job_id)}", job_id=job_id)
        return self._job("status", self.read_json("status", response))


class ForgetsWhoseRequestItIs(Acme):
    def get_job(self, job_id: str) -> Flow[Job]:
        response = yield ApiRequest("status", "GET", f"/batches/{path_segment(job_id)}")
        return self._job("status", self.read_json("status", response))


class TakesAnythingForAnId(Acme):
    def _job(self, operation: str, item: Any) -> Job:
        state, word = self.read_state(operation, item.get("state"))
        return Job(str(item["id"]), state, word)


class BelievesAnAnswerAboutAnother(Acme):
    def get_job(self, job_id: str) -> Flow[Job]:
        response = yield ApiRequest("status", "GET", f"/batches/{path_segment(job_id)}", job_id=job_id)
        state, word = self.read_state("status", self.read_json("status", response)["state"])
        return Job(job_id, state, word)


class KnowsNoOtherState(Acme):
    def _job(self, operation: str, item: Any) -> Job:
        return Job(as_id(item["id"]), self.states[item["state"]], item["state"])


class FailsAnUnknownState(Acme):
    def state_of(self, word: str) -> JobState:
        return self.known_state(word) or JobState.FAILED


class NeverEnds(Acme):
    def list_jobs(self) -> Flow[list[Job]]:
        found: list[Job] = []
        cursor: str | None = ""
        while cursor is not None:
            page = yield from self.list_page(cursor)
            found += [each.job for each in page.jobs]
            cursor = page.following
        return found


class HasUrlsForFileIds(Acme):
    def _job(self, operation: str, item: Any) -> Job:
        state, word = self.read_state(operation, item.get("state"))
        files = tuple(ResultFile(as_token(each)) for each in item.get("files") or ())
        return Job(as_id(item["id"]), state, word, files=files)

    def result_files(self, job: Job) -> tuple[ResultFile, ...]:
        return job.files


class LikesAnyPage(Acme):
    def check(self) -> Flow[str]:
        yield ApiRequest("check", "GET", "/me")
        return "Acme accepts the key."


class EndsWithADict(Acme):
    def get_job(self, job_id: str) -> Flow[Any]:
        response = yield ApiRequest("status", "GET", f"/batches/{path_segment(job_id)}", job_id=job_id)
        return self.read_json("status", response)


class CallsItPoll(Acme):
    def get_job(self, job_id: str) -> Flow[Job]:
        response = yield ApiRequest("poll", "GET", f"/batches/{path_segment(job_id)}", job_id=job_id)
        return self._job("status", self.read_json("status", response))


class SendsItsKeyInTheQuery(Acme):
    def check(self) -> Flow[str]:
        response = yield ApiRequest("check", "GET", "/me", params={"key": self.account.secret})
        return f"Acme accepts the key of {self.read_json('check', response)['name']}."


@dataclass
class ShowsItsKey(httpx.Auth):
    key: str

    def auth_flow(self, request: httpx.Request) -> Any:
        yield request


class HasAnAuthThatShowsIt(Acme):
    def auth(self) -> httpx.Auth:
        return ShowsItsKey(str(self.account.secret))


class LogsItsKey(Acme):
    def get_job(self, job_id: str) -> Flow[Job]:
        logging.getLogger("acme").debug("asking with %s", str(self.account.secret))
        return (yield from super().get_job(job_id))


class FailsOverAnError(Acme):
    def error_kind(self, request: ApiRequest, response: httpx.Response) -> Any:
        return {"no such thing": None}[response.json()["error"]]


class FailsOverAName(Acme):
    def expected_format(self, job: Job, file: ResultFile) -> str | None:
        return {"csv": "csv"}[(file.name or "").rpartition(".")[2]]


class RefusesGoodAnswers(Acme):
    def get_job(self, job_id: str) -> Flow[Job]:
        response = yield ApiRequest("status", "GET", f"/batches/{path_segment(job_id)}", job_id=job_id)
        return self._job("status", self.read_json("status", response)["batch"])


MISTAKES: dict[type[Vendor], str] = {
    LacksALabel: "label is ''",
    NeedsARegion: "cannot be used with this account: InvalidConnectionError: The extra field 'region'",
    IsRepeatable: "submit may be sent twice, and billed twice",
    SubmitsAgain: "submit submits again after a lost answer",
    MakesUpAJob: "submit makes up a job although its answer was lost",
    HidesALostAnswer: "submit makes InvalidRequestError of a lost answer",
    PutsIdsIntoPathsAsTheyAre: "get_job puts the id '..' into its path as it is, which leads to",
    PutsFileIdsIntoPathsAsTheyAre: "a result file's id puts the id '..' into its path as it is",
    FailsOverAnId: "get_job raises ValueError over the id '..'",
    ForgetsWhoseRequestItIs: "get_job makes a request without job_id",
    TakesAnythingForAnId: "submit makes a job with the id 'True' of an answer whose /id is True",
    BelievesAnAnswerAboutAnother: "get_job takes an answer about job 93187401 for one about 17",
    KnowsNoOtherState: "get_job fails over a state that it does not know",
    FailsAnUnknownState: "get_job calls a job failed whose state it does not know",
    NeverEnds: "list_jobs never ends",
    LikesAnyPage: "check takes a page of HTML for proof",
    EndsWithADict: "get_job ends with a value of type dict, and must end with a Job",
    CallsItPoll: "get_job calls its operation 'poll'",
    SendsItsKeyInTheQuery: "check has a secret in its request",
    HasAnAuthThatShowsIt: "a secret is in the representation of auth()",
    LogsItsKey: "a secret is in a log line",
    FailsOverAnError: "error raises",
    FailsOverAName: "expected_format raises KeyError",
    RefusesGoodAnswers: "get_job refuses the good answer",
}


@pytest.mark.parametrize(("kind", "says"), MISTAKES.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_a_mistake_is_said_in_words(kind: type[Vendor], says: str) -> None:
    found = problems(kind)
    assert any(says in each for each in found), found
    assert all(each.endswith(".") for each in found)


def test_an_assertion_lists_what_is_wrong() -> None:
    with pytest.raises(AssertionError) as raised:
        assert_vendor(IsRepeatable, request={"words": 2}, job_id="17", answers=ANSWERS)
    assert str(raised.value).startswith("IsRepeatable:\n- submit may be sent twice, and billed twice")


def test_a_url_as_a_files_id_is_noticed_or_refused() -> None:
    """By what drives every flow."""
    files = {**JOB, "files": ["https://store.example/rows.csv?X-Signature=0123"]}
    found = problems(HasUrlsForFileIds, answers={**ANSWERS, "status": (200, files)})
    assert any("URL as the id" in each for each in found), found


def test_its_own_rules_refuse_the_request() -> None:
    [found] = check_vendor(vendors.vendor_class("proofy"), request={"emails": []})
    assert "refused by the class's own rules" in found
    assert "emails is an empty list" in found


def test_neither_airflow_nor_pytest_is_needed() -> None:
    probe = (
        "import sys, airflow_provider_batchdl.testing; print([m for m in ('airflow', 'pytest') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout.strip() == "[]"
