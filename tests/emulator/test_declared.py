"""The catalogue's vendors suffer the same faults as the four built-in ones, by the same names."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.emulator.states import DECLARED

from .helpers import client

QUERY = "{ products { edges { node { id } } } }"
RUN = f'mutation {{ bulkOperationRunQuery(query: "{QUERY}") {{ userErrors {{ code }} }} }}'


def submit_openai(api: httpx.Client) -> httpx.Response:
    made = api.post("/v1/files", data={"purpose": "batch"}, files={"file": ("a.jsonl", b"{}\n")}).json()
    body = {"input_file_id": made["id"], "endpoint": "/v1/embeddings", "completion_window": "24h"}
    return api.post("/v1/batches", json=body)


SUBMITS: dict[str, Callable[[httpx.Client], httpx.Response]] = {
    "openai_batch": submit_openai,
    "salesforce_bulk_query": lambda api: api.post(
        "/services/data/v64.0/jobs/query", json={"operation": "query", "query": "SELECT Id FROM Lead"}
    ),
    "shopify_bulk": lambda api: api.post("/admin/api/2026-01/graphql.json", json={"query": RUN}),
    "neverbounce": lambda api: api.post(
        "/v4.2/jobs/create", json={"input_location": "supplied", "input": [["a@b.example"]], "auto_start": True}
    ),
}


@pytest.mark.parametrize("vendor", DECLARED)
def test_an_answer_is_lost_after_the_job_was_made(emulator: Emulator, vendor: str) -> None:
    emulator.add_fault(Fault("reset", vendor=vendor, operation="submit", processed=True))
    emulator.add_fault(Fault("reset", vendor=vendor, operation="submit"))
    with client(emulator, vendor) as api:
        for _ in range(2):
            with pytest.raises(httpx.TransportError):
                SUBMITS[vendor](api)
            assert len(emulator.jobs(vendor)) == 1
        assert SUBMITS[vendor](api).status_code == 200
    assert len(emulator.jobs(vendor)) == 2
    assert not emulator.unused_faults


@pytest.mark.parametrize("vendor", DECLARED)
def test_something_else_answers(emulator: Emulator, vendor: str) -> None:
    emulator.add_fault(Fault("status", vendor=vendor, operation="submit", status=503, shape="html", retry_after=3))
    emulator.add_fault(Fault("html", vendor=vendor, operation="submit"))
    with client(emulator, vendor) as api:
        router, page = SUBMITS[vendor](api), SUBMITS[vendor](api)
    assert (router.status_code, router.headers["retry-after"]) == (503, "3")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert emulator.jobs(vendor) == []


@pytest.mark.parametrize("vendor", DECLARED)
def test_a_job_nobody_submitted_can_be_in_any_state(emulator: Emulator, vendor: str) -> None:
    words = [
        emulator.add_job(vendor, state=state).vendor_state for state in ("queued", "running", "succeeded", "failed")
    ]
    assert len(set(words)) == 4
    held = emulator.add_job(vendor, state="ANY WORD")
    assert held.vendor_state == "ANY WORD"
    assert [file.size for file in emulator.jobs(vendor)[2].files()] == [100_000]
