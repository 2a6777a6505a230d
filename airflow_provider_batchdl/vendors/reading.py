"""Reading what vendors send: members of JSON that may be missing, or of another type than documented."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_batchdl.redaction import redact


def as_id(value: Any) -> str:
    """A vendor's id, as text.

    Raises:
        TypeError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise TypeError(f"{value!r} is no id")
    return str(value)


def as_text(value: Any) -> str | None:
    """What the vendor says about a job, None where it says nothing. It may end up in XCom, so it is redacted."""
    if value is None or value in ("", [], {}):
        return None
    return redact(value if isinstance(value, str) else json.dumps(value))


def as_int(value: Any) -> int:
    """A whole number.

    Raises:
        TypeError: it is no number.
        ValueError: it is no finite one.
    """
    try:
        return int(value)
    except OverflowError as error:  # JSON knows 1e999
        raise ValueError(f"{value!r} is no whole number") from error


def as_size(value: Any) -> int | None:
    """A size or a part's number, None where it is missing or makes no sense."""
    try:
        number = as_int(value)
    except (TypeError, ValueError):
        return None
    return number if number >= 0 and not isinstance(value, bool) else None
