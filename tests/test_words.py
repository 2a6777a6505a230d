"""Words that log lines, errors, help texts, docstrings and pages do not use: nobody would search for them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "airflow_provider_batchdl").rglob("*.py"))

# The one list: what not to write, and what to write for it.
WORDS = {
    r"look(?:s|ed|ing)? (?:at|for|again|there)": "poll, check, read, search for",
    r"(?:a|an|the|each|every|one|single|first|last|next|answered|failed|between) looks?": "poll",
    r"(?:go|goes|going|went|gone) on": "resume, continue, keep",
    r"beg(?:in|ins|an|un|inning) again": "restart",
    r"in vain": "without success, pointless",
    r"dear(?:er|est)?": "expensive",
    r"mend(?:s|ed|ing)?": "fix",
    r"told": "log, report, notify, get",
    r"meanwhile": "(leave it out)",
    r"of before": "previous, from before",
    r"whatever (?:comes|becomes) of": "in any case",
    r"wait(?:s|ed|ing)? on(?! (?:a|its|the) worker)": "still waiting, keep waiting",
}
PATTERN = re.compile(rf"\b(?:{'|'.join(f'({each})' for each in WORDS)})\b", re.IGNORECASE)


def texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every text of a module that somebody reads, with its first line: docstrings, messages, help; no names or keys."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip().count(" ") >= 1:
            yield node.lineno, node.value


def uses(source: str) -> Iterator[str]:
    """The line and the word of each use, with the words to use for it."""
    better = list(WORDS.values())
    for first, text in texts(ast.parse(source)):
        for found in PATTERN.finditer(text):
            line = first + text.count("\n", 0, found.start())
            yield f"{line}: {found[0]!r}, better: {better[(found.lastindex or 1) - 1]}"


def test_texts_use_the_fields_words() -> None:
    assert [f"{path}:{use}" for path in SOURCES for use in uses(path.read_text())] == []


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def lines_of(page: Path) -> Iterator[tuple[int, str]]:
    return enumerate(page.read_text().splitlines(), 1)


def test_pages_use_the_fields_words() -> None:
    lines = [(f"{page}:{number}", line) for page in PAGES for number, line in lines_of(page)]
    assert [f"{place}: {found[0]!r}" for place, line in lines for found in PATTERN.finditer(line)] == []


# A first line says what a thing is or does, not "What it is", "How it does", "Whether it is".
ASIDE = re.compile(r"(?:What|How|Whether|Nothing)\b")


def test_first_lines_say_what_a_thing_is_or_does() -> None:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    wrong = [
        f"{path}:{getattr(node, 'lineno', 1)}: {text.splitlines()[0]}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, documented) and ASIDE.match(text := ast.get_docstring(node) or "")
    ]
    assert wrong == []


def test_a_use_is_found_with_its_line_and_the_better_word() -> None:
    source = (
        'def f():\n    """Read.\n\n    It goes on.\n    """\n'
        '    log.info("A look at %s", 1)\n    raise OSError(f"Begin again {f}.")\n'
    )
    assert list(uses(source)) == [
        "4: 'goes on', better: resume, continue, keep",
        "6: 'A look', better: poll",
        "7: 'Begin again', better: restart",
    ]
    assert not list(uses('"""Look up the job, whose file looks truncated; then begin."""'))
