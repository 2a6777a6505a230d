"""The JSON Schema of a document, and the texts of its members, both from the structs and their docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from airflow_provider_batchdl.vendors.declared.document import Document

ID = "https://json-schema.org/draft/2020-12/schema"
_ARGUMENT = re.compile(r"\s{4}(\w+): (.*)")


def schema() -> dict[str, Any]:
    """The JSON Schema of a document, each part and member with its description."""
    [root], parts = msgspec.json.schema_components([Document], ref_template="#/$defs/{name}")
    for name, kind in structs().items():
        text, members = described(kind)
        part = parts[name]
        part["description"] = text
        for member, words in members.items():
            part["properties"][member]["description"] = words
    return {"$schema": ID, "title": "A vendor's document", **root, "$defs": parts}


def structs() -> dict[str, type[msgspec.Struct]]:
    """The parts of a document, by name, in the order in which one refers to the next."""
    found: dict[str, type[msgspec.Struct]] = {}
    for kind in _of(msgspec.inspect.type_info(Document)):
        found.setdefault(kind.__name__, kind)
    return found


def _of(kind: msgspec.inspect.Type) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, msgspec.inspect.StructType):
        yield kind.cls
        for field in kind.fields:
            yield from _of(field.type)
    elif isinstance(kind, msgspec.inspect.UnionType):
        for each in kind.types:
            yield from _of(each)
    elif isinstance(kind, msgspec.inspect.DictType):
        yield from _of(kind.value_type)
    elif isinstance(kind, msgspec.inspect.VarTupleType):
        yield from _of(kind.item_type)


def described(kind: type[msgspec.Struct]) -> tuple[str, dict[str, str]]:
    """The text of a part, and that of each of its members, those of its base first."""
    base, members = kind.__mro__[1], {}
    if base.__mro__[1] is not msgspec.Struct and issubclass(base, msgspec.Struct):
        members.update(described(base)[1])
    text, _, arguments = inspect.cleandoc(kind.__doc__ or "").partition("\nArgs:\n")
    name = ""
    for line in arguments.splitlines():
        found = _ARGUMENT.fullmatch(line)
        if found is not None and not line.startswith("     "):
            name = found[1]
            members[name] = found[2]
        elif line.strip():
            members[name] += f" {line.strip()}"
    return " ".join(text.split()), members
