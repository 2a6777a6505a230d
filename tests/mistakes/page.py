"""docs/mistakes.md, from the lists of mistakes."""

from __future__ import annotations

from pathlib import Path

from tests.mistakes import (
    Mistake,
    calls,
    connections,
    dates,
    destinations,
    environment,
    inputs,
    mapping,
    options,
    requests,
    xcom,
)

PATH = Path(__file__).parents[2] / "docs" / "mistakes.md"

AREAS: dict[str, list[Mistake]] = {
    "Options of a task": options.MISTAKES,
    "Destinations": destinations.MISTAKES,
    "Connections": connections.MISTAKES,
    "Calls that the vendor refuses": calls.MISTAKES,
    "The environment": environment.MISTAKES,
    "Requests": requests.MISTAKES,
    "Files, and what comes from tasks upstream": inputs.MISTAKES,
    "Mapped tasks": mapping.MISTAKES,
    "Dates": dates.MISTAKES,
    "Results into XCom": xcom.MISTAKES,
}

_HEAD = """\
# What may be wrong, and what to do

Written from the tests' cases by `make mistakes`; do not edit. Each row is a test: it does what the first column says,
against the emulator, and compares the message. "…" stands for what differs from case to case. What shows when the DAG
is parsed, before the submit, at the Test button or at a command has cost nothing: no job was submitted.

Templates are rendered by Airflow, before any code of the task runs: what fails there reads as Airflow says it, and the
log names the task and the field right before. Half a character (a lone surrogate, as `"\\ud83d"`) that a Variable, the
run's configuration or an XCom holds does not reach a task: Airflow itself fails at reading it. One that the DAG file
has is refused when it is parsed, and one that a template makes before anything is submitted.

Members of a mapped task that run at once see of each other only what has landed. Where the DAG file shows that they
share an object, it is refused when the DAG is parsed; where only a run knows, a member warns before its submit and
before it lands, if the result of another is there by then, and with `if_exists="error"` it fails. Two that publish
within the same moment find nothing of each other: the last one's result stays."""


def rendered() -> str:
    """The page's text."""
    tables = (f"## {area}\n\n{_table(mistakes)}" for area, mistakes in AREAS.items() if mistakes)
    return "\n\n".join([_HEAD, *tables]) + "\n"


def _table(mistakes: list[Mistake]) -> str:
    rows = [("What you did", "What you read", "What to do", "When it shows"), ("---",) * 4]
    rows += [(_capital(each.did), _kind(each) + each.says, each.remedy, each.when.value) for each in mistakes]
    return "\n".join(f"| {' | '.join(_cell(text) for text in row)} |" for row in rows)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _kind(mistake: Mistake) -> str:
    return f"`{mistake.kind.__name__}`: " if mistake.kind else "Warning: "


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
