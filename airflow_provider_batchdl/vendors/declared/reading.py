"""From the text of a document to its types. Every mistake in it is one sentence that says where."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl._values.storable import half_character_in
from airflow_provider_batchdl.vendors.declared.document import Document
from airflow_provider_batchdl.vendors.declared.problems import problems_of
from airflow_provider_batchdl.vendors.declared.templates import members

if TYPE_CHECKING:
    from jsonschema import ValidationError

__all__ = ["DocumentError", "parse", "read"]

# Bytes, levels and values. The catalogue's documents have 3 KB, six levels and a hundred values.
LARGEST = 64 * 2**10
DEEPEST = 16
MOST_VALUES = 5_000
# A dotted key of n parts costs tomllib n squared.
MOST_DOTS = 100
# Characters of a document's name in an error. A path is shown to its end, where its file's name is.
LONGEST_NAME = 4_096
LONGEST_PLACE = 200
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
    "date": "a date",
    "time": "a time",
    "datetime": "a date",
}


class DocumentError(ValueError):
    """A document that cannot be used; the message is one sentence.

    Args:
        problem: what is wrong with it.
        name: the document's, or what it was read from.
    """

    def __init__(self, problem: str, name: str) -> None:
        super().__init__(f"The vendor document {excerpt(name, LONGEST_NAME)} cannot be used: {problem}.")
        self.problem = problem


def read(source: str | bytes | Mapping[str, Any], name: str) -> Document:
    """A document that can be used, of TOML or JSON, or what it says; ``name`` is for errors."""
    document = parse(source, name)
    for problem in problems_of(document):
        raise DocumentError(problem, name)
    return document


def parse(source: str | bytes | Mapping[str, Any], name: str) -> Document:
    """A document of the right shape, which may contradict itself."""
    raw = _loaded(source, name)
    _check_size(raw, name)
    if (where := half_character_in(raw)) is not None:
        raise DocumentError(f"{excerpt(where, LONGEST_PLACE)}: there is half a character (a lone surrogate)", name)
    try:
        return msgspec.convert(raw, Document)
    except msgspec.ValidationError as error:
        raise DocumentError(_in_words(raw) or str(error).replace("`", "'"), name) from None


def _loaded(source: str | bytes | Mapping[str, Any], name: str) -> Any:
    if isinstance(source, Mapping):
        return dict(source)
    if len(source) > LARGEST:
        raise DocumentError(f"it has more than {LARGEST:,} bytes", name)
    # Nothing of the text is shown: it may be another file than was meant.
    try:
        text = source if isinstance(source, str) else source.decode("utf-8-sig")
        if text.lstrip().startswith("{"):
            return json.loads(text)
        if any(line.partition("=")[0].count(".") > MOST_DOTS for line in text.splitlines()):
            raise DocumentError(f"a line of it has a key of more than {MOST_DOTS} parts", name)
        return tomllib.loads(text)
    except UnicodeDecodeError:
        raise DocumentError("it is no UTF-8", name) from None
    except tomllib.TOMLDecodeError as error:
        place = str(error).rpartition("(")[2].rstrip(")")
        raise DocumentError(f"it is no TOML ({place})", name) from None
    except json.JSONDecodeError as error:
        raise DocumentError(f"it is no JSON (at line {error.lineno}, column {error.colno})", name) from None
    except DocumentError:
        raise
    except ValueError:
        raise DocumentError("it has a number of too many digits", name) from None
    except RecursionError:
        raise DocumentError(f"it is nested more than {DEEPEST} levels deep", name) from None


def _check_size(raw: Any, name: str) -> None:
    """Refuse what is too deep or too large, before anything walks through it."""
    level, count = [raw], 0
    for _ in range(DEEPEST):
        count += len(level)
        if count > MOST_VALUES:
            raise DocumentError(f"it has more than {MOST_VALUES:,} values", name)
        longest = max((len(each) for each in level if isinstance(each, str)), default=0)
        if longest > LARGEST:
            raise DocumentError(f"it has more than {LARGEST:,} bytes", name)
        level = list(chain.from_iterable(members(each) for each in level))
        if not level:
            return
    raise DocumentError(f"it is nested more than {DEEPEST} levels deep", name)


def _in_words(raw: Any) -> str | None:
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
    if "description" in error.schema:  # of a pattern, a length or a range
        shown = error.instance[:LONGEST_SHOWN] if isinstance(error.instance, str) else error.instance
        return f"{shown!r} is no {error.schema['description']}"
    return excerpt(error.message, LONGEST_SHOWN)


def _no_value(value: Any, known: Collection[Any]) -> str:
    types = {type(each).__name__ for each in known}
    if type(value).__name__ not in types:
        return _no_type(value, types)
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
