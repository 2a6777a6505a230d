"""From the text of a document to its types. Every mistake in it is one sentence that says where."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from itertools import chain
from typing import Any

import msgspec

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl._values.storable import half_character_in
from airflow_provider_batchdl.vendors.declared.document import Document
from airflow_provider_batchdl.vendors.declared.mistakes import in_words
from airflow_provider_batchdl.vendors.declared.problems import problems_of
from airflow_provider_batchdl.vendors.declared.templates import members

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
    """A document that can be used.

    Args:
        source: TOML or JSON, or what it says.
        name: its name for errors.

    Raises:
        DocumentError: it is too large, no document, or contradicts itself.
    """
    document = parse(source, name)
    for problem in problems_of(document):
        raise DocumentError(problem, name)
    return document


def parse(source: str | bytes | Mapping[str, Any], name: str) -> Document:
    """A document of the right shape, which may contradict itself.

    Raises:
        DocumentError: it is too large, or no document.
    """
    raw = _loaded(source, name)
    _check_size(raw, name)
    if (where := half_character_in(raw)) is not None:
        raise DocumentError(f"{excerpt(where, LONGEST_PLACE)}: there is half a character (a lone surrogate)", name)
    try:
        return msgspec.convert(raw, Document)
    except msgspec.ValidationError as error:
        raise DocumentError(in_words(raw) or str(error).replace("`", "'"), name) from None


def _loaded(source: str | bytes | Mapping[str, Any], name: str) -> Any:
    if isinstance(source, Mapping):
        return dict(source)
    if len(source) > LARGEST:
        raise DocumentError(f"it has more than {LARGEST:,} bytes", name)
    # Nothing of the text is shown: it may be another file than was meant.
    try:
        text = source if isinstance(source, str) else source.decode("utf-8-sig")
        if text.lstrip().startswith("{"):
            return msgspec.json.decode(text)
        if any(line.partition("=")[0].count(".") > MOST_DOTS for line in text.splitlines()):
            raise DocumentError(f"a line of it has a key of more than {MOST_DOTS} parts", name)
        return tomllib.loads(text)
    except UnicodeDecodeError:
        raise DocumentError("it is no UTF-8", name) from None
    except tomllib.TOMLDecodeError as error:
        place = str(error).rpartition("(")[2].rstrip(")")
        raise DocumentError(f"it is no TOML ({place})", name) from None
    except (msgspec.DecodeError, ValueError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError("it is no JSON", name) from None
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
