"""The token request of OAuth 2.0 client credentials (RFC 6749, sections 4.4 and 5.2)."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Any

from airflow_provider_batchdl.emulator.exchange import BadBodyError, Call, Reply, json_reply
from airflow_provider_batchdl.emulator.uploads import form_of

_FIELDS = ("grant_type", "client_id", "client_secret")
_SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in _FIELDS},
    "required": list(_FIELDS),
}
TOKEN_SPEC = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": _SCHEMA} for kind in ("application/json", "application/x-www-form-urlencoded")},
    }
}


async def refusal_of_client(call: Call, vendor: str, *, refused_status: int) -> Reply | None:
    """Return the OAuth error for a token request, or ``None`` for one that gets a token.

    The client's credentials come in the body, or as Basic authentication (section 2.3.1). That a vendor follows the
    RFC to the letter is an inference.

    Args:
        call: the request.
        vendor: whose account it is about.
        refused_status: HTTP status for wrong credentials.
    """
    try:
        fields = {**await _fields_of(call), **_basic(call.header("authorization"))}
    except BadBodyError as problem:
        return _refused(400, "invalid_request", str(problem))
    if fields.get("grant_type") != "client_credentials":
        missing = "grant_type" not in fields
        return _refused(400, "invalid_request" if missing else "unsupported_grant_type", "grant_type")
    account = call.world.accounts.credentials[vendor]
    given = "\n".join(str(fields.get(name)) for name in ("client_id", "client_secret"))
    if hmac.compare_digest(given.encode(errors="replace"), f"{account.login}\n{account.password}".encode()):
        return None
    return _refused(refused_status, "invalid_client", "Client authentication failed")


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


def _refused(status: int, error: str, description: str) -> Reply:
    return json_reply(status, {"error": error, "error_description": description})
