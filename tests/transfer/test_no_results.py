"""A 200 that is no result, whatever it calls itself: it does not land, at any vendor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import BatchDlError, ResultNotReadyError
from airflow_provider_batchdl.transfer.job_download import download
from tests.transfer.conftest import ClientFor, left_in, local

VENDORS = ["revenuebase", "proofy", "batchcom", "apartmentiq"]
MEDIA = ["application/json", "text/plain", "text/csv", "application/octet-stream", ""]
ERRORS = [
    {"error": "Unauthorized", "message": "Missing or invalid bearer token"},
    {"error": True, "message": "no"},
    {"detail": "Job ended with an error. No output file is available."},
    {"error_code": "MALFORMED", "error_message": "no"},
    {"errors": ["no"]},
    {"Message": "User is not authorized"},
    [{"error": {"code": 404, "message": "no"}}],
    {"type": "https://x/y", "title": "Out of credit", "status": 403, "detail": "no", "balance": 30},
    {"status": "error"},
    {"status": "fail", "data": {"title": "required"}},
    {"code": 40001, "msg": "no"},
    {"errorMessage": "timed out", "errorType": "Lambda"},
    {"__type": "ThrottlingException", "message": "no"},
    {"fault": {"faultstring": "no"}},
    {"message": "no", "exception": "E", "file": "a.php", "line": 3, "trace": []},
    {"error": "no", "error_id": "abc", "support_id": 5},
    {"message": "no", "hint": None, "details": "x", "code": "PGRST116"},
    {"errorCode": "E5", "errorSummary": "no", "errorCauses": []},
    {"Message": "no", "RequestId": "1", "correlationId": "2"},
    {"error": "no", "description": "expired", "documentation_url": "https://x/y"},
    {"statusCode": 500},
    {"status": 404, "reason": "gone"},
    {"jsonrpc": "2.0", "error": {"code": -1, "message": "no"}, "id": None},
    {"meta": {"code": 500, "error_message": "no"}},
    {"response": {"error": "no"}},
    {"err": "no"},
    {"result": "error", "message": "no"},
    {"result": "failure", "request_id": "x"},
    ["error", "no such export"],
    {"failure": {"reason": "no"}},
    {"code": "NoSuchKey", "message": "no", "resource": "/a", "requestId": "5"},
    [{"errorCode": "INVALID_SESSION_ID", "message": "no"}],
    {"success": False, "errors": [{"code": 10000, "message": "no"}], "messages": [], "result": None},
    {"httpCode": "401", "httpMessage": "Unauthorized", "moreInformation": "no"},
    {"name": "TypeError", "message": "no", "stack": "TypeError: no\n    at x.js:3"},
]
ROWS: list[object] = [
    {"a": 1},
    {"status": "Valid", "email": "a@example.com"},
    {"message": "hello", "email": "a@example.com"},
    {"code": 404, "email": "a@example.com"},
    {"profile": {"message": "hello"}},
    {"domain": "example.com", "status": "invalid", "reason": "no MX"},
    {"title": "a", "type": "b", "description": "c"},
    {"data": None},
    {"reason": None, "rows": 5},
    {"message": "all is well", "data": [{"email": "a@example.com"}]},
    [{"error": None}],
    ["error"],
    ["error", "warning", "info"],
    ["error", 5],
    {"result": "error", "email": "a@example.com"},
    [{"errorCode": "E5", "message": "no mailbox", "row": 5}],
    [{"errorCode": "E5", "message": "no"}, {"errorCode": "E6", "message": "no"}],
    {"messages": [{"text": "hello"}]},
    {"name": "Ann", "message": "hello"},
    {"name": "Ann", "stack": ["a", "b"]},
    [{"email": "a@example.com", "error": "no mailbox"}],
    [{"title": "a", "status": 404}, {"title": "b", "status": 200}],
]
EARLY = {
    "revenuebase": {"process_id": 41001, "status": "PROCESSING"},
    "proofy": {"status": "processing", "list": []},
    "batchcom": {"id": "export_1", "status": "RUNNING"},
    "apartmentiq": {"job_id": "x", "status": "submitted"},
}


def refused(
    emulator: Emulator, client_for: ClientFor, folder: Path, vendor: str, body: object, media: str, operation: str
) -> BatchDlError:
    job = emulator.add_job(vendor, result=ResultSpec(bytes=3_000), state="succeeded")
    text = json.dumps(body, indent=2)
    emulator.add_fault(Fault("status", operation=operation, status=200, body=text, content_type=media, times=99))
    with pytest.raises(BatchDlError) as caught:
        download(client_for(vendor), job.id, local(folder, folder=True))
    assert (left_in(folder), caught.value.vendor, caught.value.job_id) == ([], vendor, job.id)
    return caught.value


@pytest.mark.parametrize(
    ("body", "vendor", "media"),
    [
        (body, vendor, media)
        for number, body in enumerate(ERRORS)
        for vendor, media in ((VENDORS[number % 4], MEDIA[number % 5]), (VENDORS[(number + 1) % 4], MEDIA[0]))
    ],
    ids=str,
)
def test_an_error_object(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, vendor: str, body: object, media: str
) -> None:
    refused(emulator, client_for, tmp_path, vendor, body, media, "download")


@pytest.mark.parametrize("body", ERRORS[:2], ids=str)
@pytest.mark.parametrize("vendor", ["batchcom", "apartmentiq"])
def test_an_error_object_in_the_store(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, vendor: str, body: object
) -> None:
    refused(emulator, client_for, tmp_path, vendor, body, "text/csv", "store")


@pytest.mark.parametrize("media", ["application/json", "text/csv"])
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_job_that_is_not_ready(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, vendor: str, media: str
) -> None:
    error = refused(emulator, client_for, tmp_path, vendor, EARLY[vendor], media, "download")
    assert isinstance(error, ResultNotReadyError)
    assert error.retryable


@pytest.mark.parametrize("body", ROWS, ids=str)
def test_an_object_of_the_users_lands(emulator: Emulator, client_for: ClientFor, tmp_path: Path, body: object) -> None:
    job = emulator.add_job("revenuebase", result=ResultSpec(bytes=3_000), state="succeeded")
    text = json.dumps(body)
    emulator.add_fault(Fault("status", operation="download", status=200, body=text, content_type="application/json"))
    download(client_for("revenuebase"), job.id, local(tmp_path / "x.json"))
    assert (tmp_path / "x.json").read_text() == text


ROW = {"email": "a@example.com", "status": "Valid"}
LARGE_ERRORS: list[object] = [
    {"error": "no", "trace": "x" * 200_000},
    {"detail": [{"loc": ["body", 5], "msg": "field required", "type": "missing"}] * 3_000},
    {"message": "no", "errors": {"property_ids": ["is invalid"] * 20_000}},
    {"success": False, "message": "no", "data": [{"field": "x", "why": "required"}] * 5_000},
]
LARGE_ROWS: list[object] = [
    {"message": "all is well", "emails": [ROW] * 3_000},
    {"message": "OK", "code": 200, "result": [ROW] * 3_000},
    {"message": "Conflict", "data": [ROW] * 3_000},
    {"errors": [{"line": 3, "why": "no mailbox"}], "data": [ROW] * 3_000},
    {"error": "two of them failed", "data": {"rows": [ROW] * 3_000}},
    {"detail": "x" * 200_000, "rows": 5},
]


@pytest.mark.parametrize(
    ("vendor", "media"),
    [*zip(VENDORS, ["application/json", "text/csv", "application/x-ndjson", ""], strict=True)],
)
@pytest.mark.parametrize("body", LARGE_ERRORS, ids=lambda body: str(body)[:30])
def test_a_large_error_object(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, vendor: str, body: object, media: str
) -> None:
    refused(emulator, client_for, tmp_path, vendor, body, media, "download")


@pytest.mark.parametrize(("rows", "suffix"), [(3_000, "json"), (3_000, "csv"), (1, "json"), (1, "jsonl")])
@pytest.mark.parametrize("body", LARGE_ROWS, ids=lambda body: str(body)[:30])
def test_a_large_object_with_rows_lands(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, body: dict[str, object], rows: int, suffix: str
) -> None:
    body = {name: each[:rows] if isinstance(each, list) else each for name, each in body.items()}
    job = emulator.add_job("revenuebase", result=ResultSpec(bytes=3_000), state="succeeded")
    text, media = json.dumps(body), {"json": "application/json", "jsonl": "application/jsonl", "csv": "text/csv"}
    emulator.add_fault(Fault("status", operation="download", status=200, body=text, content_type=media[suffix]))
    download(client_for("revenuebase"), job.id, local(tmp_path / f"x.{suffix}"))
    assert (tmp_path / f"x.{suffix}").read_text() == text
