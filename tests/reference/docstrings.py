"""Docstrings in Google style as Markdown."""

from __future__ import annotations

import inspect
import re
import textwrap

SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):\n((?:    .*\n|\n)+)", re.MULTILINE)
ENTRY = re.compile(r"^(\w+): (.*(?:\n +.*)*)", re.MULTILINE)


def markdown(text: str) -> str:
    """Text with reStructuredText's roles and literals as Markdown has them."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text)
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def one_line(text: str) -> str:
    return " ".join(text.split())


def prose(documented: object) -> str:
    """A docstring's paragraphs without its sections and code."""
    text = SECTION.sub("", (inspect.getdoc(documented) or "") + "\n")
    text = re.sub(r"::\n\n(?:    .*\n|\n)+", "\n\n", text)
    return "\n\n".join(markdown(one_line(each)) for each in text.split("\n\n") if each.strip())


def entries(documented: object, section: str = "Args") -> dict[str, str]:
    """The entries of a docstring's section, by name."""
    for found in SECTION.finditer((inspect.getdoc(documented) or "") + "\n"):
        if found[1] == section:
            return {name: markdown(one_line(text)) for name, text in ENTRY.findall(textwrap.dedent(found[2]))}
    return {}


def cell(text: str) -> str:
    """Text in a table."""
    return text.replace("|", "\\|").replace("<", "&lt;")
