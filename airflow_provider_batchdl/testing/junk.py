"""Answers that make no sense, and good ones with something wrong in them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

PAGE_OF_HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Welcome</body></html>"

# Bodies of a 200 that are nothing that a vendor documents.
BODIES: tuple[Any, ...] = (
    b"", b"not json", b"\xff\xfe\x00", b"[" * 5_000, b"1e999", b'{"id": 1' , PAGE_OF_HTML, None, True, 5, "text", [],
    {}, [None], [[]], {"id": None}, {"status": None}, {"data": []}, {"jobs": None}, {"error": "no such thing"},
    {"error": True, "message": "The key is wrong."}, {"success": False, "message": "Try again later."},
    {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}], "data": None},
)  # fmt: skip

# Values in the place of a member.
VALUES: tuple[Any, ...] = (
    None, True, False, 7, -1, 1.5, float("inf"), 10**400, "", "x", "\ud800", "a\x00b", "x" * 3_000, [], {}, [None],
    {"a": 1},
)  # fmt: skip

# Values in the place of a job's id, none of which is one.
NO_IDS: tuple[Any, ...] = (None, True, False, 1.5, "", [], {}, "a\nb", "\ud800", "x" * 3_000)

Path = tuple[str | int, ...]


def places(body: Any, path: Path = ()) -> Iterator[Path]:
    """Paths of all members of a JSON value, from the outside in; of a list, those of its first item."""
    items: list[tuple[str | int, Any]] = []
    if isinstance(body, dict):
        items = list(body.items())
    elif isinstance(body, list):
        items = list(enumerate(body[:1]))
    for name, _ in items:
        yield (*path, name)
    for name, value in items:
        yield from places(value, (*path, name))


def at(body: Any, path: Path) -> Any:
    """The member at a path."""
    for step in path:
        body = body[step]
    return body


def replaced(body: Any, path: Path, value: Any) -> Any:
    """A copy of a JSON value with another value at a path."""
    changed = copy.deepcopy(body)
    at(changed, path[:-1])[path[-1]] = value
    return changed


def without(body: Any, path: Path) -> Any:
    """A copy of a JSON value without the member at a path."""
    changed = copy.deepcopy(body)
    del at(changed, path[:-1])[path[-1]]
    return changed


def words(path: Path) -> str:
    """A path for people: ``/jobs/0/id``."""
    return "".join(f"/{step}" for step in path)
