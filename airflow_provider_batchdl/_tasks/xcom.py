"""Check of a result for XCom: refuses what Airflow would store as something else, or fail to store.

Airflow pushes a task's return value after the task's own code: a failure there is not typed, is retried although that
is pointless, and does not mention a destination.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl._values.storable import DEEPEST, is_storable_text, storable_number
from airflow_provider_batchdl.exceptions import UnstorableResultError

# Names that Airflow's serde reserves: it refuses the first two (`airflow.sdk.serde.serialize`), and reads an object
# with both of the last two as another value.
_RESERVED = ("__classname__", "__id__")
_OLD = ("__type", "__var")
SHOWN = 80


def storable_result(value: object, *, vendor: str, job_id: str) -> object:
    """Return ``value`` if Airflow can store and return it unchanged."""
    found = _unstorable(value, 0)
    if found is None:
        return value
    what, where = found
    place = excerpt("".join(reversed(where)), SHOWN)
    raise UnstorableResultError(
        f"The result has {what}{f' at {place}' if place else ''}, which Airflow cannot store.",
        vendor=vendor,
        job_id=job_id,
    )


def _unstorable(value: object, depth: int) -> tuple[str, list[str]] | None:
    """Description of the first value that cannot be stored, and the path to it, innermost step first."""
    if isinstance(value, str):
        return None if is_storable_text(value) else ("U+0000 or half of a surrogate pair in a text", [])
    if isinstance(value, float):
        return None if math.isfinite(value) else ("NaN or an infinity", [])
    if isinstance(value, int):
        return None if storable_number(value) is not None else ("a whole number beyond 64 bits", [])
    if not isinstance(value, dict | list):
        return None
    if depth >= DEEPEST:
        return f"more than {DEEPEST} levels of nesting", []
    if isinstance(value, dict) and (words := _odd_name(value)):
        return words, []
    steps: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for step, member in steps:
        found = _unstorable(member, depth + 1)
        if found is not None:
            words, where = found
            return words, [*where[-10:], f"[{step!r}]"]
    return None


def _odd_name(members: Mapping[str, object]) -> str | None:
    if not all(map(is_storable_text, members)):
        return "U+0000 or half of a surrogate pair in a name"
    name = next((name for name in _RESERVED if name in members), None)
    if name is None and all(name in members for name in _OLD):
        name = " and ".join(_OLD)
    return name and f"a member {name}"
