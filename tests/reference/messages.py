"""docs/messages.md: the texts of errors, read from the source, by class."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_batchdl import exceptions
from airflow_provider_batchdl.client.policy import unreachable_remedy
from tests.reference import DOCS, ROOT
from tests.reference.docstrings import cell
from tests.reference.errors import remedy_of, tree

PATH = DOCS / "messages.md"
PACKAGE = ROOT / "airflow_provider_batchdl"
LEAST_WORDS = 3

# Other classes that tasks and commands raise, by what to do.
OTHERS = {
    "AirflowTaskTimeout": "Raise the task's timeout or execution_timeout. A retry reconnects to the job, unless "
    "cancel_on_kill has cancelled it.",
    "AirflowSensorTimeout": "Raise the sensor's timeout and clear it; or, once the job has ended, clear the sensor.",
    "AirflowSkipException": "Nothing: the task is skipped, as its arguments or the days of its run ask for.",
    "AirflowException": "Repeat the command as it says.",
    "RuntimeError": "A retry of a durable task reconnects to its job, and a clear submits a new one.",
}
RETURNED = {unreachable_remedy.__name__: unreachable_remedy("", "…")}
"""By functions that make a text."""
RAISED_IN = {"operators", "sensors", "_tasks", "cli", "windows.py"}

HEAD = """\
# By message

Written from the source by `make reference`; do not edit. The messages of errors, by [class](errors.md); "…" stands
for a value. After the message, an error names vendor, connection, job and status in brackets, then the vendor's own
words, then the remedy: what the last column has, or something more precise.
[All log lines](observability.md#all-log-lines) are on a page of their own, and so are [mistakes](mistakes.md) with the
whole text of their messages."""


def text_of(message: ast.expr) -> str | None:
    """A message's text with "…" for each value; None where it is a variable's."""
    if isinstance(message, ast.Constant) and isinstance(message.value, str):
        return message.value
    if isinstance(message, ast.JoinedStr):
        parts = (each.value if isinstance(each, ast.Constant) else "…" for each in message.values)
        return "".join(map(str, parts))
    if isinstance(message, ast.BoolOp):
        return text_of(message.values[-1])  # the one for want of a better
    if isinstance(message, ast.Call):
        return RETURNED.get(ast.unparse(message.func))
    return None


def messages(path: Path) -> Iterator[tuple[str, str, str | None]]:
    """Class, message and own remedy of each error that a file makes with a text in place."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        known = name in exceptions.__all__ or (
            name in OTHERS and RAISED_IN.intersection(path.relative_to(PACKAGE).parts)
        )
        text = text_of(node.args[0]) if known else None
        if text is not None and sum(any(map(str.isalpha, word)) for word in text.split()) >= LEAST_WORDS:
            remedies = [text_of(each.value) for each in node.keywords if each.arg == "remedy"]
            yield name, text, next(iter(remedies), None)


def rendered() -> str:
    """The page's text."""
    found: dict[str, set[tuple[str, str | None]]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        if "emulator" not in path.parts:
            for name, text, remedy in messages(path):
                found[name].add((" ".join(text.split()), remedy))
    sections = []
    for error in tree():
        rows = sorted(found[error.__name__], key=lambda row: (row[0], row[1] or ""))
        if rows:
            lines = [f"| {cell(text)} | {cell(remedy or remedy_of(error))} |" for text, remedy in rows]
            sections.append("\n".join([f"## {error.__name__}", "", "| message | remedy |", "|---|---|", *lines]))
    others = [
        f"| `{name}` | {cell(text)} | {cell(OTHERS[name])} |" for name in OTHERS for text, _ in sorted(found[name])
    ]
    heading = ["## Other classes", "", "| class | message | remedy |", "|---|---|---|"]
    return "\n\n".join([HEAD, *sections, "\n".join([*heading, *others])]) + "\n"
