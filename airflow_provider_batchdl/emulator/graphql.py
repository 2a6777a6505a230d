"""The part of GraphQL that a stand-in needs: one operation, its variables, selections, aliases and fragments in place.

No types, no directives, no named fragments; see the specification's section 2 (Language).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r'[\s,\ufeff]+|\#[^\n]*|(?P<block>"""(?:[^"\\]|\\.|"(?!""))*""")|(?P<string>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<mark>\.\.\.|[{}()\[\]:$!=@|&])",
    re.ASCII,
)
_DEEPEST = 50
_CONSTANTS = {"true": True, "false": False, "null": None}


class SyntaxProblemError(ValueError):
    """A document that is no GraphQL, or more of it than is understood here."""


@dataclass(frozen=True)
class Field:
    """A selected field.

    Attributes:
        name: its name in the schema.
        key: its name in the answer.
        arguments: values, those of variables in their places.
        selection: what is selected of it.
    """

    name: str
    key: str
    arguments: Mapping[str, Any]
    selection: tuple[Field, ...]

    def of(self, value: Any) -> Any:
        """Return the part of a value that is selected; a member that it lacks is null."""
        if isinstance(value, list):
            return [self.of(item) for item in value]
        if not isinstance(value, dict) or not self.selection:
            return value
        return {each.key: each.of(value.get(each.name)) for each in self.selection}


@dataclass
class _Reader:
    tokens: list[tuple[str, str]]
    variables: Mapping[str, Any]
    at: int = 0
    depth: int = 0
    defaults: dict[str, Any] = field(default_factory=dict)

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, *expected: str) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise SyntaxProblemError("syntax error, unexpected end of file")
        kind, text = self.tokens[self.at]
        if expected and text not in expected and kind not in expected:
            raise SyntaxProblemError(f"syntax error, unexpected {text!r}")
        self.at += 1
        return kind, text

    def skipped(self, text: str) -> bool:
        found = self.peek() == text
        self.at += found
        return found

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise SyntaxProblemError(f"nested deeper than {_DEEPEST} levels")

    def definitions(self) -> None:
        """Read ``($id: ID!, $first: Int = 10)``."""
        while not self.skipped(")"):
            self.take("$")
            name = self.take("name")[1]
            self.take(":")
            while self.peek() in ("[", "]", "!") or self.tokens[min(self.at, len(self.tokens) - 1)][0] == "name":
                self.take()
            if self.skipped("="):
                self.defaults[name] = self.value()

    def value(self) -> Any:
        self.deeper()
        kind, text = self.take("$", "[", "{", "block", "string", "number", "name")
        result: Any = text
        if text == "$":
            name = self.take("name")[1]
            result = self.variables.get(name, self.defaults.get(name))
        elif text == "[":
            result = []
            while not self.skipped("]"):
                result.append(self.value())
        elif text == "{":
            result = self.pairs("}")
        elif kind == "block":
            result = text[3:-3].replace('\\"""', '"""')
        elif kind in ("string", "number"):
            result = _literal(text)
        elif text in _CONSTANTS:
            result = _CONSTANTS[text]
        self.depth -= 1
        return result

    def pairs(self, end: str) -> dict[str, Any]:
        found = {}
        while not self.skipped(end):
            name = self.take("name")[1]
            self.take(":")
            found[name] = self.value()
        return found

    def selection(self) -> tuple[Field, ...]:
        self.deeper()
        found: list[Field] = []
        while not self.skipped("}"):
            if self.skipped("..."):
                if self.skipped("on"):
                    self.take("name")
                self.take("{")
                found += self.selection()
                continue
            key = name = self.take("name")[1]
            if self.skipped(":"):
                name = self.take("name")[1]
            arguments = self.pairs(")") if self.skipped("(") else {}
            found.append(Field(name, key, arguments, self.selection() if self.skipped("{") else ()))
        self.depth -= 1
        return tuple(found)


def _literal(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise SyntaxProblemError(f"syntax error, {error}") from None


def _tokens(document: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(document):
        match = _TOKEN.match(document, at)
        if match is None:
            raise SyntaxProblemError(f"syntax error, unexpected {document[at]!r}")
        if match.lastgroup:
            found.append((match.lastgroup, match[0]))
        at = match.end()
    return found


def fields_of(document: str, variables: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return the fields that an operation selects at its root.

    Args:
        document: the operation, ``query``, ``mutation`` or a bare selection.
        variables: values of its variables.

    Raises:
        SyntaxProblemError: where it cannot be read.
    """
    reader = _Reader(_tokens(document), variables)
    if reader.skipped("query") or reader.skipped("mutation"):
        if reader.peek() not in ("(", "{"):
            reader.take("name")
        if reader.skipped("("):
            reader.definitions()
    reader.take("{")
    selected = reader.selection()
    if reader.peek():
        raise SyntaxProblemError(f"syntax error, unexpected {reader.peek()!r}")
    return selected
