"""The measured part of docs/scale.md, between two marks; the text around it is written by hand."""

from __future__ import annotations

import os
import platform
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.bench.scale import lines, plan
from tests.bench.scale.lines import Line
from tests.bench.scale.measure import Outcome

PAGE = Path("docs/scale.md")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass
class Report:
    """Everything measured, judged."""

    warm: float
    measured: float
    sleeping: Outcome
    shared: Outcome
    lonely: Outcome
    early: list[plan.End]
    late: list[plan.End]
    lines: list[Line] = field(init=False)

    def __post_init__(self) -> None:
        """Judge."""
        self.lines = [
            *lines.limit_lines(self.shared),
            *lines.lag_lines(self.shared, self.early),
            *lines.cost_lines(self.cpu(self.shared), self.kib(self.shared)),
            *lines.loss_lines(self.shared, [*self.early, *self.late]),
        ]

    def cpu(self, outcome: Outcome) -> float:
        """Share of a core, over triggers that only sleep."""
        asleep = self.sleeping.costs[0]
        idle = self.sleeping.cpu_share(asleep[len(asleep) // 2][0], asleep[-1][0])
        return outcome.cpu_share(self.warm, min(self.measured, outcome.costs[0][-1][0])) - idle

    def kib(self, outcome: Outcome) -> float:
        """KiB in memory for each trigger, over triggers that only sleep."""
        idle = self.sleeping.memory(0, float("inf"))
        return (outcome.memory(0, self.measured) - idle) * 1024 / sum(plan.WAITS.values())

    def comparison(self) -> str:
        """One loop for each account beside one for each job, as a Markdown table."""
        return "\n".join(
            [
                "| | one loop for each account | one loop for each job |",
                "|---|---:|---:|",
                *(f"| {what} | {ours} | {theirs} |" for what, ours, theirs in self._compared()),
            ]
        )

    def _compared(self) -> list[tuple[str, str, str]]:
        horizon = self.lonely.costs[0][-1][0]
        sides = (self.shared, self.lonely)
        asked = [Counter(whose for at, whose, *_ in side.requests if at <= horizon) for side in sides]
        refused = [sum(status == 429 for at, _, _, status in side.requests if at <= horizon) for side in sides]
        failed = [sum(status == "error" and at <= horizon for status, _, at in side.events.values()) for side in sides]
        due = [end for end in self.early if end.at <= horizon - 60]
        seen = [self._seen(side, due, horizon) for side in sides]
        rows = [
            (f"requests in the first {horizon:.0f} s, to all vendors", [f"{sum(each.values()):,}" for each in asked]),
            ("refused with 429", [f"{each:,}" for each in refused]),
            (f"of {len(due)} jobs that ended a minute or more before, events", [f"{each:,}" for each in seen]),
            ("waits that failed", [f"{each:,}" for each in failed]),
            ("CPU over sleeping triggers, of one core", [f"{self.cpu(side):.1%}" for side in sides]),
            ("memory over sleeping triggers, each", [f"{self.kib(side):.1f} KiB" for side in sides]),
        ]
        return [(what, ours, theirs) for what, (ours, theirs) in rows]

    @staticmethod
    def _seen(side: Outcome, due: list[plan.End], horizon: float) -> int:
        found = (side.events.get(side.ids[end.vendor][end.index]) for end in due)
        return sum(event is not None and event[0] == "ended" and event[2] <= horizon for event in found)


def write(report: Report) -> None:
    """Put the tables into the page."""
    rows = [f"| {each.what} | {each.measured} | {each.bound} |" for each in report.lines]
    accounts = ", ".join(f"{vendor} {number:,}" for vendor, number in plan.WAITS.items())
    airflow = f"Python {platform.python_version()}, Airflow {version('apache-airflow-core')}"
    where = f"Measured {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {airflow}"
    text = "\n".join(
        [
            BEGIN,
            "",
            f"{where}; {sum(plan.WAITS.values()):,} waits: {accounts}.",
            "",
            "| what | measured | at most |",
            "|---|---:|---:|",
            *rows,
            "",
            "Beside it, the same waits with one loop for each job:",
            "",
            report.comparison(),
            "",
            END,
        ]
    )
    page = PAGE.read_text()
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{text}{tail}")
