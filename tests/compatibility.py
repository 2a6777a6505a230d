"""Which Airflows and Pythons the tests ran on: a record of runs, and its table in docs/compatibility.md.

``python -m tests.compatibility NAME ARGUMENTS [-- ARGUMENTS …]`` runs pytest with each group of arguments, in the
environment whose Python this is, and records how it ended: ``core`` is what touches Airflow, ``all`` is everything.
With ``""`` for a name (a selection of the tests) nothing is recorded. Without arguments it writes the table again.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "compatibility.md"
RECORD = ROOT / "docs" / "compatibility.json"
START = "<!-- runs: written by `make compat` and `make compat-core`, do not edit -->\n"
END = "<!-- end of the runs -->\n"

AIRFLOWS = ("3.1", "3.2", "3.3", "3.4")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


class Run(NamedTuple):
    """One run of tests in one environment.

    Attributes:
        airflow: the version of Airflow, like "3.3.2".
        python: the version of Python, like "3.11.7".
        tests: which tests: "core" or "all".
        passed: how many passed, as pytest's reports say; so are the next two.
        failed: how many failed, or could not be set up.
        skipped: how many were skipped.
        date: the day, UTC.
        ok: whether pytest said that all is well.
    """

    airflow: str
    python: str
    tests: str
    passed: int
    failed: int
    skipped: int
    date: str
    ok: bool

    @property
    def place(self) -> tuple[str, str]:
        """The cell: minor versions of Airflow and Python."""
        return _minor(self.airflow), _minor(self.python)

    @property
    def words(self) -> str:
        """What the cell says."""
        if self.ok:
            return f"{self.tests}: passed ({self.passed:,} tests, {self.date})"
        counts = f"{self.failed:,} of {self.passed + self.failed:,} tests" if self.failed else "pytest ended early"
        return f"{self.tests}: **failed** ({counts}, {self.date})"


class Records:
    """The runs, the last one of each kind, and why some were not tried."""

    def __init__(self, runs: list[Run] | None = None, not_tried: dict[str, str] | None = None) -> None:
        self.runs = runs or []
        self.not_tried = not_tried or {}
        """Reasons, by names like "3.1 on 3.14"."""

    @classmethod
    def read(cls) -> Records:
        """What is recorded; nothing where there is no file."""
        if not RECORD.exists():
            return cls()
        found = json.loads(RECORD.read_text())
        return cls([Run(**run) for run in found["runs"]], found["not_tried"])

    def add(self, run: Run) -> None:
        """Record a run in the place of an earlier one of the same tests, Airflow minor and Python minor."""
        kept = [each for each in self.runs if (each.place, each.tests) != (run.place, run.tests)]
        self.runs = sorted([*kept, run], key=lambda each: (each.place, each.tests))

    def write(self) -> None:
        """Write the record, and the page's table from it."""
        found = {"not_tried": self.not_tried, "runs": [run._asdict() for run in self.runs]}
        _replace(RECORD, json.dumps(found, indent=2) + "\n")
        _replace(PAGE, updated(PAGE.read_text(), self))


def cells(records: Records) -> dict[tuple[str, str], str]:
    """The table's cells, by minor versions of Airflow and Python."""
    table = {}
    for place in [(airflow, python) for airflow in AIRFLOWS for python in PYTHONS]:
        ran = "; ".join(run.words for run in records.runs if run.place == place)
        why = records.not_tried.get(" on ".join(place))
        table[place] = ran or (f"not tried: {why}" if why else "not tried")
    return table


def updated(page: str, records: Records) -> str:
    """The page's text with the table as it should be."""
    table = cells(records)
    lines = ["| Airflow | " + " | ".join(f"Python {python}" for python in PYTHONS) + " |", "|---" * 5 + "|"]
    for airflow in AIRFLOWS:
        ran = sorted({run.airflow for run in records.runs if run.place[0] == airflow})
        lines.append(f"| {', '.join(ran) or airflow} | " + " | ".join(table[airflow, each] for each in PYTHONS) + " |")
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    assert start, f"{PAGE.name} lacks {START!r}"
    assert end, f"{PAGE.name} lacks {END!r}"
    return "\n".join([f"{before}{START}", *lines, "", f"{END}{after}"])


def run_tests(name: str, groups: list[list[str]]) -> tuple[Run, int]:
    """Run pytest with each group of arguments, until one fails: the run, and pytest's exit code."""
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    code = 0
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        for arguments in groups:
            report.unlink(missing_ok=True)
            command = [sys.executable, "-m", "pytest", f"--junitxml={report}", *arguments]
            code = subprocess.run(command, check=False).returncode
            for suite in ET.parse(report).iter("testsuite") if report.exists() else ():  # noqa: S314 - pytest's own
                counts = {key: count + int(suite.get(key, 0)) for key, count in counts.items()}
            if code:
                break
    failed = counts["failures"] + counts["errors"]
    run = Run(
        version("apache-airflow"),
        platform.python_version(),
        name,
        counts["tests"] - failed - counts["skipped"],
        failed,
        counts["skipped"],
        datetime.now(UTC).date().isoformat(),
        ok=code == 0,
    )
    return run, code


def main(arguments: list[str]) -> int:
    """Run and record, as the module's docstring says; the exit code is the first failing pytest's."""
    if not arguments:
        Records.read().write()
        return 0
    name, *rest = arguments
    groups: list[list[str]] = [[]]
    for each in rest:
        if each == "--":
            groups.append([])
        else:
            groups[-1].append(each)
    run, code = run_tests(name, groups)
    if name:
        records = Records.read()
        records.add(run)
        records.write()
    return code


def _minor(release: str) -> str:
    return ".".join(release.split(".")[:2])


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all: a run may be interrupted."""
    partial = path.with_suffix(".tmp")
    partial.write_text(text)
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
