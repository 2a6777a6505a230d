"""Pointers as a document names them: one, or several of which the first that finds something counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from airflow_provider_batchdl.vendors.declared.calls import Pointers
from airflow_provider_batchdl.vendors.pointers import unescaped, value_at

LONGEST = 500
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")


def is_pointer(text: str) -> bool:
    """True if ``text`` is a pointer (RFC 6901, section 3)."""
    return len(text) <= LONGEST and _POINTER.fullmatch(text) is not None


def several(pointers: Pointers | None) -> tuple[str, ...]:
    """The pointers that a member of a document names."""
    return () if pointers is None else (pointers,) if isinstance(pointers, str) else pointers


def find(document: Any, pointers: Pointers | None) -> Any:
    """The first value that one of the pointers finds in ``document``; None if there is none.

    An empty text is no value: many APIs write it for the id of a file that there is not, where others write null.
    """
    for pointer in several(pointers):
        value = value_at(document, pointer)
        if value is not None and value != "":
            return value
    return None


def texts_in(value: Any) -> Iterator[str]:
    """The texts in a value, itself one or with some in it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts_in(each)


def is_null(document: Any, pointer: str) -> bool:
    """True if ``pointer`` leads to a null, and not to nothing."""
    head, _, last = pointer.rpartition("/")
    parent = value_at(document, head)
    name = unescaped(last)
    return bool(pointer) and isinstance(parent, dict) and name in parent and parent[name] is None
