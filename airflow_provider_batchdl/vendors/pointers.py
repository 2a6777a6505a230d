"""JSON pointers (RFC 6901): where in an answer a value is."""

from __future__ import annotations

from typing import Any


def value_at(value: Any, pointer: str, default: Any = None) -> Any:
    """The value at a pointer; ``default`` where there is none."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        is_index = name.isascii() and name.isdigit() and (name == "0" or name[0] != "0") and len(name) < 10
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and is_index and int(name) < len(value):
            value = value[int(name)]
        else:
            return default
    return value


def several(pointers: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """The pointers that a member of a document names."""
    return () if pointers is None else (pointers,) if isinstance(pointers, str) else pointers


def find(document: Any, pointers: str | tuple[str, ...] | None) -> Any:
    """The first value that one of the pointers finds in ``document``; None if there is none.

    An empty text is no value: many APIs write it for the id of a file that there is not, where others write null.
    """
    found = (value_at(document, pointer) for pointer in several(pointers))
    return next((value for value in found if value is not None and value != ""), None)
