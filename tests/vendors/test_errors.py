"""Every error shape of every vendor becomes its typed error, with the vendor's own words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl import exceptions as exc
from airflow_provider_batchdl._redaction.redactor import remember
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.vendors.base import ApiRequest, Vendor
from airflow_provider_batchdl.vendors.errors import LONGEST_MESSAGE, error_from_response, vendor_words
from tests.client.helpers import vendor_at

JSON = "application/json"
HTML = "text/html; charset=utf-8"
PAGE = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>"
XML = '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>'
NOT_COMPLETED = "Results are not available because the job has not completed successfully"
FOREIGN = {"fault": {"faultstring": "no route"}}
FASTAPI = {"detail": [{"loc": ["path", "process_id"], "msg": "Input should be a valid integer", "type": "int_parsing"}]}
JOB_ID = {
    "revenuebase": "41001",
    "proofy": "5b2f",
    "batchcom": "export_1",
    "apartmentiq": "ed49987b-6539-4e9e-8a63-2bcd811ef0ec",
}


@dataclass(frozen=True)
class Case:
    vendor: str
    operations: str | tuple[str, ...]  # one, or several that mean the same
    status: int
    body: Any
    kind: type[BatchDlError]
    words: str | None = None  # None: the vendor said nothing that could be read
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    taken: bool = True  # whether the vendor may have acted on it; only asked of those who were not reached

    def __str__(self) -> str:
        operation = f"{self.operations}-" if isinstance(self.operations, str) else ""
        return f"{self.vendor}-{operation}{self.status}-{str(self.body)[:40]}"

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


OPERATIONS = ("submit", "status", "list", "cancel", "download", "balance", "check")
A_JOBS = ("status", "cancel", "download")
NO_JOBS = ("submit", "list", "balance", "check")


def everywhere(vendor: str, status: int, body: Any, kind: type[BatchDlError], words: str | None, **more: Any) -> Case:
    return Case(vendor, OPERATIONS, status, body, kind, words, **more)


def own(vendor: str, words: str) -> dict[str, str]:
    """An error in the vendor's own shape."""
    shapes = {"revenuebase": "detail", "proofy": "message", "batchcom": "error_message", "apartmentiq": "error"}
    return {shapes[vendor]: words, **({"error_code": "SOME_CODE"} if vendor == "batchcom" else {})}


CASES: list[Case] = [
    # --- Revenuebase: FastAPI's detail in every shape; 400 means many things
    everywhere("revenuebase", 401, {"detail": "Not authenticated"}, exc.AuthenticationError, "Not authenticated"),
    everywhere("revenuebase", 401, {"detail": "Not Authenticated"}, exc.AuthenticationError, "Not Authenticated"),
    everywhere("revenuebase", 403, {"detail": "Forbidden"}, exc.PermissionDeniedError, "Forbidden"),
    everywhere("revenuebase", 402, {"detail": "Recharge"}, exc.InsufficientCreditsError, "Recharge"),
    everywhere(
        "revenuebase", 422, FASTAPI, exc.InvalidRequestError, "path.process_id: Input should be a valid integer"
    ),
    everywhere(
        "revenuebase", 429, {"detail": "Rate limit exceeded"}, exc.RateLimitedError, "Rate limit exceeded",
        headers={"Retry-After": "7"}, retry_after=7.0,
    ),
    everywhere("revenuebase", 500, {"detail": "Internal"}, exc.VendorUnavailableError, "Internal"),
    *[
        Case("revenuebase", "submit", 400, body, exc.InvalidRequestError, words)
        for body, words in (
            ({"detail": "invalid_extension"}, "invalid_extension"),
            ({"detail": {"code": "upload_error", "message": "File upload failed."}}, "File upload failed."),
            ({"message": "invalid_extension"}, "invalid_extension"),
        )
    ],
    *[
        Case("revenuebase", "status", 400, body, exc.JobNotFoundError, words)
        for body, words in (
            ({"detail": "Invalid process_id or job does not belong to your account."}, "does not belong"),
            ({"message": "Invalid process_id"}, "Invalid process_id"),
            ({"detail": {"code": "invalid_process_id", "message": "No."}}, "No."),
        )
    ],
    Case("revenuebase", "status", 400, {"detail": "Bad Request"}, exc.UnexpectedResponseError, "Bad Request"),
    Case("revenuebase", "download", 400, {"detail": "Bad Request"}, exc.UnexpectedResponseError, "Bad Request"),
    Case("revenuebase", "cancel", 400, {"detail": "Bad Request"}, exc.InvalidRequestError, "Bad Request"),
    Case("revenuebase", "submit", 422, {"title": "Not a list"}, exc.InvalidRequestError, "Not a list"),
    *[
        Case("revenuebase", "download", 400, body, kind, words)
        for code, words, kind in (
            ("not_completed", "not_completed", exc.ResultNotReadyError),
            ("process_error", "process_error", exc.JobFailedError),
            ("Process not completed.", "Process not completed.", exc.ResultNotReadyError),
            ("Job must have status `COMPLETED` or `CANCELLED` before downloading.", "Job", exc.ResultNotReadyError),
            ("Job ended with an error. No output file is available.", "Job ended with", exc.JobFailedError),
            ("Invalid `process_id` or job does not belong to your account.", "Invalid", exc.JobNotFoundError),
            ("Invalid process_id", "Invalid process_id", exc.JobNotFoundError),
        )
        for body in ({"detail": code}, {"message": code}, {"detail": {"code": code, "message": code}}, [code])
    ],
    Case(
        "revenuebase", "download", 400, {"detail": {"code": "not_completed", "message": "Wait for it."}},
        exc.ResultNotReadyError, "Wait for it.",
    ),
    *[
        Case("revenuebase", "cancel", 400, {"detail": code}, kind, code)
        for code, kind in (
            ("already_cancelled", exc.InvalidRequestError),
            ("not_cancellable", exc.InvalidRequestError),
            ("Process not running or queued. Process has status COMPLETED", exc.InvalidRequestError),
            ("Invalid process_id or job does not belong to your account.", exc.JobNotFoundError),
        )
    ],
    # --- Proofy: {"message": ...}; no 402, no job list
    everywhere("proofy", 401, {"message": "Unauthorized"}, exc.AuthenticationError, "Unauthorized"),
    everywhere("proofy", 400, {"message": "Not enough credits"}, exc.InsufficientCreditsError, "Not enough credits"),
    everywhere("proofy", 400, {"message": "Bad Request"}, exc.InvalidRequestError, "Bad Request"),
    everywhere("proofy", 422, {"message": "Unprocessable Entity"}, exc.InvalidRequestError, "Unprocessable Entity"),
    everywhere("proofy", 429, {"message": "Too Many Requests"}, exc.RateLimitedError, "Too Many Requests"),
    everywhere("proofy", 500, {"message": "Internal Server Error"}, exc.VendorUnavailableError, "Internal Server"),
    Case("proofy", "status", 400, {"error": True, "message": "Legacy"}, exc.InvalidRequestError, "Legacy"),
    # --- Batch.com: {"error_code", "error_message"}
    everywhere(
        "batchcom", 401, {"error_code": "AUTHENTICATION_INVALID", "error_message": "Not valid for this project"},
        exc.AuthenticationError, "Not valid for this project",
    ),
    everywhere(
        "batchcom", 400, {"error_code": "MISSING_PARAMETER", "error_message": "id is missing"},
        exc.InvalidRequestError, "id is missing",
    ),
    everywhere(
        "batchcom", 429, {"error_code": "X", "error_message": "Too Many Requests"}, exc.RateLimitedError, "Too Many"
    ),
    everywhere(
        "batchcom", 503, {"error_code": "MAINTENANCE", "error_message": "Under maintenance"},
        exc.VendorUnavailableError, "Under maintenance", headers={"Retry-After": "30"}, retry_after=30.0, taken=False,
    ),
    Case("batchcom", "download", 409, {"error_code": "C", "error_message": "No"}, exc.ResultNotReadyError, "No"),
    Case("batchcom", "submit", 409, {"error_code": "C", "error_message": "No"}, exc.InvalidRequestError, "No"),
    Case("batchcom", "status", 404, {"error_code": "ROUTE_NOT_FOUND"}, exc.JobNotFoundError, "ROUTE_NOT_FOUND"),
    # --- ApartmentIQ: {"error", "message"?}, {"errors"}, empty 403s, two kinds of 429
    everywhere(
        "apartmentiq", 401, {"error": "Unauthorized", "message": "Missing or invalid bearer token"},
        exc.AuthenticationError, "Unauthorized: Missing or invalid bearer token",
    ),
    everywhere(
        "apartmentiq", 403, {"error": "Forbidden", "quota_limit": 5000, "quota_usage": 5000},
        exc.QuotaExceededError, "Forbidden",
    ),
    everywhere("apartmentiq", 403, "", exc.PermissionDeniedError, None, content_type="text/plain"),
    everywhere(
        "apartmentiq", 403, {"error": "Forbidden", "message": "You do not have permission"},
        exc.PermissionDeniedError, "You do not have permission",
    ),
    everywhere(
        "apartmentiq", 400, {"error": "property_ids is required"}, exc.InvalidRequestError, "property_ids is required"
    ),
    everywhere(
        "apartmentiq", 422, {"errors": ["start_date is late", "end_date is early"]},
        exc.InvalidRequestError, "start_date is late; end_date is early",
    ),
    everywhere(
        "apartmentiq", 422, {"message": "Validation failed", "errors": {"property_ids": ["can't be blank"]}},
        exc.InvalidRequestError, "Validation failed; property_ids: can't be blank",
    ),
    everywhere(
        "apartmentiq", 429, "You have exceeded the rate limit for this API.", exc.RateLimitedError,
        "You have exceeded the rate limit for this API.", content_type="text/plain; charset=utf-8",
        headers={"Retry-After": "12", "X-RateLimit-Reset-After": "12"}, retry_after=12.0,
    ),
    everywhere(
        "apartmentiq", 429,
        {"error": "Trial API quota limit exceeded", "quota_limit": 5000, "quota_usage": 5001},
        exc.QuotaExceededError, "Trial API quota limit exceeded",
    ),
    Case("apartmentiq", "submit", 429, {"error": "X", "message": "quota is used"}, exc.QuotaExceededError, "quota"),
    Case("apartmentiq", "submit", 429, {"error": "Slow down"}, exc.RateLimitedError, "Slow down"),
    Case("apartmentiq", "submit", 429, "[" * 5000, exc.RateLimitedError, "[[["),
    Case(
        "apartmentiq", "download", 400,
        {"error": "Invalid operation", "message": NOT_COMPLETED},
        exc.ResultNotReadyError, "Invalid operation: Results are not available",
    ),
    Case(
        "apartmentiq", "download", 400, {"error": "Invalid parameter", "message": "job_id must be a valid UUID"},
        exc.InvalidRequestError, "job_id must be a valid UUID",
    ),
    Case(
        "apartmentiq", "cancel", 400, {"error": "Invalid operation"}, exc.InvalidRequestError, "Invalid operation"
    ),
    # --- in the shape of each
    *[
        case
        for vendor in JOB_ID
        for case in (
            everywhere(vendor, 405, own(vendor, "Method Not Allowed"), exc.UnsupportedOperationError, "Method Not"),
            everywhere(vendor, 415, own(vendor, "No such media"), exc.InvalidRequestError, "No such media"),
            everywhere(vendor, 418, own(vendor, "teapot"), exc.UnexpectedResponseError, "teapot"),
            everywhere(vendor, 503, own(vendor, "Maintenance"), exc.VendorUnavailableError, "Maint", taken=False),
            everywhere(vendor, 403, own(vendor, "Quota of this plan is used up"), exc.QuotaExceededError, "Quota of"),
            *[
                Case(vendor, OPERATIONS, status, own(vendor, words), exc.InsufficientCreditsError, words)
                for status in (400, 402, 403, 422, 429)
                for words in ("Not enough credits.", "Insufficient credits to run this", "You are out of credits")
            ],
            *[
                Case(vendor, A_JOBS, status, own(vendor, "Gone"), exc.JobNotFoundError, "Gone")
                for status in (404, 410)
            ],
            *[
                Case(vendor, NO_JOBS, status, own(vendor, "Gone"), exc.InvalidRequestError, "Gone")
                for status in (404, 410)
            ],
        )
    ],
    # --- what stands in front of any of them: whatever it says, it says nothing about the job, the key or the request
    *[
        case
        for vendor in JOB_ID
        for case in (
            everywhere(vendor, 502, PAGE, exc.VendorUnavailableError, "502 Bad Gateway", content_type=HTML),
            everywhere(vendor, 503, "", exc.VendorUnavailableError, None),
            everywhere(vendor, 503, PAGE, exc.VendorUnavailableError, "502 Bad Gateway", content_type=HTML),
            everywhere(vendor, 503, "no healthy upstream", exc.VendorUnavailableError, "no heal", content_type="a/b"),
            everywhere(vendor, 503, FOREIGN, exc.VendorUnavailableError, "no route"),
            everywhere(vendor, 504, "upstream timed out", exc.VendorUnavailableError, "timed out", content_type="a/b"),
            everywhere(vendor, 408, "", exc.VendorUnavailableError, None),
            everywhere(vendor, 413, "<html>too large</html>", exc.InvalidRequestError, "too large", content_type=HTML),
            everywhere(vendor, 429, "<html>slow down</html>", exc.RateLimitedError, "slow down", content_type=HTML),
            everywhere(vendor, 401, "", exc.AuthenticationError, None),
            everywhere(vendor, 401, "who?", exc.AuthenticationError, "who?", content_type="text/plain"),
            everywhere(vendor, 599, "?", exc.VendorUnavailableError, "?"),
            everywhere(vendor, 500, bytes(range(256)) * 9, exc.VendorUnavailableError, None, content_type="image/png"),
            everywhere(vendor, 500, '{"detail": ' * 3000 + "1" + "}" * 3000, exc.VendorUnavailableError, '{"detail":'),
            everywhere(vendor, 401, PAGE, exc.VendorUnavailableError, "502 Bad", content_type=HTML, taken=False),
        )
    ],
]  # fmt: skip


def requests_for(case: Case) -> list[ApiRequest]:
    operations = (case.operations,) if isinstance(case.operations, str) else case.operations
    return [ApiRequest(each, "GET", "/", job_id=JOB_ID[case.vendor] if each in A_JOBS else None) for each in operations]


def vendor_named(name: str) -> Vendor:
    return vendor_at("https://h.example", name)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_shape_becomes_its_typed_error(case: Case) -> None:
    headers = {"content-type": case.content_type, **case.headers}
    vendor = vendor_named(case.vendor)
    for request in requests_for(case):
        error = vendor.error(request, httpx.Response(case.status, content=case.content, headers=headers))
        assert type(error) is case.kind, request.operation
        if case.words is None:
            assert error.vendor_message is None
        else:
            assert case.words in (error.vendor_message or "")
            assert repr(error.vendor_message)[1:-1] in str(error)
        assert (error.vendor, error.job_id, error.status) == (case.vendor, request.job_id, case.status)
        assert error.retry_after == case.retry_after
        assert error.retryable is case.kind.retryable
        assert error.remedy or case.kind in (exc.VendorUnavailableError, exc.UnexpectedResponseError)
        if isinstance(error, exc.VendorUnavailableError):
            assert error.maybe_processed is case.taken


@pytest.mark.parametrize("vendor", JOB_ID)
@pytest.mark.parametrize("body", [PAGE, XML, "Forbidden", "", FOREIGN, {}, "null"])
def test_a_refusal_in_no_shape_of_the_vendors_came_from_something_else(vendor: str, body: Any) -> None:
    for status in (400, 402, 403, 404, 405, 406, 407, 409, 410, 415, 418, 421, 422, 423, 451, 496):
        if (vendor, status, body) == ("apartmentiq", 403, ""):
            continue  # it documents that one
        case = Case(vendor, OPERATIONS, status, body, exc.VendorUnavailableError)
        for request in requests_for(case):
            error = vendor_named(vendor).error(request, httpx.Response(status, content=case.content))
            assert type(error) is exc.VendorUnavailableError, request
            assert (error.retryable, error.maybe_processed, error.status) == (True, False, status)
            assert "Something else answered" in str(error)


@pytest.mark.parametrize("body", [b"", b"<html>Gone</html>", b'{"detail": "Gone"}', b'{"message": "use /v2"}', b"Gone"])
def test_the_retired_v1_says_use_v2_and_never_that_a_job_is_missing(body: bytes) -> None:
    vendor = vendor_at("https://h.example", "revenuebase", extra={"api_version": "v1"})
    for operation in OPERATIONS:
        request = ApiRequest(operation, "POST", "/v1/x", job_id="41001")
        error = vendor.error(request, httpx.Response(410, content=body))
        assert type(error) is exc.InvalidRequestError
        assert "use v2" in str(error)
        assert "job id" not in str(error)


# --- the words and the code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error_code": "MISSING_PARAMETER", "error_message": "id is missing"}, "MISSING_PARAMETER"),
        ({"error_code": 31, "error_msg": "id is missing"}, "31"),
        ({"detail": {"code": "not_completed", "message": "Wait."}}, "not_completed"),
        ({"detail": "not_completed"}, "not_completed"),
        ({"detail": "A sentence is no code."}, None),
        ({"errors": [{"code": "bad", "message": "a"}]}, "bad"),
        ({"error": {"code": 5, "message": "a"}}, "5"),
        ({"error": True, "message": "Bad list"}, None),
        ({"type": "https://errors.example/out-of-credits", "title": "Out", "detail": "a"}, "https://errors.example/out-of-credits"),
        ({"type": "about:blank", "title": "Out of credits", "detail": "a"}, "Out of credits"),
        (FASTAPI, "int_parsing"),
    ],
)  # fmt: skip
def test_the_code_is_kept_beside_the_words(body: Any, code: str | None) -> None:
    response = httpx.Response(400, content=json.dumps(body).encode())
    error = error_from_response(response, vendor="v", operation="status", job_id="7")
    assert error.vendor_code == code
    assert BatchDlError.from_dict(json.loads(json.dumps(error.to_dict()))).vendor_code == code
    assert code is None or code in str(error)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"detail": "a"}, "a"),
        ({"detail": {"message": "a", "code": "b"}}, "a"),
        ({"detail": {"code": "b"}}, "b"),
        ({"detail": {"reason": "a", "hint": "b"}}, "reason: a; hint: b"),
        ({"detail": ["a", "b"]}, "a; b"),
        ({"detail": [{"msg": "a", "loc": 5}]}, "a"),
        ({"detail": [{"msg": "a", "loc": []}]}, "a"),
        ({"detail": [{"msg": "a", "loc": ["body", 0, "email"]}]}, "body.0.email: a"),
        ({"detail": []}, '{"detail": []}'),
        ({"message": "a", "error": "b"}, "b: a"),
        ({"message": 5}, "5"),
        ({"error": {"message": "a", "code": 5}}, "a"),
        ({"error": True}, '{"error": true}'),
        (
            {"error": "invalid_client", "error_description": "Client authentication failed"},
            "Client authentication failed",
        ),
        ({"errors": [{"message": "a"}, {"message": "b"}]}, "a; b"),
        ({"errors": {"name": ["is bad", "is long"]}}, "name: is bad; is long"),
        ({"type": "about:blank", "title": "Nope", "detail": "a"}, "a"),
        ({"title": "Nope", "status": 400}, "Nope"),
        ({"error_code": 31, "error_msg": "a"}, "a"),
        ({"fault": "a"}, '{"fault": "a"}'),
        ("a", "a"),
        (["a", ["b"]], "a; b"),
        ({"message": "two\nlines\tand \x1b[31mred"}, "two lines and [31mred"),
        ({}, None),
        ([], None),
        (None, None),
        ("", None),
        ({"message": "Is 😀 \ud800 a smile?"}, "Is 😀 a smile?"),
    ],
)
def test_words_of_json(body: Any, words: str | None) -> None:
    assert vendor_words(httpx.Response(400, content=json.dumps(body).encode()))[0] == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  plain\n words ", "plain words"),
        ("<html><title>A &amp; B</title><body>x</body>", "A & B"),
        ("<html><body><h1>Forbidden</h1><p>Go away</p></body></html>", "Forbidden Go away"),
        ("<Error><Message>m</Message></Error>", "m"),
        ("<title></title>", None),
        ("<" * 100_000, "<<<"),
        ("<title>" * 100_000, "<"),
        ("{not json", "{not json"),
        ("\ufeff{\"detail\": \"with a BOM\"}", "with a BOM"),
        ("\x00\x01\x02", None),
    ],
)  # fmt: skip
def test_words_of_text(text: str, words: str | None) -> None:
    found = vendor_words(httpx.Response(400, content=text.encode()))[0]
    assert found is None if words is None else found is not None and found.startswith(words)


@pytest.mark.parametrize("charset", ["base64", "rot13", "zip", "undefined", "idna", "no-such", "", "utf-16", "latin-1"])
def test_a_charset_that_is_none_is_survived(charset: str) -> None:
    response = httpx.Response(400, content=b"words", headers={"content-type": f"text/plain; charset={charset}"})
    assert isinstance(vendor_words(response), tuple)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["detail", "message", "error", "errors", "error_code", "error_message", "msg", "loc", "code", "x"]
                ),
                inner,
            )
        ),
    ),
    st.sampled_from(sorted(JOB_ID)),
    st.sampled_from(OPERATIONS),
    st.integers(400, 599),
)
def test_any_json_becomes_a_typed_error(body: Any, vendor: str, operation: str, status: int) -> None:
    response = httpx.Response(status, content=json.dumps(body).encode())
    error = vendor_named(vendor).error(ApiRequest(operation, "GET", "/"), response)
    assert isinstance(error, BatchDlError)
    json.dumps(error.to_dict())
    assert str(error).isprintable()
    assert len(error.vendor_message or "") <= LONGEST_MESSAGE


@given(st.binary(max_size=500), st.sampled_from(["", JSON, HTML, "text/plain; charset=utf-16", "text/xml"]))
def test_any_bytes_become_a_typed_error(body: bytes, content_type: str) -> None:
    response = httpx.Response(400, content=body, headers={"content-type": content_type})
    error = error_from_response(response, vendor="v", operation="status")
    assert len(error.vendor_message or "") <= LONGEST_MESSAGE
    str(error).encode()


def test_nesting_deeper_than_python_goes() -> None:
    for depth in (900, 100_000):
        for opening, closing in (("[", "]"), ('{"detail":', "}"), ('{"errors":[', "]}")):
            for end in (closing * depth, ""):
                response = httpx.Response(400, content=(opening * depth + "1" + end).encode())
                assert len(vendor_words(response)[0] or "") <= LONGEST_MESSAGE


@pytest.mark.parametrize("at", range(440, 500, 7))
@pytest.mark.parametrize("spell", [str, json.dumps, quote], ids=["json", "json in json", "url"])
def test_a_message_that_is_cut_ends_within_no_secret(at: int, spell: Callable[[str], str]) -> None:
    """Half a key is known to nobody: what is said is redacted first, and then cut."""
    key = "rb/" + "0123456789abcdef" * 2 + "Zz"
    remember(key)
    answer = httpx.Response(400, json={"message": "x" * at + " " + spell(key) + " and more" * 20})
    error = error_from_response(answer, vendor="proofy", operation="status")
    assert error.vendor_message
    assert "x" * at in error.vendor_message
    assert "0123" not in error.vendor_message
