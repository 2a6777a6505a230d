"""Words for a document of the wrong shape: where, what was found there, and what was expected or meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl.vendors.declared.document import Document, HeaderForm, State
from airflow_provider_batchdl.vendors.declared.inputs import ExtraMember, Member

LONGEST_SHOWN = 60
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
# As people who write TOML call them.
_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "a table",
    "array": "a list",
    "null": "nothing",
}
# Types of the values of tables with free names, by the table's name.
_TABLES: dict[str, Any] = {
    **dict.fromkeys(("params", "headers", "form", "keep", "types"), str),
    "states": State,
    "request": Member,
    "extra": ExtraMember,
    "reset_headers": HeaderForm,
}


def in_words(error: str, raw: Any) -> str:
    """The words of msgspec's ``error`` about ``raw``, for people.

    Args:
        error: like ``Expected `str`, got `int` - at `$.submit[0].path```.
        raw: the document as it was read.
    """
    words, _, path = error.partition(" - at ")
    place, kind = _place(path.strip("`").removeprefix("key in `"), raw)
    where = f"{place}: " if place else ""
    quoted = re.findall(r"`([^`]*)`", words)
    if words.startswith("Object contains unknown field"):
        return f"{where}there is no member {excerpt(quoted[0], LONGEST_SHOWN)!r} here{_meant(quoted[0], _fields(kind))}"
    if words.startswith("Object missing required field"):
        return f"{where}the member {quoted[0]!r} is missing"
    if words.startswith("Invalid"):
        value = words.partition("value ")[2].strip("'\"")
        return f"{where}{excerpt(value, LONGEST_SHOWN)!r} is none of its values{_meant(value, _choices(kind, place))}"
    if words.startswith("Expected `") and len(quoted) == 2:
        expected, found = (" or ".join(_KINDS.get(each, each) for each in side.split(" | ")) for side in quoted)
        return f"{where}{expected} is expected here, and there is {found}"
    return f"{where}{words[:1].lower()}{words[1:]}".replace("`", "'")


def _meant(word: str, known: list[str]) -> str:
    close = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f"; there are {', '.join(known)}" if known else ""


@cache
def _root() -> inspect.Type:
    return inspect.type_info(Document)


def _place(path: str, raw: Any) -> tuple[str, inspect.Type | None]:
    """The place as people write it (``submit[0].path``), and its type."""
    kind: inspect.Type | None = _root()
    value, place = raw, ""
    for name, index in _STEP.findall(path):
        alternative = _alternative(kind, value)
        if name:
            place = f"{place}.{name}" if place else name
            field = next((each for each in getattr(alternative, "fields", ()) if each.encode_name == name), None)
            kind = None if field is None else field.type
            value = value.get(name) if isinstance(value, Mapping) else None
        elif index == "...":  # a member of a table of names: the first that does not fit is the one
            kind = getattr(alternative, "value_type", None)
            members = value.items() if isinstance(value, Mapping) else ()
            found = next(((each, member) for each, member in members if not _fits(member, place)), None)
            if found is not None:
                place, value = f"{place}.{excerpt(found[0], LONGEST_SHOWN)}", found[1]
        else:
            place = f"{place}[{index}]"
            kind = getattr(alternative, "item_type", None)
            value = value[int(index)] if isinstance(value, list | tuple) and int(index) < len(value) else None
    return place, _alternative(kind, value) or kind


def _fits(member: Any, place: str) -> bool:
    """True if a member of the table at ``place`` can stand there."""
    try:
        msgspec.convert(member, _TABLES.get(place.rpartition(".")[2], Any))
    except msgspec.ValidationError:
        return False
    return True


def _alternative(kind: inspect.Type | None, value: Any) -> inspect.Type | None:
    """Of several types, the one that a value of this kind is meant to have."""
    if not isinstance(kind, inspect.UnionType):
        return kind
    structs = [each for each in kind.types if isinstance(each, inspect.StructType)]
    if isinstance(value, Mapping) and structs:
        return next(
            (each for each in structs if each.tag == value.get("kind")), structs[0] if len(structs) == 1 else None
        )
    if isinstance(value, list | tuple):
        return next((each for each in kind.types if isinstance(each, inspect.VarTupleType)), None)
    others = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
    return others[0] if len(others) == 1 else None


def _fields(kind: inspect.Type | None) -> list[str]:
    if not isinstance(kind, inspect.StructType):
        return []
    return [*([kind.tag_field] if kind.tag_field else []), *(each.encode_name for each in kind.fields)]


def _choices(kind: inspect.Type | None, place: str) -> list[str]:
    """The values that a place may have."""
    if place.rpartition(".")[2] == "kind" and kind is None:
        parent = _place("$." + place.rpartition(".")[0], None)[1]
        return _tags(parent)
    if isinstance(kind, inspect.LiteralType):
        return [str(each) for each in kind.values]
    return []


def _tags(kind: inspect.Type | None) -> list[str]:
    types = kind.types if isinstance(kind, inspect.UnionType) else ()
    return [str(each.tag) for each in types if isinstance(each, inspect.StructType)]
