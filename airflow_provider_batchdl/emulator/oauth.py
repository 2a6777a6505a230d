"""The token request of OAuth 2.0 client credentials (RFC 6749, sections 4.4 and 5.2)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from airflow_provider_batchdl.emulator.exchange import BadBodyError, Call, RefusedError, json_reply
from airflow_provider_batchdl.emulator.openapi import TEXT, body
from airflow_provider_batchdl.emulator.uploads import form_of

TOKEN_SPEC = body(
    dict.fromkeys(("grant_type", "client_id", "client_secret"), TEXT),
    None,
    "application/json",
    "application/x-www-form-urlencoded",
)


async def token_for_client(call: Call, vendor: str, *, refused_status: int) -> str:
    """Return a new token for a client's credentials in the body, or as Basic authentication (section 2.3.1).

    That a vendor follows the RFC to the letter is an inference.

    Args:
        call: the request.
        vendor: whose account it is about.
        refused_status: HTTP status for wrong credentials.

    Raises:
        RefusedError: with the OAuth error.
    """
    try:
        fields = {**await _fields_of(call), **_basic(call.header("authorization"))}
    except BadBodyError as problem:
        raise _refusal(400, "invalid_request", str(problem)) from None
    if fields.get("grant_type") != "client_credentials":
        missing = "grant_type" not in fields
        raise _refusal(400, "invalid_request" if missing else "unsupported_grant_type", "grant_type")
    world = call.world
    account = world.accounts.credentials[vendor]
    if (fields.get("client_id"), fields.get("client_secret")) != (account.login, account.password):
        raise _refusal(refused_status, "invalid_client", "Client authentication failed")
    with world.lock:
        return world.accounts.issue_token(vendor, world.clock.time())


async def _fields_of(call: Call) -> dict[str, Any]:
    """Return the fields of a token request, which may be a form or JSON."""
    if call.is_json:
        return await call.json_object()
    async with form_of(call) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def _basic(header: str) -> dict[str, str]:
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        login, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError):
        return {}
    return {"client_id": login, "client_secret": password}


def _refusal(status: int, error: str, description: str) -> RefusedError:
    return RefusedError(json_reply(status, {"error": error, "error_description": description}))
