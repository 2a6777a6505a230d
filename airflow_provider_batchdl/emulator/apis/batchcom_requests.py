"""Checks of Batch.com's export requests, how it shows them, and the profiles of their results."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, BinaryIO

from airflow_provider_batchdl.emulator.results import Recipe
from airflow_provider_batchdl.emulator.rows import MEDIA_TYPES

PROFILES = 500
"""Profiles in the emulated project."""

EXPORT_TYPES = ("ATTRIBUTES", "EVENTS", "REACHABILITY")
"""``ATTRIBUTES`` is the vendor's; the other two words are a third party's."""

LOOKBACK_DAYS = 90
"""Events older than this are refused (vendor's documentation)."""

_REGIONS = ("FR", "US", "DE", "GB", "JP")


def problem_of(body: dict[str, Any], now: float) -> tuple[str, str] | None:
    """Return the error message and code for a body that creates no export, or ``None``.

    Args:
        body: the request.
        now: Unix time in seconds.
    """
    kind = body.get("export_type")
    if kind is None:
        return "export_type is missing", "MISSING_PARAMETER"
    if kind not in EXPORT_TYPES:
        return f"export_type must be one of {', '.join(EXPORT_TYPES)}", "MALFORMED_PARAMETER"
    for name in ("attributes", "identifiers"):
        names = body.get(name, [])
        if not isinstance(names, list) or not all(isinstance(value, str) for value in names):
            return f"{name} must be a list of names", "MALFORMED_PARAMETER"
    if kind == "ATTRIBUTES" and not (body.get("attributes") or body.get("identifiers")):
        return "at least one of attributes and identifiers is needed", "MISSING_PARAMETER"
    if not isinstance(body.get("filter", {}), dict):
        return "filter must be an object", "MALFORMED_PARAMETER"
    return _period_problem(body.get("from"), now) if kind != "ATTRIBUTES" else None


def _period_problem(since: Any, now: float) -> tuple[str, str] | None:
    """Check the start of an event export; the field's name and form are inferences."""
    if since is None:
        return None
    try:
        moment = datetime.fromisoformat(str(since))
    except ValueError:
        return "from must be a date", "MALFORMED_PARAMETER"
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if (datetime.fromtimestamp(now, UTC) - moment).days > LOOKBACK_DAYS:
        return f"from is more than {LOOKBACK_DAYS} days ago", "MALFORMED_PARAMETER"
    return None


def recipe_for(body: dict[str, Any], seed: int) -> Recipe:
    """Return the recipe of an export's file: one JSON object per line (third party; the vendor says "JSON file")."""

    def write(file: BinaryIO, revision: int, share: float) -> None:
        for number in range(int(PROFILES * share)):
            profile = _profile(number, body, seed, revision)
            file.write(json.dumps(profile, separators=(",", ":"), ensure_ascii=False).encode(errors="replace") + b"\n")

    return Recipe(MEDIA_TYPES["jsonl"], write)


def _profile(number: int, body: dict[str, Any], seed: int, revision: int) -> dict[str, Any]:
    digest = hashlib.sha256(f"{seed}:{revision}:{number}".encode()).hexdigest()
    known = {
        "$email_address": f"user{number}.{digest[:6]}@example.com",
        "$region": _REGIONS[int(digest[:2], 16) % len(_REGIONS)],
        "custom_id": f"customer-{number:06d}",
        "installation_ids": [digest[:32]],
    }
    identifiers = body.get("identifiers") or ["custom_id"]
    profile: dict[str, Any] = {"identifiers": {name: known.get(name, digest[:12]) for name in identifiers}}
    if attributes := body.get("attributes"):
        profile["attributes"] = {name: known.get(name, digest[:8]) for name in attributes}
    if body["export_type"] != "ATTRIBUTES":
        profile["event"] = {"name": body["export_type"].lower(), "id": digest[:16]}
    return profile


def in_own_order(value: Any) -> Any:
    """Return ``value`` with the members of its objects and the items of its lists in an order made of themselves.

    It is the same for every order in which they were sent, and another than the one that they were sent in, as in the
    vendor's example pages.
    """
    if isinstance(value, dict):
        return {name: in_own_order(value[name]) for name in sorted(value, key=_rank)}
    if not isinstance(value, list):
        return value
    items = [in_own_order(item) for item in value]
    ranked = sorted(items, key=_rank)
    return ranked if ranked != items else ranked[::-1]


def _rank(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode(errors="replace")).hexdigest()
