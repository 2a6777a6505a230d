"""airbyte-cdk's `AsyncRetriever`: a manifest, read by the CDK's own command in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from bench.compare.engines import ENDPOINT, input_lines, rows_of
from bench.compare.scenes import KEY_HEADER

STREAM = "batch"
COMMAND = "source-declarative-manifest"
BY_HAND = ("upload the file first: a manifest's requests have no files",)
"""What this harness does in a person's place."""


def uploaded(base_url: str, headers: dict[str, str], count: int) -> str:
    """Upload the input file; returns its id."""
    files = {"file": ("input.jsonl", input_lines(count), "application/jsonl")}
    answer = httpx.post(
        f"{base_url}/v1/files", data={"purpose": "batch"}, files=files, headers=headers, trust_env=False
    )
    return str(answer.raise_for_status().json()["id"])


def prepare(order: dict[str, Any]) -> list[str]:
    """Write the manifest, the configuration and the catalogue; returns the command's arguments."""
    folder, key = Path(order["folder"]), order["key"]
    headers = {KEY_HEADER: key} if order["own_header"] else {"Authorization": f"Bearer {key}"}
    file_id = uploaded(order["base_url"], headers, order["prompts"])
    texts = {
        "manifest.yaml": manifest(own_header=order["own_header"]),  # JSON is YAML
        "config.json": {"base_url": order["base_url"], "key": key, "input_file_id": file_id},
        "catalog.json": _CATALOG,
    }
    for name, value in texts.items():
        (folder / name).write_text(json.dumps(value))
    return [
        "read", "--config", str(folder / "config.json"), "--catalog", str(folder / "catalog.json"),
        "--manifest-path", str(folder / "manifest.yaml"),
    ]  # fmt: skip


def records(output: str) -> list[tuple[int, str]]:
    """The rows of the records that a read printed."""
    lines = []
    for line in output.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if message.get("type") == "RECORD":
            lines.append(json.dumps(message["record"]["data"]))
    return rows_of(lines)


_SCHEMA = {"type": "object", "additionalProperties": True, "properties": {"custom_id": {"type": "string"}}}
_CATALOG = {
    "streams": [
        {
            "stream": {"name": STREAM, "json_schema": _SCHEMA, "supported_sync_modes": ["full_refresh"]},
            "sync_mode": "full_refresh",
            "destination_sync_mode": "overwrite",
        }
    ]
}


def manifest(*, own_header: bool) -> dict[str, Any]:
    """A source with one stream, which is the batch's result."""
    option = {"type": "RequestOption", "inject_into": "header", "field_name": KEY_HEADER}
    own = {"type": "ApiKeyAuthenticator", "api_token": "{{ config['key'] }}", "inject_into": option}
    bearer = {"type": "BearerAuthenticator", "api_token": "{{ config['key'] }}"}

    def requester(path: str, method: str = "GET", **more: Any) -> dict[str, Any]:
        url = "{{ config['base_url'] }}" + path
        authenticator = own if own_header else bearer
        return {"type": "HttpRequester", "url": url, "http_method": method, "authenticator": authenticator, **more}

    body = {
        "input_file_id": "{{ config['input_file_id'] }}",
        "endpoint": ENDPOINT,
        "completion_window": "24h",
    }
    states = {
        "type": "AsyncJobStatusMap",
        "running": ["validating", "in_progress", "finalizing", "cancelling"],
        "completed": ["completed"],
        "failed": ["failed", "cancelled"],
        "timeout": ["expired"],
    }
    whole = {"type": "DpathExtractor", "field_path": []}
    retriever = {
        "type": "AsyncRetriever",
        "record_selector": {"type": "RecordSelector", "extractor": whole},
        "status_extractor": {"type": "DpathExtractor", "field_path": ["status"]},
        "status_mapping": states,
        "download_target_extractor": {"type": "DpathExtractor", "field_path": ["output_file_id"]},
        "download_extractor": whole,
        "download_decoder": {"type": "JsonlDecoder"},
        "creation_requester": requester("/v1/batches", "POST", request_body_json=body),
        "polling_requester": requester("/v1/batches/{{ creation_response['id'] }}"),
        "download_requester": requester("/v1/files/{{ download_target }}/content"),
    }
    stream = {
        "type": "DeclarativeStream",
        "name": STREAM,
        "primary_key": [],
        "schema_loader": {"type": "InlineSchemaLoader", "schema": _SCHEMA},
        "retriever": retriever,
    }
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": [STREAM]},
        "streams": [stream],
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
    }
