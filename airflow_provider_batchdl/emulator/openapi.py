"""An OpenAPI document of everything the emulator serves, made from its routes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from airflow_provider_batchdl.emulator.exchange import Api, Endpoint

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_SCHEMES: dict[str, Any] = {
    "revenuebase": {"type": "apiKey", "in": "header", "name": "x-key"},
    "proofy": {"type": "apiKey", "in": "query", "name": "api_key"},
    "batchcom": {"type": "http", "scheme": "bearer"},
    "apartmentiq": {"type": "http", "scheme": "bearer"},
    "openai_batch": {"type": "http", "scheme": "bearer"},
    "salesforce_bulk_query": {"type": "http", "scheme": "bearer"},
    "shopify_bulk": {"type": "apiKey", "in": "header", "name": "X-Shopify-Access-Token"},
    "neverbounce": {"type": "apiKey", "in": "query", "name": "key"},
}
_PATH_TYPES: dict[str, Any] = {
    "process_id": {"type": "integer"},
    "job_id": {"type": "string", "format": "uuid"},
    "version": {"enum": ["2.11", "2.13"]},
    "sf_version": {"enum": ["v64.0"]},
    "api_date": {"enum": ["2026-01"]},
}
_PROJECT = {"name": "X-Batch-Project", "in": "header", "required": True, "schema": {"type": "string"}}

TEXT = {"type": "string"}


def body(properties: dict[str, Any], required: Iterable[str] | None = None, *kinds: str) -> dict[str, Any]:
    """Return the fields of an operation that takes an object as its body.

    Args:
        properties: schemas of the members.
        required: members that must be there; all where left out.
        kinds: media types; JSON where left out.
    """
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties if required is None else required),
    }
    content = {kind: {"schema": schema} for kind in kinds or ("application/json",)}
    return {"requestBody": {"required": True, "content": content}}


def file_body(part: str, **fields: Any) -> dict[str, Any]:
    """Return the fields of an operation that takes a file in a part of a form, and fields beside it."""
    return body({**fields, part: {**TEXT, "format": "binary"}}, None, "multipart/form-data")


def query(*required: str, **optional: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an operation with parameters in its query: required texts, and schemas of optional ones."""
    found: list[dict[str, Any]] = [{"name": name, "in": "query", "required": True, "schema": TEXT} for name in required]
    return {"parameters": found + [{"name": name, "in": "query", "schema": each} for name, each in optional.items()]}


def _operation(api: Api, endpoint: Endpoint) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_TYPES.get(name, {"type": "string"})}
        for name in _PARAMETER.findall(endpoint.path)
    ]
    if api.vendor == "batchcom":
        parameters.append(_PROJECT)
    operation: dict[str, Any] = {
        "tags": [api.vendor],
        "summary": endpoint.operation,
        "operationId": re.sub(r"\W+", "_", f"{endpoint.method}{endpoint.path}").strip("_").lower(),
        "parameters": [*parameters, *endpoint.spec.get("parameters", ())],
        "responses": {"default": {"description": "As the vendor answers."}},
    }
    if "requestBody" in endpoint.spec:
        operation["requestBody"] = endpoint.spec["requestBody"]
    if not endpoint.open:
        operation["security"] = [{api.vendor: []}]
    return operation


def document(apis: Iterable[Api], origin: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of some APIs.

    Args:
        apis: the APIs.
        origin: where they are served.
    """
    paths: dict[str, dict[str, Any]] = {}
    for api in apis:
        for endpoint in api.endpoints():
            path = _PARAMETER.sub(r"{\1}", endpoint.path)
            paths.setdefault(path, {})[endpoint.method.lower()] = _operation(api, endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "batchdl emulator", "version": "1", "description": "Batch APIs on loopback."},
        "servers": [{"url": origin}],
        "paths": paths,
        "components": {"securitySchemes": _SCHEMES},
    }
