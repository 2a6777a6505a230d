"""The measured part of docs/scale.md, between two marks; the text around it is written by hand."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.scale import lines
from bench.scale.lines import Line
from bench.scale.outcome import Outcome
from bench.scale.plan import Account, End
from bench.scale.spent import Spent

PAGE = Path("docs/scale.md")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
# Jobs that ended so long before the comparison's end, in seconds, should have had their event.
LONG_ENOUGH = 60.0


@dataclass
class Report:
    """Everything measured, judged.

    Args:
        accounts: by name.
        measured: seconds after the beginning up to which the shared loop is in a steady state.
        sleeping: the run of triggers that only sleep.
        shared: that with one loop for each account.
        lonely: that with one loop for each job.
        early: jobs that end before ``measured``.
        late: jobs that end around the triggerer's death.
    """

    accounts: Mapping[str, Account]
    measured: float
    sleeping: Outcome
    shared: Outcome
    lonely: Outcome
    early: list[End]
    late: list[End]
    lines: list[Line] = field(init=False)

    def __post_init__(self) -> None:
        """Judge."""
        self.spent = [Spent.of(each, self.measured) for each in (self.sleeping, self.shared, self.lonely)]
        idle, ours, _ = self.spent
        kib = (ours.mib - idle.mib) * 1024 / self.shared.waits
        self.lines = [
            *lines.limit_lines(self.shared, self.accounts),
            *lines.lag_lines(self.shared, self.accounts, self.early),
            *lines.cost_lines(ours.cpu - idle.cpu, kib),
            *lines.loss_lines(self.shared, self.accounts, [*self.early, *self.late]),
        ]

    def comparison(self) -> str:
        """Beside each other: triggers that sleep, one loop for each account, one for each job. A Markdown table."""
        rows = [*self._costs(), *self._results()]
        head = ["", "triggers that sleep", "one loop for each account", "one loop for each job"]
        return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---", "---:", "---:", "---:"], *rows])

    def projection(self) -> str:
        """Ten times as many waits in ten such triggerers, in proportion. A Markdown table."""
        spent, waits = self.spent[1], self.shared.waits
        rows = {
            "CPU of the triggerers, in cores": spent.cpu,
            "CPU of PostgreSQL, in cores": spent.database_cpu,
            "memory of the triggerers, in GiB": spent.mib / 1024,
        }
        return "\n".join(
            [
                f"| | {waits:,} waits, one triggerer | {10 * waits:,} waits, ten triggerers |",
                "|---|---:|---:|",
                *(f"| {what} | {value:.2f} | {10 * value:.1f} |" for what, value in rows.items()),
            ]
        )

    def _costs(self) -> list[list[str]]:
        cpu = {
            "CPU of the runner, of one core": [each.runner_cpu for each in self.spent],
            "CPU of its parent, which talks with the database": [each.parent_cpu for each in self.spent],
            "CPU of PostgreSQL": [each.database_cpu for each in self.spent],
        }
        memory = {
            "memory of the runner": [each.runner_mib for each in self.spent],
            "memory of its parent": [each.parent_mib for each in self.spent],
        }
        runs = (self.sleeping, self.shared, self.lonely)
        return [
            *([what, *(f"{share:.1%}" for share in shares)] for what, shares in cpu.items()),
            *([what, *(f"{mib:,.0f} MiB" for mib in values)] for what, values in memory.items()),
            ["CPU to take a trigger, parent and PostgreSQL", *(f"{1000 * each.taking:.1f} ms" for each in self.spent)],
            ["all triggers taken after", *(" and ".join(f"{at:.0f} s" for at in run.started) for run in runs)],
        ]

    def _results(self) -> list[list[str]]:
        horizon = self.lonely.ended
        sides = (self.shared, self.lonely)
        asked = [[status for at, _, _, status, _ in side.requests if 0 <= at <= horizon] for side in sides]
        failed = [sum(event[0] != "ended" for event in side.events.values()) for side in sides]
        due = [end for end in self.early if end.at <= horizon - LONG_ENOUGH and not self.accounts[end.account].ended]
        seen = [sum(lag <= horizon - end for lag, end in self._lags(side, due)) for side in sides]
        return [
            [f"requests in {horizon:.0f} s, to all vendors", "", *(f"{len(each):,}" for each in asked)],
            ["refused with 429", "", *(f"{each.count(429):,}" for each in asked)],
            [f"of {len(due)} jobs that ended {LONG_ENOUGH:.0f} s or more before, events", "", *map(str, seen)],
            ["waits that failed", "", *(f"{each:,}" for each in failed)],
        ]

    @staticmethod
    def _lags(side: Outcome, due: list[End]) -> list[tuple[float, float]]:
        found = ((end, side.events.get(side.ids[end.account][end.index])) for end in due)
        return [(event[2] - end.at, end.at) for end, event in found if event is not None and event[0] == "ended"]


def write(report: Report) -> None:
    """Put the tables into the page."""
    rows = [f"| {each.what} | {each.measured} | {each.bound} |" for each in report.lines]
    accounts = ", ".join(f"{name} {account.waits:,}" for name, account in report.accounts.items())
    airflow = f"Python {platform.python_version()}, Airflow {version('apache-airflow-core')}"
    where = f"Measured {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {airflow}"
    text = "\n".join(
        [
            BEGIN,
            "",
            f"{where}; {report.shared.waits:,} waits: {accounts}.",
            "",
            "| what | measured | line |",
            "|---|---:|---:|",
            *rows,
            "",
            "Beside each other, the same number of triggers:",
            "",
            report.comparison(),
            "",
            "Ten times as many, in proportion:",
            "",
            report.projection(),
            "",
            END,
        ]
    )
    page = PAGE.read_text()
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{text}{tail}")
