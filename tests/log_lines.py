"""The package's log lines, read from its source, in docs/observability.md; written by ``make log-lines``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "airflow_provider_batchdl"
PAGE = ROOT / "docs" / "observability.md"
START, END = "<!-- log lines: written by `make log-lines`, do not edit -->\n", "<!-- end of the log lines -->\n"

LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
# The page's sections and the top-level parts of the package whose lines they have; a part must be in one of them.
SECTIONS = {
    "Submit, retry, cancel": ("operators", "sensors", "_tasks", "links", "retries", "task_groups", "windows"),
    "Connections, files and Airflow": (
        "hooks",
        "provider_info",
        "_airflow",
        "_values",
        "_redaction",
        "cli",
        "plugin",
        "ui",
    ),
    "Polls": ("triggers", "polling"),
    "Requests and responses": ("client", "vendors"),
    "Downloads": ("transfer",),
}


class LogLine(NamedTuple):
    """One log call: where it is, its level and its text with "…" for each value."""

    module: str
    line: int
    level: str
    text: str


def log_calls(path: Path) -> Iterator[tuple[ast.Call, str, ast.expr]]:
    """The log calls of a file, with their level ("log" where a value says it) and the expression of their message."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr not in (*LEVELS, "log"):
            continue
        logger = ast.unparse(node.func.value).rpartition(".")[2].lstrip("_")
        if logger not in ("log", "logger"):
            continue
        if node.func.attr in LEVELS:
            yield node, node.func.attr, node.args[0]
        elif node.func.attr == "log":
            yield node, "log", node.args[1]


def text_of(message: ast.expr) -> str | None:
    """A message's text, "…" for each value; None where it is a variable's."""
    if isinstance(message, ast.Constant) and isinstance(message.value, str):
        return re.sub(r"(?:%[-+ #0]*\d*(?:\.\d+)?[sdrfxg])+", "…", message.value).replace("%%", "%")
    return None


@cache
def log_lines() -> list[LogLine]:
    """All log lines of the package but the emulator, those that are nothing but a value left out."""
    lines = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).as_posix()
        if module.startswith("emulator/"):
            continue
        for node, level, message in log_calls(path):
            text = text_of(message)
            if text is not None and text.strip("… ."):
                lines.append(LogLine(module, node.lineno, level, text))
    return lines


def rendered() -> str:
    """The section of the page."""
    tables = []
    for name, parts in SECTIONS.items():
        rows = {
            f"| {'warning or error' if each.level == 'log' else each.level} | {_cell(each.text)} | `{each.module}` |"
            for each in log_lines()
            if re.split(r"[/.]", each.module)[0] in parts
        }
        body = sorted(rows, key=lambda row: row.split(" | ")[::-1])
        tables.append("\n".join([f"#### {name}", "", "| level | line | in |", "|---|---|---|", *body, ""]))
    return "\n".join(tables)


def _cell(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`"


def updated(page: str) -> str:
    """The page's text with the section as it should be."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    assert rest, f"{PAGE.name} lacks {START!r}"
    assert after, f"{PAGE.name} lacks {END!r}"
    return f"{before}{START}\n{rendered()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text()))
