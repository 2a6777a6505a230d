"""Shared by the route modules of Revenuebase: request schemas, body reading and charging."""

from __future__ import annotations

from typing import Any

from airflow_provider_batchdl.emulator.apis.revenuebase import Revenuebase
from airflow_provider_batchdl.emulator.exchange import BadBodyError, Call, Reply

FLAG_PARAMETER = [{"name": "metadata", "in": "query", "schema": {"type": "boolean", "default": False}}]
UPLOAD_SPEC: dict[str, Any] = {
    "parameters": FLAG_PARAMETER,
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["requested_file"],
                    "properties": {"requested_file": {"type": "string", "format": "binary"}},
                }
            }
        },
    },
}


def json_body(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """Return the OpenAPI fields of an operation with a JSON object as its body."""
    schema = {"type": "object", "properties": properties, "required": required}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


async def body_of(api: Revenuebase, call: Call) -> dict[str, Any] | Reply:
    """Return the JSON object of a request, or FastAPI's 422 about it."""
    try:
        return await call.json_object()
    except BadBodyError as problem:
        return api.invalid((("body",), str(problem), "model_attributes_type", None))


def charge(api: Revenuebase, credits: int) -> None:
    """Take credits from the account, down to nothing."""
    with api.world.lock:
        left = api.world.settle("revenuebase") - credits
        api.world.accounts.credits["revenuebase"] = max(0, left)
