"""The emulator's answers against the vendors' own OpenAPI documents, where those are at hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import pytest
import yaml  # type: ignore[import-untyped]

from airflow_provider_batchdl.emulator import Emulator, ManualClock

from .helpers import SPECS, get

pytestmark = pytest.mark.skipif(not SPECS.is_dir(), reason=f"the vendors' OpenAPI documents are not at {SPECS}")


def spec(name: str) -> dict[str, Any]:
    """Return an OpenAPI document, taken out of its Markdown page if it sits in one."""
    text = (SPECS / name).read_text()
    if name.endswith(".md"):
        fence = re.search(r"^(`{3,})(json|yaml).*?\n(.*?)^\1", text, re.MULTILINE | re.DOTALL)
        assert fence
        text = fence[3]
    document: dict[str, Any] = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    return document


def resolve(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def conforms(document: dict[str, Any], path: str, method: str, answer: httpx.Response) -> None:
    """Check status, headers and body of an answer against what the document says of the operation."""
    responses = document["paths"][path][method]["responses"]
    assert str(answer.status_code) in responses, f"{answer.status_code} is not among {sorted(responses)}"
    response = resolve(document, responses[str(answer.status_code)])
    assert {name.lower() for name in response.get("headers", {})} <= set(answer.headers)
    if media := response.get("content", {}).get("application/json"):
        schema = {**media["schema"], "components": document.get("components", {})}
        jsonschema.validate(answer.json(), schema, format_checker=jsonschema.FormatChecker())


V2 = "revenuebase-v2-openapi.json"


def revenuebase_answers(api: httpx.Client, clock: ManualClock) -> Iterator[tuple[str, str, httpx.Response]]:
    upload = {"requested_file": ("a.json", b'["a@b.com"]', "application/json")}
    submitted = api.post("/v2/email/verify/batch", files=upload)
    yield "/v2/email/verify/batch", "post", submitted
    yield "/v2/email/verify/batch", "post", api.post("/v2/email/verify/batch")
    job = submitted.json()["process_id"]
    yield "/v2/jobs", "get", api.get("/v2/jobs")
    yield "/v2/jobs/{process_id}", "get", api.get(f"/v2/jobs/{job}")
    yield "/v2/jobs/{process_id}", "get", api.get("/v2/jobs/x")
    yield "/v2/jobs/{process_id}/cancel", "post", api.post(f"/v2/jobs/{job}/cancel")
    clock.advance(30)
    yield "/v2/jobs/{process_id}/download", "get", api.get(f"/v2/jobs/{job}/download")
    yield "/v2/email/verify", "post", api.post("/v2/email/verify", json={"email": "a@b.com"})
    yield "/v2/email/verify", "post", api.post("/v2/email/verify", json={})
    yield "/v2/account/balance", "get", api.get("/v2/account/balance")
    yield "/v2/organization/resolve", "post", api.post("/v2/organization/resolve", json={"company_name": "A"})
    yield "/v2/organization/discover", "post", api.post("/v2/organization/discover", json={"keyword": "A"})
    yield "/v2/organization/discover", "post", api.post("/v2/organization/discover", json={"keyword": 1})
    yield "/v2/account/api-keys/rotate", "post", api.post("/v2/account/api-keys/rotate")


def test_revenuebase_v2(revenuebase: httpx.Client, clock: ManualClock) -> None:
    document = spec(V2)
    seen = set()
    for path, method, answer in revenuebase_answers(revenuebase, clock):
        conforms(document, path, method, answer)
        seen.add((path, method))
    assert seen == {(path, method) for path, methods in document["paths"].items() for method in methods}


def test_revenuebase_v1(emulator: Emulator, revenuebase: httpx.Client) -> None:
    document = spec("revenuebase-v1-batch-download.md")
    job = emulator.add_job("revenuebase")
    for body in ({"process_id": int(job.id)}, {}, {"process_id": "x"}):
        answer = revenuebase.post("/v1/batch-download", json=body)
        responses = document["paths"]["/v1/batch-download"]["post"]["responses"]
        assert str(answer.status_code) in responses
        if answer.status_code == 422:
            conforms(document, "/v1/batch-download", "post", answer)


def test_proofy(emulator: Emulator, proofy: httpx.Client) -> None:
    document = spec("proofy-batch-download.md")
    path = "/verify/batch/{id}/download"
    done, waiting = emulator.add_job("proofy"), emulator.add_job("proofy", state="queued")
    for job_id in (done.id, waiting.id, "none"):
        conforms(document, path, "get", proofy.get(f"/verify/batch/{job_id}/download"))
    conforms(document, path, "get", get(f"{emulator.urls['proofy']}/verify/batch/{done.id}/download"))
    example = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    served = proofy.get(f"/verify/batch/{done.id}/download").json()

    def shape(node: Any) -> Any:
        return {name: shape(value) for name, value in node.items()} if isinstance(node, dict) else type(node)

    assert shape(served["list"][0]) == shape(example["list"][0])


def test_batchcom(emulator: Emulator, batchcom: httpx.Client) -> None:
    document = spec("batchcom-exports-download.md")
    done, running = emulator.add_job("batchcom"), emulator.add_job("batchcom", state="running")
    ids = [f"{job.id.replace('export_', 'file_')}0001" for job in (done, running)]
    answers = [batchcom.get("/exports/download", params={"id": file_id}) for file_id in [*ids, "file_x"]]
    answers.append(batchcom.get("/exports/download"))
    answers.append(batchcom.get("/exports/download", headers={"Authorization": ""}))
    assert [answer.status_code for answer in answers] == [307, 409, 404, 400, 401]
    for answer in answers:
        conforms(document, "/exports/download", "get", answer)


def test_apartmentiq(emulator: Emulator, apartmentiq: httpx.Client) -> None:
    document = spec("apartmentiq-job-results.md")
    path = "/bulk_api/jobs/{job_id}/results"
    done, waiting = emulator.add_job("apartmentiq"), emulator.add_job("apartmentiq", state="queued")
    foreign = emulator.add_job("apartmentiq")
    foreign.forbidden = True
    examples = document["paths"][path]["get"]["responses"]["400"]["content"]["application/json"]["examples"]
    documented = [example["value"] for example in examples.values()]
    unknown = "00000000-0000-4000-8000-000000000000"
    for job_id, status in ((done.id, 302), (waiting.id, 400), ("x", 400), (foreign.id, 403), (unknown, 404)):
        answer = apartmentiq.get(f"/bulk_api/jobs/{job_id}/results")
        assert answer.status_code == status
        conforms(document, path, "get", answer)
        if status == 400:
            assert answer.json() in documented
    refused = apartmentiq.get(f"/bulk_api/jobs/{done.id}/results", headers={"Authorization": ""})
    conforms(document, path, "get", refused)
