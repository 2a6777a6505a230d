"""What a document makes of each operation, with canned answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl.exceptions import (
    InvalidConnectionError,
    InvalidRequestError,
    JobFailedError,
    JobNotFoundError,
    ResultNotReadyError,
    UnexpectedResponseError,
)
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.testing import check_vendor
from airflow_provider_batchdl.vendors.account import Account
from airflow_provider_batchdl.vendors.declared import Declared, DocumentError
from airflow_provider_batchdl.vendors.declared.reading import read
from airflow_provider_batchdl.vendors.registration import problem_of_class
from airflow_provider_batchdl.vendors.requests import Upload
from tests.vendors.declared.documents import SMALLEST, answer, changed, drive, submission, vendor_of


def test_the_smallest_vendor() -> None:
    acme = vendor_of(SMALLEST)
    job, [request] = drive(acme.submit(submission({"words": 2})), [answer({"id": 7, "status": "waiting"})])
    assert (request.method, request.path, request.json, request.repeatable) == ("POST", "/batches", {"words": 2}, False)
    assert (job.id, job.state, job.vendor_state) == ("7", JobState.PENDING, "waiting")
    job, [request] = drive(acme.get_job("7"), [answer({"id": 7, "status": "DONE"})])
    assert (request.method, request.path, request.job_id) == ("GET", "/batches/7", "7")
    assert job.state is JobState.SUCCEEDED
    [file] = acme.result_files(job)
    assert acme.result_request(job, file).path == "/batches/7/result"
    assert drive(acme.check(), [answer({})])[0] == "Acme accepts the credentials."
    assert drive(acme.get_balance(), []) == (None, [])


def test_an_id_is_one_segment_of_a_path() -> None:
    acme = vendor_of(SMALLEST)
    assert acme.call("status", acme.document.status, "../me?x").path == "/batches/..%2Fme%3Fx"
    with pytest.raises(InvalidRequestError):
        acme.call("status", acme.document.status, "..")


def test_several_steps_with_values_from_earlier_answers() -> None:
    acme = vendor_of(
        changed(
            submit=[
                {"path": "/uploads", "json": {"name": "{request.name}"}, "keep": {"upload": "/data/id"}},
                {"path": "/batches", "json": {"input": "{step.upload}", "tag": "{key}", "window": "24h"}},
            ]
        )
    )
    answers = [answer({"data": {"id": "u1"}}), answer({"id": "b1"})]
    job, requests = drive(acme.submit(submission({"name": "x", "window": "1h"})), answers)
    assert [each.json for each in requests] == [
        {"name": "x"},
        {"name": "x", "window": "1h", "input": "u1", "tag": "k0000001"},
    ]
    assert [each.repeatable for each in requests] == [True, False]
    assert (job.id, job.state) == ("b1", JobState.PENDING)


def test_a_step_for_files_only() -> None:
    acme = vendor_of(
        changed(
            submit=[
                {"path": "/files", "upload": "file", "keep": {"file": "/id"}, "when": "file"},
                {"path": "/batches", "json": {"input": "{step.file}"}},
            ]
        )
    )
    _, requests = drive(acme.submit(submission({"input": "f0"})), [answer({"id": "b1"})])
    assert [each.json for each in requests] == [{"input": "f0"}]
    _, requests = drive(acme.submit(submission(file="/x/y.csv")), [answer({"id": "f1"}), answer({"id": "b1"})])
    upload = requests[0].upload
    assert upload is not None
    assert (upload.field, upload.filename) == ("file", "y-k0000001.csv")
    assert requests[1].json == {"input": "f1"}


def test_what_an_answer_lacks_is_named() -> None:
    acme = vendor_of(changed(job={"id": ["/id", "/job/id"]}, status={"path": "/x/{job.id}", "at": "/data"}))
    with pytest.raises(UnexpectedResponseError, match="there is no id at '/id' or '/job/id'"):
        drive(acme.get_job("7"), [answer({"data": {"status": "done"}})])
    with pytest.raises(UnexpectedResponseError, match="there is no job at '/data'"):
        drive(acme.get_job("7"), [answer({"status": "done"})])


def test_progress_of_counts_and_shares() -> None:
    def of(shape: dict[str, Any], **members: Any) -> float | None:
        acme = vendor_of(changed(job=shape))
        return drive(acme.get_job("7"), [answer({"id": 7, "status": "busy", **members})])[0].progress

    counts = {"done": "/done", "total": "/total"}
    assert of(counts, done=1, total=4) == 0.25
    assert of(counts, done=1, total=0) is None
    assert of({"progress": "/p", "progress_is": "percent"}, p=40) == 0.4
    assert of({"progress": "/p"}, p="0.4") == 0.4
    assert of({"progress": "/p"}, p="x") is None
    assert of({"progress": "/p"}, p=7) is None


def test_files_from_the_answer() -> None:
    files = [
        {"id": "/output_id", "path": "/files/{file.id}/content", "name": "{job.id}.{/format}"},
        {"kind": "errors", "id": "/error_id", "path": "/files/{file.id}/errors"},
    ]
    acme = vendor_of(changed(files=files))
    body = {"id": "b", "status": "done", "output_id": "f/1", "format": "jsonl", "error_id": None}
    job, _ = drive(acme.get_job("b"), [answer(body)])
    assert job.files == (ResultFile("f/1", "b.jsonl"),)
    assert acme.result_request(job, job.files[0]).path == "/files/f%2F1/content"
    assert acme.expected_format(job, job.files[0]) == "jsonl"
    job, _ = drive(acme.get_job("b"), [answer({**body, "output_id": None})])
    assert acme.result_files(job) == ()


@pytest.mark.parametrize("place", ["id", "link"])
def test_an_empty_text_names_no_file(place: str) -> None:
    """Azure's copy of OpenAI's API writes one for the file of errors that a batch has not: null would do as well."""
    files = [
        {"id": "/output_id", "path": "/files/{file.id}"},
        {"kind": "errors", place: "/errors", "path": "/errors/{file.id}"},
    ]
    acme = vendor_of(changed(files=files if place == "id" else [files[0], {"kind": "errors", "link": "/errors"}]))
    job, _ = drive(acme.get_job("b"), [answer({"id": "b", "status": "done", "output_id": "f1", "errors": ""})])
    assert job.files == (ResultFile("f1"),)


@pytest.mark.parametrize(("found", "progress"), [("100%", 1.0), ("7 %", 0.07), (" 50% ", 0.5), ("x%", None)])
def test_a_percentage_may_have_its_sign(found: str, progress: float | None) -> None:
    acme = vendor_of(changed(job={"progress": "/done", "progress_is": "percent"}))
    job, _ = drive(acme.get_job("b"), [answer({"id": "b", "status": "busy", "done": found})])
    assert job.progress == progress


def test_files_from_another_answer() -> None:
    files = {
        "call": {"path": "/batches/{job.id}/files", "at": "/data"},
        "items": "/files", "id": "/name", "size": "/bytes", "path": "/batches/{job.id}/files/{file.id}",
    }  # fmt: skip
    acme = vendor_of(changed(files=files))
    named = {"data": {"files": [{"name": "a.csv", "bytes": 3}, {"name": "b.csv"}]}}
    job, requests = drive(acme.get_job("7"), [answer({"id": 7, "status": "done"}), answer(named)])
    assert [each.path for each in requests] == ["/batches/7", "/batches/7/files"]
    assert job.files == (ResultFile("a.csv", size=3), ResultFile("b.csv"))
    job, requests = drive(acme.get_job("7"), [answer({"id": 7, "status": "busy"})])
    assert job.files == ()


def test_a_job_whose_files_are_not_found_is_there() -> None:
    """As one that is gone, the next try would pay for another."""
    files = {"call": {"path": "/batches/{job.id}/files"}, "items": "/files", "id": "/name", "path": "/f/{file.id}"}
    acme = vendor_of(changed(files=files))
    flow = acme.get_job("7")
    next(flow)
    flow.send(answer({"id": 7, "status": "done"}))
    with pytest.raises(ResultNotReadyError, match="has the job, and no list of its files") as caught:
        flow.throw(JobNotFoundError("The status request was refused: Not Found.", status=404))
    assert caught.value.retryable
    flow = acme.get_job("7")
    next(flow)
    with pytest.raises(JobNotFoundError):
        flow.throw(JobNotFoundError("The status request was refused: Not Found.", status=404))


def test_partial_results_by_word() -> None:
    acme = vendor_of(changed(partial=["stopped", "expired"], states={**SMALLEST["states"], "expired": "failed"}))
    assert acme.keeps_partial_results
    assert acme.has_partial_results(Job("1", JobState.FAILED, "EXPIRED"))
    assert not acme.has_partial_results(Job("1", JobState.FAILED, "oops"))


def test_a_job_that_has_ended_with_an_error_has_failed() -> None:
    """BigQuery calls all jobs DONE that have ended; those that failed have an error beside it."""
    acme = vendor_of(
        changed(
            states={"PENDING": "pending", "DONE": "succeeded"},
            job={"state": "/status/state", "failed": "/status/errorResult", "message": "/status/errorResult/message"},
        )
    )
    errors = {"errorResult": {"reason": "notFound", "message": "No such table."}}
    for state, more, expected in (
        ("DONE", errors, "failed"),
        ("DONE", {}, "succeeded"),
        ("PENDING", errors, "pending"),
    ):
        job, _ = drive(acme.get_job("7"), [answer({"id": 7, "status": {"state": state, **more}})])
        assert (job.state, job.vendor_state) == (expected, state)
    with pytest.raises(JobFailedError, match="No such table"):
        acme.ensure_results(drive(acme.get_job("7"), [answer({"id": 7, "status": {"state": "DONE", **errors}})])[0])


def test_a_pointer_finds_what_is_where_it_says() -> None:
    """Laravel's page of a list is in `data`, and so is the envelope around it."""
    acme = vendor_of(
        changed(list={"path": "/batches", "items": "/data/data"}, status={"path": "/{job.id}", "at": "/data"})
    )
    listed = {"data": {"current_page": 1, "data": [{"id": 7, "status": "done"}]}}
    page, _ = drive(acme.list_page(), [answer(listed)])
    assert [each.job.id for each in page.jobs] == ["7"]
    job, _ = drive(acme.get_job("7"), [answer({"data": {"id": 7, "status": "done", "data": {"rows": 2}}})])
    assert job.state is JobState.SUCCEEDED


def test_the_link_to_a_file_is_asked_for_by_a_form() -> None:
    """As Stripe's, which takes no JSON."""
    files = {"id": "/file", "path": "/links", "method": "POST", "form": {"file": "{file.id}"}, "link": "/url"}
    acme = vendor_of(changed(files=files))
    job, _ = drive(acme.get_job("7"), [answer({"id": 7, "status": "done", "file": "f1"})])
    request, [asked] = drive(acme.locate(job, job.files[0]), [answer({"url": "https://store.example/f1"})])
    assert (asked.method, asked.path, asked.form, request.url) == (
        "POST",
        "/links",
        {"file": "f1"},
        "https://store.example/f1",
    )


def test_a_file_that_is_the_whole_body() -> None:
    """As Kickbox and Salesforce take it."""
    submit = {"path": "/batches", "method": "PUT", "upload": "", "headers": {"X-Filename": "{key}.csv"}}
    acme = vendor_of(changed(submit=submit, file={"types": {".csv": "text/csv"}}))
    _, [request] = drive(acme.submit(submission(file="/x/y.csv")), [answer({"id": 7})])
    assert request.upload == Upload("", "/x/y.csv", "y-k0000001.csv", "text/csv")
    assert (request.method, request.headers, request.json) == ("PUT", {"X-Filename": "k0000001.csv"}, None)


# Connections.

REGION = {"region": {"required": True, "values": ["eu", "us"], "description": "Your console shows it."}}


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({}, "extra field 'region' of the connection is missing"),
        ({"region": "asia"}, "is 'asia', and may be eu, us"),
        ({"regoin": "eu"}, "did you mean 'region'"),
    ],
)
def test_the_extra_as_the_document_declares_it(extra: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidConnectionError, match=words):
        vendor_of(changed(extra=REGION), extra=extra)
    assert vendor_of(changed(extra=REGION), extra={"region": "eu"}).extra_values == {"region": "eu"}


# Three ways to a class.


def test_a_file_beside_the_calling_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json
    import sys
    from importlib import import_module

    (tmp_path / "acme.json").write_text(json.dumps(SMALLEST))
    (tmp_path / "acme_by_data.py").write_text(
        "from airflow_provider_batchdl.vendors.declared import Declared\n"
        "Acme = Declared.load('acme.json')\n"
        "class Mine(Declared, source='acme.json'):\n"
        "    label = 'Mine'\n"
        "    def job_url(self, job):\n"
        "        return f'https://acme.example/{job.id}'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme_by_data", raising=False)
    module = import_module("acme_by_data")
    assert (module.Acme.name, module.Acme.label) == ("acme", "Acme")
    assert (module.Mine.name, module.Mine.label) == ("acme", "Mine")
    mine = module.Mine(Account("https://api.acme.example", "k1"))
    assert mine.job_url(Job("7", JobState.RUNNING, "busy")) == "https://acme.example/7"
    with pytest.raises(DocumentError, match=r"nothing.toml cannot be used: it cannot be read \(No such file"):
        Declared.load("nothing.toml")
    with pytest.raises(DocumentError, match=r"it is no file ending in .toml or .json, and no name of"):
        Declared.load("nothing")


def test_a_document_without_limits_and_host_can_be_registered() -> None:
    """What a document may leave out, a package's class of it need not have."""
    assert problem_of_class(Declared.of(read(changed(base_url=None), "acme"))) is None
    assert check_vendor(Declared.of(read(changed(base_url=None), "acme")), request={"words": 2}) == []


@pytest.mark.parametrize(("found", "state"), [(3, "succeeded"), ("3", "succeeded"), (4, "failed"), (True, "running")])
def test_states_that_are_numbers(found: Any, state: str) -> None:
    acme = vendor_of(changed(states={"3": "succeeded", "4": "failed", "true": "running"}))
    assert drive(acme.get_job("7"), [answer({"id": 7, "status": found})])[0].state == state


@pytest.mark.parametrize("found", [5, False, None, 3.5, [3]])
def test_a_number_that_is_none_of_its_states(found: Any) -> None:
    acme = vendor_of(changed(states={"3": "succeeded", "4": "failed"}))
    with pytest.raises(UnexpectedResponseError):
        drive(acme.get_job("7"), [answer({"id": 7, "status": found})])


def test_a_page_is_no_proof_that_the_key_is_accepted() -> None:
    for page in (b"<!DOCTYPE html><title>Sign in</title>", b"  <html>"):
        with pytest.raises(UnexpectedResponseError):
            drive(vendor_of(changed()).check(), [httpx.Response(200, content=page)])
    assert drive(vendor_of(changed()).check(), [httpx.Response(204)])[0] == "Acme accepts the credentials."


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\x00", "\u00e9", "\ud83d", " a"])
def test_a_tasks_value_that_is_no_header_is_the_requests_mistake(value: str) -> None:
    acme = vendor_of(changed(submit={"path": "/b", "headers": {"X-Tenant": "{request.tenant}"}}))
    with pytest.raises(InvalidRequestError, match=r"X-Tenant cannot be made of \{request.tenant\}") as caught:
        drive(acme.submit(submission({"tenant": value})), [])
    assert "Correct the task's request" in str(caught.value)
    assert "Evil" not in str(caught.value)
