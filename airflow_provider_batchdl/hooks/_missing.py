"""Errors for connections that Airflow does not find or cannot read, with the cause if the environment shows it."""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_batchdl.exceptions import InvalidConnectionError
from airflow_provider_batchdl.vendors.extras import BadExtraError, read_extra

_VARIABLE = "AIRFLOW_CONN_"
_MEMBERS = ("conn_type", "description", "host", "login", "password", "schema", "port", "extra", "uri")


def unreadable(conn_id: str, error: Exception) -> InvalidConnectionError:
    """The typed error for a connection that Airflow cannot read, without its message, which may quote secrets."""
    name = f"{_VARIABLE}{conn_id.upper()}"
    text = os.environ.get(name, "").strip()
    problem = _problem_of(text) if text else None
    if problem is not None:
        return InvalidConnectionError(
            f"Airflow connection {conn_id!r} cannot be read: the environment variable {name} {problem}.",
            conn_id=conn_id,
            remedy='Write it as JSON: {"conn_type": "…", "password": "…", "extra": {…}}.',
        )
    return InvalidConnectionError(
        f"Airflow does not find the connection {conn_id!r} ({type(error).__name__}).",
        conn_id=conn_id,
        remedy=f"Create it, or correct the id; if a secrets backend or {name} has it, check that it can be read here.",
        retryable=True,  # Airflow raises the same for a secrets backend that does not respond
    )


def _problem_of(text: str) -> str | None:
    """Description of the error in a connection's text; None if Airflow should be able to read it."""
    if not text.startswith("{"):
        return _problem_of_uri(text)
    try:
        members = json.loads(text)
    except json.JSONDecodeError as error:
        return f"is no JSON: {error.msg}, at line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError):
        return "is no JSON"
    return _problem_of_members(members)


def _problem_of_members(members: dict[str, Any]) -> str | None:
    unknown = sorted(name for name in members if name not in _MEMBERS)
    if unknown:
        return f"has a member {unknown[0]!r}, and there are only {', '.join(_MEMBERS)}"
    try:
        int(members.get("port") or 0)
    except (TypeError, ValueError):
        return "has a port that is no number"
    extra = members.get("extra")
    try:
        read_extra(extra if isinstance(extra, str | dict) or not extra else json.dumps(extra))
    except BadExtraError as error:
        return f"has an extra that {error}"
    return None


def _problem_of_uri(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return "is neither JSON nor a URI"
    if not parts.scheme or "://" not in text:
        return "is neither JSON nor a URI"
    if "://" in text.partition("?")[2]:
        return "is a URI with '://' in its query, where that is written %3A%2F%2F"
    if text.count("://") > 2 or ("://" in text.partition("://")[2].partition("@")[2]):
        return "is a URI whose host has a scheme in it, which belongs behind the type: proofy://https://, then the rest"
    return None
