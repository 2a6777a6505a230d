"""Reading what vendors send: members of JSON that may be missing, or of another type than documented.

No error here quotes the value: it becomes a cause, whose words no redactor sees.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from airflow_provider_batchdl.redaction import redact
from airflow_provider_batchdl.storable import storable_text

# Characters. An id goes into URLs, XCom and the database.
LONGEST_ID = 2_000
_NO_ID = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def as_id(value: Any) -> str:
    """A vendor's id, as text.

    Raises:
        TypeError: it is none: of another type, empty, far too long, or with characters that no id can have (U+0000,
            lone surrogates, line breaks and other control characters), and that nothing could be asked for by.
    """
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise TypeError(f"{type(value).__name__} is no id")
    if isinstance(value, int):
        if abs(value) >= 10**LONGEST_ID:
            raise TypeError("a number of so many digits is no id")
        return str(value)
    if len(value) > LONGEST_ID or _NO_ID.search(value):
        raise TypeError("a text that is far too long or has control characters is no id")
    return value


def as_word(value: Any) -> str:
    """A vendor's word for a state.

    Raises:
        TypeError: it is no text, or blank: ``null`` says nothing about a job.
    """
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"{type(value).__name__} is no state" if value != "" else "an empty text is no state")
    return value


def as_list(value: Any) -> list[Any]:
    """A list.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, list):
        raise TypeError(f"{type(value).__name__} is no list")
    return value


def as_cursor(value: Any) -> str | None:
    """Where a list goes on, None where it does not.

    Raises:
        TypeError: it is neither text nor a number.
    """
    return None if value is None or value == "" else as_id(value)


def unwrapped(body: Any, id_member: str) -> Any:
    """``body`` with the members of the object in its ``data`` or ``result``, where it has no id of its own.

    Third parties show Proofy's single results in such a wrapper; what else the wrapper says stays.
    """
    if isinstance(body, dict) and id_member not in body:
        for name in ("data", "result"):
            if isinstance(body.get(name), dict):
                return {**body, **body[name]}
    return body


def as_text(value: Any) -> str | None:
    """What the vendor says about a job, None where it says nothing.

    It may end up in XCom, so it is redacted and made storable.
    """
    if value is None or value in ("", [], {}):
        return None
    return storable_text(redact(value if isinstance(value, str) else json.dumps(value)))


def as_int(value: Any) -> int:
    """A whole number.

    Raises:
        TypeError: it is no number.
        ValueError: it is no finite one.
    """
    number: int | None = None
    with suppress(OverflowError, ValueError):  # JSON knows 1e999
        number = int(value)
    if number is None:
        raise ValueError("it is no whole number")
    return number


def as_size(value: Any) -> int | None:
    """A size or a part's number, None where it is missing or makes no sense."""
    try:
        number = as_int(value)
    except (TypeError, ValueError):
        return None
    return number if number >= 0 and not isinstance(value, bool) else None
