"""Reading what vendors send: members of JSON that may be missing, or of another type than documented.

No error here quotes the value: it becomes a cause, whose words no redactor sees.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from airflow_provider_batchdl.redaction import LONGEST_TEXT, redact
from airflow_provider_batchdl.storable import bounded_text
from airflow_provider_batchdl.vendors.states import fold

# Characters. An id goes into URLs, XCom and the database.
LONGEST_ID = 2_000
_NO_ID = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def parsed(content: bytes) -> Any:
    """The JSON in an answer's body, of which one odd member does not make all others unreadable.

    Bytes that are no UTF-8 become U+FFFD, control characters in a text stay, and a number of more digits than Python
    reads becomes infinity, for the reader of that member to refuse.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested too deeply.
    """
    try:
        return json.loads(content)
    except ValueError:
        text = content.decode("utf-8-sig", "replace")
        return json.loads(
            text, strict=False, parse_int=lambda digits: (int if len(digits) < LONGEST_ID else float)(digits)
        )


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
        TypeError: it is no text, or one without a letter: ``null`` says nothing about a job, nor does ``--``.
    """
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is no state")
    if not fold(value):
        raise TypeError("an empty text is no state")
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

    It may end up in XCom, so it is redacted, made storable, and cut where it is very long.
    """
    if value is None or value in ("", [], {}):
        return None
    try:
        text = value if isinstance(value, str) else json.dumps(value)
    except RecursionError:
        return None
    return bounded_text(redact(text[:LONGEST_TEXT]))


def as_int(value: Any) -> int:
    """A whole number; of one with a fraction, what stands before the point.

    Raises:
        TypeError: it is no number.
        ValueError: it is no finite one.
    """
    if isinstance(value, bool):
        raise TypeError("bool is no number")
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
    whole = not isinstance(value, float) or value == number
    return number if whole and number >= 0 else None
