"""Salesforce's query jobs, as the guide to its Bulk API 2.0 describes them."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ManualClock, ResultSpec
from airflow_provider_batchdl.emulator.apis import salesforce as api_module

from .helpers import client, post

QUERY = {"operation": "query", "query": "SELECT Id, Name FROM Account"}
JOBS = "/services/data/v64.0/jobs/query"


@pytest.fixture
def salesforce(emulator: Emulator) -> Any:
    with client(emulator, "salesforce_bulk_query") as api:
        yield api


def pages(api: httpx.Client, path: str, **params: str) -> list[httpx.Response]:
    found = [api.get(path, params=params)]
    while (locator := found[-1].headers["sforce-locator"]) != "null":
        found.append(api.get(path, params={**params, "locator": locator}))
    return found


def test_the_token_says_where_the_instance_is(emulator: Emulator) -> None:
    account = emulator.credentials["salesforce_bulk_query"]
    url = f"{emulator.origin}/services/oauth2/token"
    fields = {"grant_type": "client_credentials"}
    by_form = {**fields, "client_id": account.login, "client_secret": account.password}
    basic = httpx.BasicAuth(account.login or "", account.password)
    for answer in (post(url, data=by_form), post(url, data=fields, auth=basic)):
        body = answer.json()
        assert body["instance_url"].startswith(emulator.origin)
        assert (body["token_type"], "expires_in" in body) == ("Bearer", False)
    refused = post(url, data={**by_form, "client_secret": "wrong"})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client")


def test_a_job_from_query_to_rows(salesforce: httpx.Client, clock: ManualClock) -> None:
    job = salesforce.post(JOBS, json=QUERY).json()
    path = f"{JOBS}/{job['id']}"
    assert (job["state"], job["object"], len(job["id"])) == ("UploadComplete", "Account", 18)
    assert "query" not in job  # the guide shows the SOQL nowhere
    assert salesforce.get(f"{path}/results").status_code == 400
    clock.advance(15)
    assert salesforce.get(path).json()["state"] == "InProgress"
    clock.advance(15)
    done = salesforce.get(path).json()
    assert (done["state"], done["numberRecordsProcessed"]) == ("JobComplete", 500)
    answer = salesforce.get(f"{path}/results")
    assert (answer.headers["sforce-locator"], answer.headers["sforce-numberofrecords"]) == ("null", "500")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert (rows[0], len(rows)) == (["Id", "Name"], 501)
    assert answer.text.startswith('"Id","Name"\n"001')


@pytest.mark.parametrize("most", ["100", "333"])
def test_pages_are_chained_by_a_header(salesforce: httpx.Client, clock: ManualClock, most: str) -> None:
    path = f"{JOBS}/{salesforce.post(JOBS, json=QUERY).json()['id']}/results"
    clock.advance(30)
    whole = salesforce.get(path).text.splitlines()
    parts = [page.text.splitlines() for page in pages(salesforce, path, maxRecords=most)]
    assert {part[0] for part in parts} == {whole[0]}
    assert [line for part in parts for line in part[1:]] == whole[1:]
    assert max(len(part) for part in parts) == int(most) + 1


def test_pages_of_a_result_to_order(emulator: Emulator, salesforce: httpx.Client) -> None:
    job = emulator.add_job("salesforce_bulk_query", ResultSpec(bytes=2_000_000, page_rows=5_000))
    found = pages(salesforce, f"{JOBS}/{job.id}/results")
    header, _, rest = b"".join(job.content().chunks()).partition(b"\n")
    assert len(found) > 5
    assert b"".join(page.content.partition(b"\n")[2] for page in found) == rest
    assert {page.content.partition(b"\n")[0] for page in found} == {header}
    with pytest.raises(ValueError, match="pages of 0 rows"):
        ResultSpec(page_rows=0)


def test_an_empty_result_is_a_header(salesforce: httpx.Client, emulator: Emulator, clock: ManualClock) -> None:
    job_id = salesforce.post(JOBS, json=QUERY).json()["id"]
    [job] = emulator.jobs("salesforce_bulk_query")
    assert job.recipe
    write = job.recipe.write
    job.recipe = type(job.recipe)("text/csv", lambda file, revision, share: write(file, revision, 0))
    clock.advance(30)
    answer = salesforce.get(f"{JOBS}/{job_id}/results")
    assert (answer.text, answer.headers["sforce-locator"]) == ('"Id","Name"\n', "null")


def test_a_running_job_can_be_aborted(salesforce: httpx.Client, emulator: Emulator) -> None:
    path = f"{JOBS}/{salesforce.post(JOBS, json=QUERY).json()['id']}"
    assert salesforce.patch(path, json={"state": "Aborted"}).json()["state"] == "Aborted"
    again = salesforce.patch(path, json={"state": "Aborted"})
    assert (again.status_code, again.json()[0]["errorCode"]) == (400, "INVALIDJOBSTATE")
    assert salesforce.get(path).json()["state"] == "Aborted"


def test_the_list_has_pages_in_no_order(
    emulator: Emulator, salesforce: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_module, "LIST_ROWS", 4)
    made = [emulator.add_job("salesforce_bulk_query").id for _ in range(10)]
    found, url = [], JOBS
    while url:
        answer = salesforce.get(f"{emulator.origin}{url}" if "?" in url else url).json()
        assert answer["done"] == (answer["nextRecordsUrl"] is None)
        found += [job["id"] for job in answer["records"]]
        url = answer["nextRecordsUrl"]
    assert sorted(found) == sorted(made)
    assert found not in (made, made[::-1])
    emulator.add_fault(Fault("endless_list", vendor="salesforce_bulk_query"))
    assert salesforce.get(JOBS).json()["nextRecordsUrl"]


def test_errors(emulator: Emulator, salesforce: httpx.Client, clock: ManualClock) -> None:
    job = salesforce.post(JOBS, json=QUERY).json()["id"]
    clock.advance(30)
    for answer, status, code in (
        (salesforce.get(f"{JOBS}/none"), 404, "NOT_FOUND"),
        (salesforce.get(JOBS, headers={"Authorization": "Bearer x"}), 401, "INVALID_SESSION_ID"),
        (salesforce.get(JOBS.replace("v64.0", "v46.0")), 404, "NOT_FOUND"),
        (salesforce.get(f"{JOBS.replace('64', '63')}/{job}/results"), 409, "API_VERSION_MISMATCH"),
        (salesforce.get(f"{JOBS}/{job}/results", params={"locator": "zzzz"}), 400, "INVALID_QUERY_LOCATOR"),
        (salesforce.post(JOBS, json={"operation": "query", "query": "DROP"}), 400, "MALFORMED_QUERY"),
        (salesforce.post(JOBS, json={"operation": "insert"}), 400, "INVALIDJOB"),
    ):
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, code)
    emulator.set_quota_exceeded("salesforce_bulk_query", True)
    assert salesforce.get(JOBS).json()[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"
    emulator.set_quota_exceeded("salesforce_bulk_query", False)
    emulator.expire_tokens()
    assert salesforce.get(JOBS).status_code == 401


def test_a_page_can_be_cut(emulator: Emulator, salesforce: httpx.Client) -> None:
    job = emulator.add_job("salesforce_bulk_query", ResultSpec(bytes=200_000, page_rows=1_000))
    emulator.add_fault(Fault("cut", operation="download", after_bytes=1_000))
    with pytest.raises(httpx.RemoteProtocolError):
        salesforce.get(f"{JOBS}/{job.id}/results")
