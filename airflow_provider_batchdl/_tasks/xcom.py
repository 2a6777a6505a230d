"""Check of a result for XCom: refuses what Airflow would store as something else, or fail to store.

Airflow pushes a task's return value after the task's own code: a failure there is not typed, is retried although that
is pointless, and does not mention a destination.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl._values.storable import DEEPEST, is_deep, is_storable_text, place_in, storable_number
from airflow_provider_batchdl.exceptions import UnstorableResultError

SHOWN = 80
_HALF = "U+0000 or half of a surrogate pair"
_UNSTORABLE: Mapping[str, Callable[[Any], bool]] = {
    "NaN or an infinity": lambda each: isinstance(each, float) and not math.isfinite(each),
    "a whole number beyond 64 bits": lambda each: isinstance(each, int) and storable_number(each) is None,
    f"{_HALF} in a name": lambda each: isinstance(each, dict) and not all(map(is_storable_text, each)),
    f"{_HALF} in a text": lambda each: isinstance(each, str) and not is_storable_text(each),
    # Names of Airflow's serde: it refuses two (`airflow.sdk.serde.serialize`), and reads both others as a value.
    "a member __classname__": lambda each: isinstance(each, dict) and "__classname__" in each,
    "a member __id__": lambda each: isinstance(each, dict) and "__id__" in each,
    "a member __type and __var": lambda each: isinstance(each, dict) and {"__type", "__var"} <= each.keys(),
}


def storable_result(value: object, *, vendor: str, job_id: str) -> object:
    """Return ``value`` if Airflow can store and return it unchanged."""
    places = ((what, place_in(value, is_odd)) for what, is_odd in _UNSTORABLE.items())
    found = [(what, where) for what, where in places if where is not None]
    if is_deep(value):
        found = [(f"more than {DEEPEST} levels of nesting", "")]
    if not found:
        return value
    what, where = found[0]
    raise UnstorableResultError(
        f"The result has {what}{f' at {excerpt(where, SHOWN)}' if where else ''}, which Airflow cannot store.",
        vendor=vendor,
        job_id=job_id,
    )
