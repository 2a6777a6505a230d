"""Words for a document of the wrong shape: where, what was found there, and what was expected or meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl.vendors.declared.document import Document

if TYPE_CHECKING:
    from jsonschema import ValidationError

LONGEST_SHOWN = 60
# The types of JSON and of Python, as people who write TOML call them.
_KINDS = {
    **dict.fromkeys(("string", "str"), "a text"),
    **dict.fromkeys(("integer", "int"), "a whole number"),
    **dict.fromkeys(("number", "float"), "a number"),
    **dict.fromkeys(("boolean", "bool"), "true or false"),
    **dict.fromkeys(("object", "dict"), "a table"),
    **dict.fromkeys(("array", "list"), "a list"),
    **dict.fromkeys(("null", "NoneType"), "nothing"),
}


def in_words(raw: Any) -> str | None:
    """The first mistake in a document by its JSON Schema, for people; None if the schema finds none."""
    from jsonschema import Draft202012Validator

    errors = list(Draft202012Validator(msgspec.json.schema(Document)).iter_errors(raw))
    if not errors:
        return None
    error = _first(errors)
    while error.context:
        alternatives = list(_alternatives(error))
        fitting = [each for each in alternatives if not any(map(_means_another, each))]
        if not fitting:
            return _words_for_none(error, [each for errors in alternatives for each in errors])
        nearest = min(fitting, key=len)
        error = _first(nearest)
    return f"{_place(error.absolute_path)}{_words(error)}"


def _first(errors: Iterable[ValidationError]) -> ValidationError:
    """A member that is not known before all others, as it may be the one that is missing."""
    return min(errors, key=lambda each: (each.validator == "required", each.validator != "additionalProperties"))


def _alternatives(error: ValidationError) -> Iterator[list[ValidationError]]:
    """The mistakes by each alternative; one that has alternatives itself stands for those."""
    for _, group in groupby(error.context, lambda each: each.relative_schema_path[0]):
        errors = list(group)
        if errors[0].validator == "anyOf" and not errors[0].relative_path:
            yield from _alternatives(errors[0])
        else:
            yield errors


def _means_another(error: ValidationError) -> bool:
    """True if the value is not of the alternative's type, or names another in its member ``kind``."""
    return (error.validator == "type" and not error.relative_path) or list(error.relative_path) == ["kind"]


def _words_for_none(error: ValidationError, mistakes: list[ValidationError]) -> str:
    """Words for a value that is meant for none of the alternatives."""
    kinds = [kind for each in mistakes if list(each.relative_path) == ["kind"] for kind in each.validator_value]
    if kinds:
        return f"{_place([*error.absolute_path, 'kind'])}{_no_value(error.instance['kind'], kinds)}"
    return f"{_place(error.absolute_path)}{_no_type(error.instance, {each.validator_value for each in mistakes})}"


def _words(error: ValidationError) -> str:
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = next(name for name in error.instance if name not in known)
        return f"there is no member {excerpt(unknown, LONGEST_SHOWN)!r} here{meant(unknown, known)}"
    if error.validator == "required":
        return f"the member {next(name for name in error.validator_value if name not in error.instance)!r} is missing"
    if error.validator == "enum":
        return _no_value(error.instance, error.validator_value)
    if error.validator == "type":
        return _no_type(error.instance, {error.validator_value})
    if error.validator in ("pattern", "maxLength"):
        return f"{error.instance[:LONGEST_SHOWN]!r} is no {error.schema['description']}"
    return excerpt(error.message, LONGEST_SHOWN)


def _no_value(value: Any, known: Iterable[Any]) -> str:
    shown = excerpt(value, LONGEST_SHOWN)
    return f"{shown!r} is none of its values{meant(str(value), list(map(str, known)))}"


def _no_type(value: Any, types: Collection[str]) -> str:
    expected = " or ".join(words for kind, words in _KINDS.items() if kind in types)
    found = type(value).__name__
    return f"{expected} is expected here, and there is {_KINDS.get(found, found)}"


def meant(word: str, known: list[str]) -> str:
    """The end of a message about a word that is none of those known: the one that is meant, or all."""
    close = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else f"; there are {', '.join(known)}"


def _place(path: Iterable[str | int]) -> str:
    """A path as people write it: ``submit[0].path: ``."""
    parts = (f"[{each}]" if isinstance(each, int) else f".{excerpt(each, LONGEST_SHOWN)}" for each in path)
    place = "".join(parts).removeprefix(".")
    return f"{place}: " if place else ""
