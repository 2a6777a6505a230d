"""OpenAI's Batch API, as its reference and guides describe it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ManualClock, ResultSpec

from .helpers import client

LINES = [
    {"custom_id": f"r{number}", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-4o-mini"}}
    for number in range(4)
]


@pytest.fixture
def openai(emulator: Emulator) -> Any:
    with client(emulator, "openai_batch") as api:
        yield api


def upload(api: httpx.Client, lines: Sequence[Mapping[str, Any]] | bytes = LINES) -> str:
    data = lines if isinstance(lines, bytes) else b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    answer = api.post("/v1/files", data={"purpose": "batch"}, files={"file": ("in.jsonl", data)})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert (body["object"], body["bytes"], body["filename"]) == ("file", len(data), "in.jsonl")
    return str(body["id"])


def create(api: httpx.Client, file_id: str, **more: Any) -> httpx.Response:
    body = {"input_file_id": file_id, "endpoint": "/v1/chat/completions", "completion_window": "24h", **more}
    return api.post("/v1/batches", json=body)


def test_a_batch_from_upload_to_output(openai: httpx.Client, clock: ManualClock) -> None:
    batch = create(openai, upload(openai), metadata={"key": "k1"}).json()
    path = f"/v1/batches/{batch['id']}"
    seen = [batch["status"]]
    for seconds in (10, 10, 10):
        clock.advance(seconds)
        seen.append(openai.get(path).json()["status"])
    assert seen == ["validating", "in_progress", "finalizing", "completed"]
    done = openai.get(path).json()
    assert done["request_counts"] == {"total": 4, "completed": 4, "failed": 0}
    assert (done["metadata"], done["error_file_id"], done["completed_at"]) == ({"key": "k1"}, None, int(clock.time()))
    lines = openai.get(f"/v1/files/{done['output_file_id']}/content").text.splitlines()
    assert [json.loads(line)["custom_id"] for line in lines] == ["r0", "r1", "r2", "r3"]


def test_failed_requests_are_in_a_file_of_their_own(openai: httpx.Client, clock: ManualClock) -> None:
    lines = [*LINES, {"custom_id": "bad", "method": "POST", "url": "/v1/chat/completions", "body": {}}]
    batch = create(openai, upload(openai, lines)).json()
    clock.advance(30)
    done = openai.get(f"/v1/batches/{batch['id']}").json()
    assert done["request_counts"] == {"total": 5, "completed": 4, "failed": 1}
    errors = openai.get(f"/v1/files/{done['error_file_id']}/content").text.splitlines()
    assert [json.loads(line)["custom_id"] for line in errors] == ["bad"]


def test_a_vendor_without_expired_jobs_has_none(emulator: Emulator) -> None:
    emulator.add_job("openai_batch").expire()
    with pytest.raises(ValueError, match="A job of proofy does not expire"):
        emulator.add_job("proofy").expire()


def test_an_expired_batch_keeps_what_it_got_done(emulator: Emulator, openai: httpx.Client, clock: ManualClock) -> None:
    batch = create(openai, upload(openai)).json()
    clock.advance(15)
    emulator.jobs("openai_batch")[0].hold("expired")
    expired = openai.get(f"/v1/batches/{batch['id']}").json()
    assert (expired["status"], expired["request_counts"]["completed"]) == ("expired", 2)
    errors = openai.get(f"/v1/files/{expired['error_file_id']}/content").text.splitlines()
    assert {json.loads(line)["error"]["code"] for line in errors} == {"batch_expired"}


def test_cancelling_takes_a_while(openai: httpx.Client, clock: ManualClock) -> None:
    batch = create(openai, upload(openai)).json()
    clock.advance(15)
    cancelled = openai.post(f"/v1/batches/{batch['id']}/cancel").json()
    assert cancelled["status"] == "cancelling"
    clock.advance(10)
    ended = openai.get(f"/v1/batches/{batch['id']}").json()
    assert (ended["status"], ended["request_counts"]["completed"]) == ("cancelled", 2)
    assert openai.post(f"/v1/batches/{batch['id']}/cancel").status_code == 409


def test_a_line_that_is_no_json_fails_the_batch(openai: httpx.Client, clock: ManualClock) -> None:
    batch = create(openai, upload(openai, b"{}\n{oops\n")).json()
    clock.advance(30)
    failed = openai.get(f"/v1/batches/{batch['id']}").json()
    assert failed["status"] == "failed"
    assert "parseable" in failed["errors"]["data"][0]["message"]


def test_the_list_has_pages(emulator: Emulator, openai: httpx.Client) -> None:
    ids = [emulator.add_job("openai_batch").id for _ in range(3)][::-1]
    first = openai.get("/v1/batches", params={"limit": 2}).json()
    assert ([each["id"] for each in first["data"]], first["has_more"], first["last_id"]) == (ids[:2], True, ids[1])
    second = openai.get("/v1/batches", params={"limit": 2, "after": first["last_id"]}).json()
    assert ([each["id"] for each in second["data"]], second["has_more"]) == (ids[2:], False)
    emulator.add_fault(Fault("endless_list", vendor="openai_batch", operation="list"))
    endless = openai.get("/v1/batches", params={"after": ids[2]}).json()
    assert endless["has_more"]
    assert endless["last_id"] not in ids


def test_errors_and_rate_headers(emulator: Emulator, openai: httpx.Client) -> None:
    for answer, status, code in (
        (openai.get("/v1/batches/none"), 404, None),
        (openai.get("/v1/batches", headers={"Authorization": "Bearer x"}), 401, "invalid_api_key"),
        (create(openai, "file-none"), 400, None),
        (create(openai, "x", endpoint="/v1/none"), 400, None),
        (openai.post("/v1/files", data={"purpose": "x"}, files={"file": ("a", b"")}), 400, None),
        (openai.get("/v1/files/none/content"), 404, None),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    emulator.set_quota_exceeded("openai_batch", True)
    refused = create(openai, upload(openai))
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota")
    emulator.add_fault(Fault("status", vendor="openai_batch", status=429))
    limited = openai.get("/v1/batches")
    assert (limited.status_code, limited.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert {"x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"} <= limited.headers.keys()


@pytest.mark.parametrize(("used", "left", "reset"), [(1, "599", "1m0s"), (601, "0", "1m0s")])
def test_the_limit_says_when_it_is_over(used: int, left: str, reset: str, clock: ManualClock) -> None:
    with Emulator(clock=clock) as emulator, client(emulator, "openai_batch") as api:
        answers = [api.get("/v1/batches") for _ in range(used)]
        assert answers[-1].status_code == (429 if left == "0" else 200)
        assert answers[-1].headers["x-ratelimit-remaining-requests"] == left
        assert answers[-1].headers["x-ratelimit-reset-requests"] == reset


def test_results_to_order(emulator: Emulator, openai: httpx.Client) -> None:
    job = emulator.add_job("openai_batch", ResultSpec(bytes=50_000, errors=2_000))
    view = openai.get(f"/v1/batches/{job.id}").json()
    output = openai.get(f"/v1/files/{view['output_file_id']}/content")
    errors = openai.get(f"/v1/files/{view['error_file_id']}/content")
    assert (len(output.content), len(errors.content)) == (50_000, 2_000)
    assert all(json.loads(line) for line in (output.text + errors.text).splitlines())
