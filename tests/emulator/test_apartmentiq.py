from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl.emulator import Emulator, ManualClock

from .helpers import client, get, link_of, post

REQUEST: dict[str, Any] = {
    "report_type": "property",
    "output_format": "csv",
    "start_date": "2025-01-30",
    "end_date": "2025-02-02",
    "property_ids": [7, 8],
}


def token_request(emulator: Emulator) -> dict[str, str | None]:
    account = emulator.credentials["apartmentiq"]
    return {"grant_type": "client_credentials", "client_id": account.login, "client_secret": account.password}


@pytest.mark.parametrize("encoding", ["json", "data"])
def test_a_token_lives_two_hours(emulator: Emulator, clock: ManualClock, encoding: str) -> None:
    fields: dict[str, Any] = {encoding: token_request(emulator)}
    answer = post(f"{emulator.origin}/oauth/token", **fields).json()
    assert {**answer, "access_token": "…"} == {
        "access_token": "…",
        "token_type": "Bearer",
        "expires_in": 7200,
        "scope": "api",
        "created_at": int(clock.time()),
    }
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    url = f"{emulator.urls['apartmentiq']}/accounts"
    clock.advance(7199)
    assert get(url, headers=headers).json()["data"] == [{"id": 42, "name": "Acme Properties"}]
    clock.advance(1)
    refused = get(url, headers=headers)
    assert (refused.status_code, refused.json()) == (
        401,
        {"error": "Unauthorized", "message": "Missing or invalid bearer token"},
    )


def test_tokens_can_be_expired_and_refused(emulator: Emulator, apartmentiq: httpx.Client) -> None:
    url = f"{emulator.origin}/oauth/token"
    token = post(url, json=token_request(emulator)).json()["access_token"]
    emulator.expire_tokens()
    assert apartmentiq.get("/accounts").status_code == 200  # the pasted token stays
    assert apartmentiq.get("/accounts", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    emulator.expire_tokens(pasted=True)
    assert apartmentiq.get("/accounts").status_code == 401
    wrong = post(url, json={**token_request(emulator), "client_secret": "wrong"})
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert post(url, json={"grant_type": "password"}).json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_job_from_end_to_end(emulator: Emulator, apartmentiq: httpx.Client, clock: ManualClock, form: str) -> None:
    created = apartmentiq.post("/bulk_api/jobs", json={**REQUEST, "output_format": form})
    assert created.status_code == 201
    job = created.json()
    assert (job["status"], job["property_ids"]) == ("submitted", [7, 8])
    path = f"/bulk_api/jobs/{job['job_id']}"
    clock.advance(20)
    assert apartmentiq.get(path).json()["status"] == "submitted"
    early = apartmentiq.get(f"{path}/results")
    assert (early.status_code, early.json()["error"]) == (400, "Invalid operation")
    clock.advance(10)
    assert apartmentiq.get(path).json()["status"] == "succeeded"
    redirect = apartmentiq.get(f"{path}/results")
    assert redirect.status_code == 302
    body = get(redirect.headers["location"]).content
    rows = read_rows(form, body)
    assert [int(row["property_id"]) for row in rows] == [7] * 4 + [8] * 4
    assert rows[3]["report_generation_date"] == "2025-02-02"


def read_rows(form: str, body: bytes) -> list[dict[str, Any]]:
    if form == "csv":
        return list(csv.DictReader(io.StringIO(body.decode())))
    if form == "jsonl":
        return [json.loads(line) for line in body.splitlines()]
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(body)).to_pylist()
    return rows


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"property_ids": []}, "property_ids is required and must be a non-empty array"),
        ({"property_ids": ["7"]}, "property_ids must contain integers"),
        ({"report_type": "rent"}, "report_type must be one of: floorplans, property, units"),
        ({"output_format": "xml"}, "output_format must be one of: csv, jsonl, parquet"),
        ({"start_date": "1/1/2025"}, "start_date must be a date in YYYY-MM-DD format"),
        ({"end_date": "2024-01-01"}, "start_date must not be after end_date"),
    ],
)
def test_what_it_refuses(apartmentiq: httpx.Client, change: dict[str, Any], text: str) -> None:
    answer = apartmentiq.post("/bulk_api/jobs", json={**REQUEST, **change})
    assert (answer.status_code, answer.json()) == (400, {"error": text})


def test_ids(emulator: Emulator, apartmentiq: httpx.Client) -> None:
    malformed = apartmentiq.get("/bulk_api/jobs/seven/results")
    assert (malformed.status_code, malformed.json()["message"]) == (400, "job_id must be a valid UUID")
    unknown = apartmentiq.get("/bulk_api/jobs/00000000-0000-4000-8000-000000000000")
    assert (unknown.status_code, unknown.json()["error"]) == (404, "Not Found")
    job = emulator.add_job("apartmentiq")
    job.forbidden = True
    assert (apartmentiq.get(f"/bulk_api/jobs/{job.id}").status_code, b"") == (403, b"")
    assert apartmentiq.get(f"/bulk_api/jobs/{job.id}/results").json()["error"] == "Forbidden"


def test_cancelling(apartmentiq: httpx.Client, clock: ManualClock) -> None:
    path = f"/bulk_api/jobs/{apartmentiq.post('/bulk_api/jobs', json=REQUEST).json()['job_id']}"
    assert apartmentiq.delete(path).json()["status"] == "cancelled"
    assert apartmentiq.delete(path).json()["error"] == "Invalid operation"
    assert apartmentiq.get(path).json()["status"] == "cancelled"


def test_failure_says_why(emulator: Emulator, apartmentiq: httpx.Client) -> None:
    job = emulator.add_job("apartmentiq", state="queued")
    job.fail("No access to property 7")
    answer = apartmentiq.get(f"/bulk_api/jobs/{job.id}").json()
    assert (answer["status"], answer["error_message"]) == ("failed", "No access to property 7")


def test_paging(emulator: Emulator, apartmentiq: httpx.Client) -> None:
    ids = [emulator.add_job("apartmentiq").id for _ in range(5)]
    page = apartmentiq.get("/bulk_api/jobs", params={"page": 2, "per_page": 2}).json()
    assert [job["job_id"] for job in page["jobs"]] == [ids[2], ids[1]]
    assert page["pagination"] == {"current_page": 2, "total_pages": 3, "total_count": 5, "per_page": 2}
    assert apartmentiq.get("/bulk_api/jobs", params={"per_page": 101}).status_code == 400


def test_two_kinds_of_429(clock: ManualClock) -> None:
    with Emulator(clock=clock) as emulator, client(emulator, "apartmentiq") as api:
        emulator.set_quota_exceeded("apartmentiq", True)
        quota = api.post("/bulk_api/jobs", json=REQUEST)
        assert (quota.status_code, quota.json()["quota_limit"]) == (429, 5000)
        for _ in range(99):
            assert api.get("/accounts").status_code == 200
        limited = api.get("/accounts")
        assert limited.status_code == 429
        assert limited.text == "You have exceeded the rate limit for this API."
        assert limited.headers["content-type"].startswith("text/plain")
        assert limited.headers["retry-after"] == limited.headers["x-ratelimit-reset-after"] == "300"
        assert int(limited.headers["x-ratelimit-reset"]) == int(clock.time()) + 300
        clock.advance(300)
        assert api.get("/accounts").status_code == 200


def test_links_live_a_week(emulator: Emulator, clock: ManualClock) -> None:
    job = emulator.add_job("apartmentiq")
    link = link_of(emulator, job)
    clock.advance(6 * 86_400)
    assert get(link).status_code == 200
    clock.advance(86_400)
    assert get(link).status_code == 403
