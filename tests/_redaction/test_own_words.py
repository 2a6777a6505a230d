"""What the package itself says is not taken for a secret: a masked instruction helps nobody."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import airflow_provider_batchdl
from airflow_provider_batchdl._redaction.redactor import redact

PACKAGE = Path(airflow_provider_batchdl.__file__).parent
_SENTENCE = re.compile(r"(?:[\w',:]+ ){4}")


def sentences(tree: ast.Module) -> Iterator[str]:
    """The texts of several words in a module, with X for what is put into them; without docstrings."""
    said = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(each.value) if isinstance(each, ast.Constant) else "X" for each in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in said:
            text = node.value
        if _SENTENCE.search(text):
            yield text


def test_no_message_of_ours_is_masked() -> None:
    texts = [text for path in PACKAGE.rglob("*.py") for text in sentences(ast.parse(path.read_text()))]
    assert len(texts) > 500
    assert [text for text in texts if redact(text) != text] == []
