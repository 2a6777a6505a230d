"""JSON pointers (RFC 6901): where in an answer a value is."""

from __future__ import annotations

from typing import Any


def value_at(value: Any, pointer: str) -> Any:
    """The value at a pointer; None where there is none."""
    for part in pointer.split("/")[1:]:
        name = unescaped(part)
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list):
            is_index = name.isascii() and name.isdigit() and (name == "0" or name[0] != "0") and len(name) < 10
            value = value[int(name)] if is_index and int(name) < len(value) else None
        else:
            return None
    return value


def unescaped(part: str) -> str:
    """The name that a part of a pointer stands for (RFC 6901, section 4)."""
    return part.replace("~1", "/").replace("~0", "~")
