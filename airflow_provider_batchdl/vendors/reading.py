"""Reading what vendors send: members of JSON that may be missing, or of another type than documented.

No error here quotes the value: it becomes a cause, whose words no redactor sees.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from airflow_provider_batchdl._redaction.redactor import beginning, redact
from airflow_provider_batchdl._values.storable import DEEPEST, bounded_text, is_deep
from airflow_provider_batchdl.exceptions import UnexpectedResponseError
from airflow_provider_batchdl.vendors.states import fold

__all__ = ["as_cursor", "as_id", "as_int", "as_list", "as_size", "as_text", "as_token", "as_word"]

# What readers raise over an item that is none.
UNREADABLE = (UnexpectedResponseError, AttributeError, LookupError, TypeError, ValueError)
# Characters. An id goes into URLs, XCom and the database.
LONGEST_ID = 2_000
# U+FFFD stands for bytes that are no UTF-8: the id was another.
_NO_ID = re.compile(r"[\x00-\x1f\x7f\ufffd\ud800-\udfff]")
# An id of these was none to begin with, or leads to another path; users' arguments are read alike.
_NOTHING = ("", ".", "..", "none", "null", "undefined")
_PLAIN_ID = re.compile(r"[\w.:-]{1,100}", re.ASCII)
# A text, to its end or to the body's, or what opens or closes a level.
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def parsed(content: bytes) -> Any:
    """The JSON in an answer's body, of which one odd member does not make all others unreadable.

    Bytes that are no UTF-8 become U+FFFD, control characters in a text stay, a number of more digits than Python
    reads becomes infinity, and what lies deeper than ``DEEPEST`` levels null, for the reader of that member to refuse.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        value = _loaded(content)
    except RecursionError:
        value = None
    else:
        if not is_deep(value):
            return value
    return _loaded(_flattened(content.decode(json.detect_encoding(content), "replace")).encode())


def _flattened(text: str) -> str:
    """JSON with null in the place of each list and object that lies deeper than ``DEEPEST`` levels."""
    pieces: list[str] = []
    depth, rest = 0, 0
    for found in _STRUCTURE.finditer(text):
        sign = found[0]
        if sign in ("[", "{"):
            depth += 1
            if depth == DEEPEST + 1:
                pieces += (text[rest : found.start()], "null")
        elif sign in ("]", "}"):
            if depth == DEEPEST + 1:
                rest = found.end()
            depth -= 1
    if depth > DEEPEST:
        raise ValueError("it ends within a list or an object")
    return "".join(pieces) + text[rest:]


def _loaded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        text = content.decode("utf-8-sig", "replace")
        return json.loads(
            text, strict=False, parse_int=lambda digits: (int if len(digits) < LONGEST_ID else float)(digits)
        )


def as_id(value: Any) -> str:
    """A vendor's id of a job, as text without blanks around it.

    Raises:
        TypeError: it is none: of another type, empty, far too long, or with characters that no id can have (U+0000,
            lone surrogates, line breaks and other control characters), of blanks or ``null``, and that nothing could be
            asked for by; or it has a secret in it, as a signed URL does, while ids go into events, XCom and logs.
    """
    found = as_token(value).strip()
    if found.lower() in _NOTHING:
        raise TypeError("a text that names nothing is no id")
    if has_secret(found):
        raise TypeError("a text with a secret in it is no id")
    return found


def has_secret(found: str) -> bool:
    """True if an id has a secret in it, as a signed URL does."""
    return not _PLAIN_ID.fullmatch(found) and redact(found) != found


def as_token(value: Any) -> str:
    """An opaque token of the vendor's, as text: a file's id, or the cursor of a list.

    Raises:
        TypeError: it is none, as for :func:`as_id`; it may be secret.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)  # some encoders write 129.0
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
        TypeError: it is no text, or one without a letter: ``null`` is no state of a job, nor is ``--``.
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
    """Cursor of a list's next page, None on the last.

    Raises:
        TypeError: it is neither text nor a number.
    """
    return None if value is None or value == "" else as_token(value)


def unwrapped(body: Any, id_member: str) -> Any:
    """``body`` with the members of the object in its ``data`` or ``result``, where it has no id of its own.

    Third parties show Proofy's single results in such a wrapper; it stays itself, and so do the other members.
    """
    if isinstance(body, dict) and id_member not in body:
        for name in ("data", "result"):
            if isinstance(body.get(name), dict):
                return {**body, **body[name], name: body[name]}
    return body


def as_text(value: Any) -> str | None:
    """The vendor's message about a job, None where there is none.

    It may end up in XCom, so it is redacted, made storable, and cut where it is very long.
    """
    if value is None or value in ("", [], {}):
        return None
    try:
        text = value if isinstance(value, str) else json.dumps(value)
    except RecursionError:
        return None
    return bounded_text(beginning(text))


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
