"""Running state as small JSON and back, each value checked on its way back.

What is read back was stored elsewhere in between: it may be damaged, another version's, or not ours at all.
"""

from __future__ import annotations

from typing import Any

LARGEST_COUNT = 2**63 - 1


def exactly(state: object, names: set[str]) -> dict[str, Any]:
    """`state`, which is an object of exactly these members. Raises ValueError where it is not."""
    if not isinstance(state, dict) or set(state) != names:
        raise ValueError(f"not an object of {sorted(names)}")
    return state


def count(value: object) -> int:
    """`value`, which is a whole number from 0 on. Raises ValueError where it is not."""
    # `type`, since True is an int too.
    if type(value) is int and 0 <= value <= LARGEST_COUNT:
        return value
    raise ValueError("not a count")


def raw(value: object, size: int) -> bytes:
    """The bytes that `value` writes in hex, which are `size`. Raises ValueError where they are not."""
    data = bytes.fromhex(value) if isinstance(value, str) else None
    if data is None or len(data) != size:
        raise ValueError(f"not {size} bytes in hex")
    return data
