"""Errors by a document's rules, errors inside a 200, links to files, and waits that headers ask for."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl import exceptions as exc
from airflow_provider_batchdl._redaction import redactor
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.vendors.flows import guarded
from airflow_provider_batchdl.vendors.requests import ApiRequest
from tests.vendors.declared.documents import answer, changed, drive, vendor_of

ERRORS: dict[str, Any] = {
    "message": "/error/text",
    "code": "/error/id",
    "within": ["/errors/0", "/data/userErrors/0"],
    "if_false": ["/ok"],
    "rules": [
        {"codes": ["insufficient_quota"], "kind": "quota_exceeded"},
        {"words": ["throttled"], "kind": "rate_limited"},
        {"status": [409], "operations": ["download"], "kind": "not_ready"},
        {"has": "/credits", "kind": "no_credits"},
    ],
}


def refusal(body: Any, status: int = 200, operation: str = "status", **headers: str) -> exc.BatchDlError | None:
    acme = vendor_of(changed(errors=ERRORS, reset_headers={"x-reset": "duration"}))
    return acme.refusal(ApiRequest(operation, "GET", "/x", job_id="7"), answer(body, status, **headers))


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"error": {"id": "INSUFFICIENT-QUOTA", "text": "none left"}}, 429, exc.QuotaExceededError),
        ({"error": {"text": "You are being throttled"}}, 400, exc.RateLimitedError),
        ({"error": {"text": "no"}, "credits": 0}, 400, exc.InsufficientCreditsError),
        ({"error": {"text": "no"}}, 429, exc.RateLimitedError),
        ({"error": {"text": "no"}}, 401, exc.AuthenticationError),
        ({"message": "blocked by your firewall"}, 403, exc.VendorUnavailableError),
        ({"errors": [{"message": "Throttled"}]}, 200, exc.RateLimitedError),
        ({"data": {"userErrors": [{"message": "no such job"}]}}, 200, exc.UnexpectedResponseError),
        ({"ok": False}, 200, exc.UnexpectedResponseError),
    ],
)
def test_errors_by_rule(body: Any, status: int, kind: type[exc.BatchDlError]) -> None:
    assert type(refusal(body, status)) is kind


@pytest.mark.parametrize("body", [{"errors": []}, {"ok": True}, {"data": {"userErrors": []}}, [], "x", None])
def test_what_is_no_error(body: Any) -> None:
    assert refusal(body) is None


def test_an_operation_of_its_own() -> None:
    assert type(refusal({"error": {"text": "x"}}, 409, "download")) is exc.ResultNotReadyError
    assert type(refusal({"error": {"text": "x"}}, 409, "status")) is exc.InvalidRequestError
    assert type(refusal({"ok": False}, 200, "submit")) is exc.InvalidRequestError


def test_the_vendors_words_are_where_the_document_says() -> None:
    error = refusal({"error": {"id": "E1", "text": "no"}, "message": "noise"}, 400)
    assert error is not None
    assert (error.vendor_message, error.vendor_code, error.status) == ("no", "E1", 400)


def test_the_vendors_words_have_no_secret_and_are_one_short_line() -> None:
    """The key of ``vendor_of``, a line break, half an emoji and a hundred thousand letters, where the document says."""
    body = b'{"error": {"text": "made-up-key-0001 is bad\\nERROR \\u0000 \\ud83d %s", "id": "made-up-key-0001"}}'
    acme = vendor_of(changed(errors=ERRORS))
    for status in (400, 500):
        error = acme.refusal(ApiRequest("status", "GET", "/x"), httpx.Response(status, content=body % (b"x" * 100_000)))
        assert error is not None
        assert error.vendor_message is not None
        assert error.vendor_message.startswith("*** is bad ERROR")
        assert len(error.vendor_message) <= 500
        assert error.vendor_code == "***"
        assert error.vendor_message.isprintable()


def test_a_documents_secrets_are_hidden_in_errors_too() -> None:
    acme = vendor_of(changed(secrets=["/session", "/links"], errors=ERRORS))
    hidden = {"session": "hush-hush-4711", "links": [{"url": "quiet-as-a-mouse-1"}], "ok": False}
    for status in (200, 400):
        error = acme.refusal(ApiRequest("status", "GET", "/x"), answer(hidden, status))
        assert error is not None
        assert "4711" not in str(error)
        assert "mouse" not in str(error)


def test_secrets_that_are_new_in_each_answer_are_forgotten_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redactor, "_minted", {})
    monkeypatch.setattr(redactor, "_recent", OrderedDict())
    acme = vendor_of(changed(secrets=["/session"]))
    for number in range(redactor.MOST_RECENT + 50):
        drive(acme.get_job("7"), [answer({"id": 7, "status": "busy", "session": f"hush-hush-{number:06}"})])
    assert redactor.redact(f"hush-hush-{number:06}") == "***"
    assert len(redactor._minted) == redactor.MOST_RECENT


@pytest.mark.parametrize(
    ("form", "text", "seconds"),
    [
        ("duration", "1m30s", 90.0), ("duration", "6ms", 0.006), ("duration", "x", None), ("seconds", "7", 7.0),
        ("milliseconds", "1500", 1.5), ("seconds", "-1", None), ("seconds", "9" * 12, None), ("unix", "oops", None),
        ("seconds", "7,9", 9.0), ("duration", "1s, 1m", 60.0), ("seconds", "7,x", None),
    ],
)  # fmt: skip
def test_waits_in_headers_of_the_vendors_own(form: str, text: str, seconds: float | None) -> None:
    acme = vendor_of(changed(reset_headers={"x-reset": form}))
    assert acme.retry_after(httpx.Headers({"x-reset": text})) == seconds
    assert acme.retry_after(httpx.Headers({"x-reset": text, "retry-after": "3"})) == 3.0


def test_a_wait_reaches_the_error() -> None:
    error = refusal({"errors": [{"message": "Throttled"}]}, x_reset="2s")
    assert error is not None
    assert error.retry_after == 2.0


# Links.

DONE = Job("7", JobState.SUCCEEDED, "done")


def test_a_link_is_asked_for_each_time_and_stored_nowhere() -> None:
    acme = vendor_of(changed(files={"link": ["/url", "/partial"]}))
    body = {"id": 7, "status": "done", "url": "https://store.example/x?sig=abc"}
    job, _ = drive(acme.get_job("7"), [answer(body)])
    assert job.files == (ResultFile("7"),)
    assert "sig" not in str(job.to_dict())
    found, [request] = drive(acme.locate(job, job.files[0]), [answer(body)])
    assert (request.path, found.url) == ("/batches/7", body["url"])
    found, _ = drive(acme.locate(job, job.files[0]), [answer({**body, "url": None, "partial": "/files/9"})])
    assert found.url == "https://api.acme.example/files/9"
    with pytest.raises(exc.UnexpectedResponseError, match="no link at '/url' or '/partial'"):
        drive(acme.locate(job, job.files[0]), [answer({"id": 7, "status": "done"})])
    assert drive(acme.get_job("7"), [answer({**body, "url": None})])[0].files == ()


def test_a_link_of_each_file_in_a_list() -> None:
    files = {"items": "/files", "id": "/id", "link": "/href", "call": {"path": "/batches/{job.id}/files"}}
    acme = vendor_of(changed(files=files))
    named = {"files": [{"id": "a", "href": "https://store.example/a"}, {"id": "b", "href": "https://store.example/b"}]}
    found, [request] = drive(acme.locate(DONE, ResultFile("b")), [answer(named)])
    assert (request.path, found.url) == ("/batches/7/files", "https://store.example/b")


def test_links_of_files_without_ids_are_told_apart_by_their_places() -> None:
    acme = vendor_of(changed(files={"items": "/files", "link": "/href"}))
    body = {"id": 7, "status": "done", "files": [{"href": f"https://store.example/{each}"} for each in "abc"]}
    job, _ = drive(acme.get_job("7"), [answer(body)])
    links = [drive(acme.locate(job, file), [answer(body)])[0].url for file in job.files]
    assert links == [f"https://store.example/{each}" for each in "abc"]
    assert len({file.id for file in job.files}) == 3


@pytest.mark.parametrize("ids", [("a", "a"), ("1", 1), (None, "b")])
def test_a_link_that_could_be_another_files_is_not_followed(ids: tuple[Any, ...]) -> None:
    acme = vendor_of(changed(files={"items": "/files", "id": "/id", "link": "/href"}))
    files = [{"id": each, "href": f"https://store.example/{place}"} for place, each in enumerate(ids)]
    for flow in (acme.get_job("7"), acme.locate(DONE, ResultFile("b"))):
        with pytest.raises(exc.UnexpectedResponseError):
            drive(guarded(acme, flow), [answer({"id": 7, "status": "done", "files": files})])


def test_pages_of_a_file_by_a_header() -> None:
    acme = vendor_of(changed(files={"path": "/r/{job.id}", "next_header": "Next-Page", "next_param": "page"}))
    assert acme.has_pages
    assert not vendor_of(changed()).has_pages
    [first] = acme.result_files(DONE)
    assert acme.result_request(DONE, first).params is None
    second = acme.next_file(DONE, first, httpx.Headers({"next-page": "abc"}))
    assert second is not None
    assert acme.result_request(DONE, second).params == {"page": "abc"}
    for text in ("null", " ", ""):
        assert acme.next_file(DONE, first, httpx.Headers({"next-page": text})) is None
    assert acme.next_file(DONE, first, httpx.Headers({})) is None
