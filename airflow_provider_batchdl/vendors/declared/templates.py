"""Texts with holes: ``/jobs/{job.id}``. A hole names one of a fixed list of values; there are no expressions.

A brace that is not around a name (``{ id }``) is a brace, so that GraphQL can stand in a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from airflow_provider_batchdl._values.storable import texts
from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.vendors.pointers import find

_HOLE = re.compile(r"\{(\+?[A-Za-z_]+(?:\.[A-Za-z0-9_-]+)*|/[^{}]*)\}")
# What was to be a hole, and is none: ``{{ job.id }}``, ``${job.id}``, ``{request[words]}``. GraphQL has no such braces.
NO_HOLE = re.compile(r"\{\{|\{%|\$\{\w|\{(?![\w.-]+\})\s*(?:job|file|request|extra|step)(?:\.\w|\[)")
# Holes that name a member: `{request.NAME}`.
OPEN = ("request", "extra", "step")


class Values(dict[str, Any]):
    """The values of holes: by name, by group (``request``, ``extra``, ``step``), and ``answer``, for pointers."""

    def __repr__(self) -> str:  # there are secrets among them
        return f"Values of {', '.join(self)}"

    def of(self, hole: str) -> Any:
        """The value of a hole; None if it has none."""
        if hole.startswith("/"):
            return find(self.get("answer"), hole)
        hole = hole.removeprefix("+")
        group, _, name = hole.partition(".")
        return self.get(group, {}).get(name) if group in OPEN and name else self.get(hole)


def members(value: Any) -> Iterable[Any]:
    """The names and values in a table, or the items of a list; nothing in other values."""
    if isinstance(value, Mapping):
        return (*value, *value.values())
    return value if isinstance(value, list | tuple) else ()


def names(value: Any) -> Iterator[str]:
    """The names of all members in JSON."""
    if isinstance(value, Mapping):
        yield from value
    for each in members(value):
        yield from names(each)


def holes(value: Any) -> Iterator[str]:
    """The names of all holes in a text, or in the texts of JSON."""
    for text in texts(value):
        yield from _HOLE.findall(text)


def without_holes(template: str, instead: str) -> str:
    """A text with ``instead`` in the place of each hole."""
    return _HOLE.sub(lambda found: instead, template)


def fill_path(template: str, values: Values) -> str:
    """A path whose holes are filled, each value escaped: as one segment, or ``{+name}`` as several (RFC 6570)."""
    path = _HOLE.sub(lambda found: quote(_needed(found[1], values), safe="/" * found[1].startswith("+")), template)
    if {".", ".."} & set(path.split("/")) or "//" in path or (path.endswith("/") and not template.endswith("/")):
        named = ", ".join(f"{hole} {str(values.of(hole))[:40]!r}" for hole in holes(template))
        raise InvalidRequestError(f"The path {template} cannot be made with {named}.")
    return path


def _needed(hole: str, values: Values) -> str:
    text = as_text(values.of(hole))
    if not text:
        raise InvalidRequestError(f"The request needs {{{hole}}}, and it has no value.")
    return text


def fill_text(template: str, values: Values) -> str | None:
    """A text whose holes are filled; None if one has no value."""
    texts = {hole: as_text(values.of(hole)) for hole in holes(template)}
    if None in texts.values():
        return None
    return _HOLE.sub(lambda found: str(texts[found[1]]), template)


def fill_texts(templates: Mapping[str, str], values: Values) -> dict[str, str]:
    """The texts whose holes all have a value, filled."""
    filled = ((name, fill_text(template, values)) for name, template in templates.items())
    return {name: text for name, text in filled if text is not None}


def fill_json(template: Any, values: Values) -> Any:
    """JSON whose holes are filled. A member or item without a value is left out.

    A text that is nothing but a hole becomes the value, of its own type.
    """
    if isinstance(template, str):
        whole = _HOLE.fullmatch(template)
        return values.of(whole[1]) if whole else fill_text(template, values)
    if isinstance(template, dict):
        filled = ((name, member, fill_json(member, values)) for name, member in template.items())
        return {name: value for name, member, value in filled if value is not None or member is None}
    if isinstance(template, list | tuple):
        return [value for value in (fill_json(item, values) for item in template) if value is not None]
    return template


def as_text(value: Any) -> str | None:
    """A value as text in a URL, a header or a form; None if it is none that can be."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None


def merged(template: Any, values: Values, request: Mapping[str, Any]) -> dict[str, Any]:
    """The task's request with the members of ``template``: those with a hole are set, the others are defaults."""
    body = dict(request)
    for name, member in (template or {}).items():
        present = body.get(name)
        if isinstance(member, dict) and (present is None or isinstance(present, Mapping)):
            body[name] = merged(member, values, present or {})
        elif any(holes(member)):
            value = fill_json(member, values)
            if value is not None:
                body[name] = value
        else:
            body.setdefault(name, member)
    return body
