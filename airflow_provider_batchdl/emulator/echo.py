"""The request of a job, as a vendor shows it: in an order of its own, as Batch.com's example pages do."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def in_own_order(value: Any) -> Any:
    """Return ``value`` with the members of its objects and the items of its lists in an order made of themselves.

    It is the same for every order in which they were sent, and another than the one that they were sent in.
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
