"""ApartmentIQ's paging (vendor's documentation)."""

from __future__ import annotations

import math
from typing import Any

from airflow_provider_batchdl.emulator.exchange import Api, Call, Reply, json_reply

_MAX_PAGE = 100
_MAX_DIGITS = 9
_WHOLE = {"type": "integer", "minimum": 1}
PAGE_SPEC = {
    "parameters": [
        {"name": "page", "in": "query", "schema": _WHOLE},
        {"name": "per_page", "in": "query", "schema": {**_WHOLE, "maximum": _MAX_PAGE}},
    ]
}


def page_of(api: Api, call: Call, name: str, items: list[dict[str, Any]]) -> Reply:
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
