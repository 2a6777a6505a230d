"""Schemathesis throws what it can think of at every route; nothing of it may be a server error."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.emulator.states import VENDORS

from .helpers import SPECS, client, credentials_of, get

EXAMPLES = 12
SCALARS = st.none() | st.booleans() | st.integers() | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.just("email") | st.text(), inner))


def description(vendor: str) -> dict[str, Any]:
    with Emulator() as emulator:
        document: dict[str, Any] = get(f"{emulator.origin}/openapi.json").json()
    document["paths"] = {
        path: operations
        for path, operations in document["paths"].items()
        if any(vendor in operation["tags"] for operation in operations.values())
    }
    return document


def operations(document: dict[str, Any]) -> list[Any]:
    results: Any = schemathesis.openapi.from_dict(document).get_all_operations()
    return [result.ok() for result in results]


def attack(emulator: Emulator, vendor: str, operation: Any, base_url: str) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def once(case: Any) -> None:
        headers, params = credentials_of(emulator, vendor)
        answer = case.call(base_url=base_url, headers=headers, params=params)
        case.validate_response(answer, checks=[not_a_server_error])

    once()


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_request_breaks_the_server(vendor: str) -> None:
    with Emulator(rate_limits=False, queue_seconds=0, run_seconds=0) as emulator:
        for operation in operations(description(vendor)):
            attack(emulator, vendor, operation, emulator.origin)
        records = emulator.requests
    assert not [record for record in records if record.status >= 500]
    # Fuzzing that never gets past the door proves nothing.
    reached = {record.operation for record in records if record.status not in (401, 404, 405, 422)}
    assert {"submit", "list" if vendor != "proofy" else "balance"} <= reached


@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_any_upload_ends_in_a_file_or_an_error(name: str) -> None:
    with (
        Emulator(rate_limits=False, queue_seconds=0, run_seconds=0) as emulator,
        client(emulator, "revenuebase") as api,
    ):

        @settings(max_examples=60, deadline=None, database=None)
        @given(data=st.binary() | st.text().map(str.encode) | JSON.map(lambda value: json.dumps(value).encode()))
        def once(data: bytes) -> None:
            submitted = api.post("/v2/email/verify/batch", files={"requested_file": (name, data)})
            assert submitted.status_code == 200
            path = f"/v2/jobs/{submitted.json()['process_id']}"
            status = api.get(path).json()["current_status"]
            assert status in ("COMPLETED", "ERROR")
            assert api.get(f"{path}/download").status_code == (200 if status == "COMPLETED" else 400)

        once()


@pytest.mark.skipif(not SPECS.is_dir(), reason=f"the vendors' OpenAPI documents are not at {SPECS}")
def test_nor_does_one_made_from_the_vendors_own_document() -> None:
    document = json.loads((SPECS / "revenuebase-v2-openapi.json").read_text())
    with Emulator(rate_limits=False, queue_seconds=0, run_seconds=0) as emulator:
        for operation in operations(document):
            attack(emulator, "revenuebase", operation, emulator.urls["revenuebase"])
        assert not [record for record in emulator.requests if record.status >= 500]
        assert {"verify", "resolve", "discover"} <= {
            record.operation for record in emulator.requests if record.status == 200
        }
