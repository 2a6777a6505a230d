"""Shopify's bulk operations, as the reference of its GraphQL Admin API describes them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ManualClock, ResultSpec

from .helpers import client, get

QUERY = "{ products { edges { node { id title } } } }"
RUN = (
    "mutation Run($query: String!) { bulkOperationRunQuery(query: $query) {"
    " bulkOperation { id status } userErrors { field message code } } }"
)
STATUS = (
    "query($id: ID!) { node(id: $id) { ... on BulkOperation {"
    " id status errorCode objectCount fileSize url partialDataUrl query } } }"
)
CANCEL = "mutation($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { message } } }"
LIST = (
    "query($after: String) { bulkOperations(first: 2, after: $after) {"
    " edges { node { id } } pageInfo { hasNextPage endCursor } } }"
)


class Shop:
    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def __call__(self, document: str, /, **variables: Any) -> dict[str, Any]:
        answer = self.http.post("/admin/api/2026-01/graphql.json", json={"query": document, "variables": variables})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


@pytest.fixture
def shop(emulator: Emulator) -> Any:
    with client(emulator, "shopify_bulk") as http:
        yield Shop(http)


def test_an_operation_from_query_to_lines(emulator: Emulator, shop: Shop, clock: ManualClock) -> None:
    made = shop(RUN, query=QUERY)["data"]["bulkOperationRunQuery"]
    operation = made["bulkOperation"]
    assert (operation["status"], made["userErrors"]) == ("CREATED", [])
    assert operation["id"].startswith("gid://shopify/BulkOperation/")
    clock.advance(15)
    assert shop(STATUS, id=operation["id"])["data"]["node"]["status"] == "RUNNING"
    clock.advance(15)
    done = shop(STATUS, id=operation["id"])["data"]["node"]
    assert (done["status"], done["objectCount"], done["query"]) == ("COMPLETED", "500", QUERY)
    file = get(done["url"])
    assert done["url"].startswith(emulator.store_url)
    assert (len(file.content), len(file.text.splitlines())) == (int(done["fileSize"]), 500)
    assert get(done["url"], headers={"X-Shopify-Access-Token": "leaked"}).status_code == 400
    assert shop(STATUS, id=operation["id"])["data"]["node"]["url"] != done["url"]  # signed anew
    operations = [record.operation for record in emulator.requests]
    assert operations == ["submit", "status", "status", "store", "store", "status"]


def test_only_what_is_selected_is_answered(emulator: Emulator, shop: Shop) -> None:
    job = emulator.add_job("shopify_bulk")
    answer = shop(f'# a comment\nquery {{ op: bulkOperation(id: "{job.id}") {{ state: status, __typename }} }}')
    assert answer["data"] == {"op": {"state": "COMPLETED", "__typename": "BulkOperation"}}
    assert shop(STATUS, id="gid://shopify/BulkOperation/1")["data"] == {"node": None}
    assert shop("{ currentBulkOperation { id } shop { name } }")["data"]["currentBulkOperation"] == {"id": job.id}


def test_no_data_is_no_url(emulator: Emulator, shop: Shop) -> None:
    empty = emulator.add_job("shopify_bulk", ResultSpec(bytes=0))
    view = shop(STATUS, id=empty.id)["data"]["node"]
    assert (view["status"], view["url"], view["fileSize"]) == ("COMPLETED", None, None)
    failed = emulator.add_job("shopify_bulk", state="failed")
    view = shop(STATUS, id=failed.id)["data"]["node"]
    assert (view["url"], bool(view["partialDataUrl"]), view["errorCode"]) == (None, True, "Injected failure")


def test_cancelling_takes_a_while(shop: Shop, clock: ManualClock) -> None:
    job_id = shop(RUN, query=QUERY)["data"]["bulkOperationRunQuery"]["bulkOperation"]["id"]
    clock.advance(15)
    for _ in range(2):
        answer = shop(CANCEL, id=job_id)["data"]["bulkOperationCancel"]
        assert (answer["bulkOperation"]["status"], answer["userErrors"]) == ("CANCELING", [])
    clock.advance(10)
    assert shop(STATUS, id=job_id)["data"]["node"]["status"] == "CANCELED"
    assert "canceled" in shop(CANCEL, id=job_id)["data"]["bulkOperationCancel"]["userErrors"][0]["message"]


def test_the_list_has_pages(emulator: Emulator, shop: Shop) -> None:
    ids = [emulator.add_job("shopify_bulk").id for _ in range(3)][::-1]
    first = shop(LIST)["data"]["bulkOperations"]
    assert [edge["node"]["id"] for edge in first["edges"]] == ids[:2]
    assert first["pageInfo"]["hasNextPage"]
    second = shop(LIST, after=first["pageInfo"]["endCursor"])["data"]["bulkOperations"]
    assert [edge["node"]["id"] for edge in second["edges"]] == ids[2:]
    assert not second["pageInfo"]["hasNextPage"]
    emulator.add_fault(Fault("endless_list", vendor="shopify_bulk", operation="list"))
    assert shop(LIST, after=ids[2])["data"]["bulkOperations"]["pageInfo"]["hasNextPage"]


def test_errors_are_inside_a_200(emulator: Emulator, shop: Shop) -> None:
    emulator.add_fault(Fault("status", vendor="shopify_bulk", operation="list", status=429))
    assert shop(LIST)["errors"][0]["extensions"]["code"] == "THROTTLED"
    for wrong in ("{ shop { name }", "{ none }", "{ shop { name } } }", '{ shop(a: "x\ny") { name } }', "{" * 99):
        assert shop(wrong)["errors"][0]["message"]
    assert shop(RUN, query="{ shop { name } }")["data"]["bulkOperationRunQuery"]["userErrors"][0]["code"] == "INVALID"
    for _ in range(5):
        emulator.add_job("shopify_bulk", state="running")
    refused = shop(RUN, query=QUERY)["data"]["bulkOperationRunQuery"]
    assert (refused["bulkOperation"], refused["userErrors"][0]["code"]) == (None, "LIMIT_REACHED")
    answer = shop.http.post("/admin/api/2026-01/graphql.json", json={}, headers={"X-Shopify-Access-Token": "x"})
    assert (answer.status_code, "API key" in answer.json()["errors"]) == (401, True)


def test_points_are_counted(clock: ManualClock) -> None:
    with Emulator(clock=clock) as emulator, client(emulator, "shopify_bulk") as http:
        shop = Shop(http)
        answers = [shop("{ shop { name } }") for _ in range(201)]
    assert answers[0]["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 1990
    assert answers[-1]["errors"][0]["extensions"]["code"] == "THROTTLED"


def test_links_expire_and_downloads_break_off(emulator: Emulator, shop: Shop, clock: ManualClock) -> None:
    job = emulator.add_job("shopify_bulk", ResultSpec(bytes=100_000))
    url = shop(STATUS, id=job.id)["data"]["node"]["url"]
    emulator.add_fault(Fault("cut", vendor="shopify_bulk", operation="store", after_bytes=10))
    with pytest.raises(httpx.RemoteProtocolError):
        get(url)
    ranged = get(url, headers={"Range": "bytes=10-"})
    assert (ranged.status_code, len(ranged.content)) == (206, 99_990)
    clock.advance(7 * 86_400)
    assert get(url).status_code == 403


def test_what_a_document_may_say(shop: Shop) -> None:
    document = (
        'query A($a: [String!]! = ["x", """b "c" \\""" d"""], $b: Boolean = true) {'
        "  shop(first: -1.5e3, list: [1, 2], object: {a: null, b: ENUM}, flag: false, v: $a) { n: name }"
        "}"
    )
    assert shop(document)["data"] == {"shop": {"n": "Acme"}}
    assert json.dumps(shop("{ shop }")["data"]["shop"])
