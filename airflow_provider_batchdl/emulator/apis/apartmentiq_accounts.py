"""ApartmentIQ's token endpoint, account list, quota and paging (vendor's documentation)."""

from __future__ import annotations

import hmac
import math
from typing import TYPE_CHECKING, Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from airflow_provider_batchdl.emulator.accounts import TOKEN_SECONDS
from airflow_provider_batchdl.emulator.exchange import BadBodyError, Call, Endpoint, Reply, json_reply

if TYPE_CHECKING:
    from airflow_provider_batchdl.emulator.apis.apartmentiq import ApartmentIQ

_MAX_PAGE = 100
_MAX_DIGITS = 9
_ACCOUNTS = [{"id": 42, "name": "Acme Properties"}]
_WHOLE = {"type": "integer", "minimum": 1}
PAGE_SPEC = {
    "parameters": [
        {"name": "page", "in": "query", "schema": _WHOLE},
        {"name": "per_page", "in": "query", "schema": {**_WHOLE, "maximum": _MAX_PAGE}},
    ]
}
_TOKEN_FIELDS = ("grant_type", "client_id", "client_secret")
_TOKEN_SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in _TOKEN_FIELDS},
    "required": list(_TOKEN_FIELDS),
}
_TOKEN_SPEC = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": _TOKEN_SCHEMA} for kind in ("application/json", "application/x-www-form-urlencoded")
        },
    }
}
_QUOTA_SPEC = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"account_id": {"type": "integer"}},
                    "required": ["account_id"],
                }
            }
        },
    }
}


def page_of(api: ApartmentIQ, call: Call, name: str, items: list[dict[str, Any]]) -> Reply:
    """Return one page of a list, with the documented pagination object; bad numbers are a 400 (an inference)."""
    page, size = _number(call.query.get("page", "1")), _number(call.query.get("per_page", "50"))
    if page < 1:
        return api.error(400, "page must be a positive integer")
    if not 1 <= size <= _MAX_PAGE:
        return api.error(400, f"per_page must be between 1 and {_MAX_PAGE}")
    pagination = {
        "current_page": page,
        "total_pages": max(1, math.ceil(len(items) / size)),
        "total_count": len(items),
        "per_page": size,
    }
    return json_reply(200, {name: items[(page - 1) * size : page * size], "pagination": pagination})


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else 0


async def _token_request(call: Call) -> dict[str, Any]:
    """Return the fields of a token request, which may be a form or JSON."""
    if call.is_json:
        return await call.json_object()
    try:
        form = await call.request.form()
    except (HTTPException, AssertionError, ValueError, KeyError):
        raise BadBodyError("the form cannot be read") from None
    fields = {name: value for name, value in form.items() if not isinstance(value, UploadFile)}
    await form.close()
    return dict(fields)


def _refused(status: int, error: str, description: str) -> Reply:
    """Return an OAuth error (RFC 6749, section 5.2); that the vendor follows it to the letter is an inference."""
    return json_reply(status, {"error": error, "error_description": description})


def endpoints(api: ApartmentIQ, base: str) -> list[Endpoint]:
    """Return the routes."""

    async def token(call: Call) -> Reply:
        try:
            fields = await _token_request(call)
        except BadBodyError as problem:
            return _refused(400, "invalid_request", str(problem))
        if fields.get("grant_type") != "client_credentials":
            missing = "grant_type" not in fields
            return _refused(400, "invalid_request" if missing else "unsupported_grant_type", "grant_type")
        account = api.world.accounts.credentials[api.vendor]
        given = "\n".join(str(fields.get(name)) for name in ("client_id", "client_secret"))
        if not hmac.compare_digest(given.encode(errors="replace"), f"{account.login}\n{account.password}".encode()):
            return _refused(401, "invalid_client", "Client authentication failed")
        now = api.world.clock.time()
        with api.world.lock:
            issued = api.world.accounts.issue_token(now)
        answer = {"access_token": issued, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return json_reply(200, {**answer, "scope": "api", "created_at": int(now)})

    async def listing(call: Call) -> Reply:
        return page_of(api, call, "data", _ACCOUNTS)

    async def quota(call: Call) -> Reply:
        try:
            body = await call.json_object()
        except BadBodyError as problem:
            return api.error(400, str(problem), "Bad Request")
        if not isinstance(body.get("account_id"), int):
            return api.error(400, "account_id is required")
        used = 5001 if api.world.accounts.quota_exceeded.get(api.vendor) else 120
        counts = {"requested_records": 0, "new_records": 0, "prev_records": 0, "expected_new_consumed_quota": used}
        return json_reply(200, {"total_quota": 5000, "consumed_quota": used, **counts})

    return [
        Endpoint("token", "POST", "/oauth/token", token, _TOKEN_SPEC, open=True),
        Endpoint("check", "GET", f"{base}/v1/accounts", listing, PAGE_SPEC),
        Endpoint("balance", "POST", f"{base}/v2/properties/bulk/quota_impact", quota, _QUOTA_SPEC),
    ]
