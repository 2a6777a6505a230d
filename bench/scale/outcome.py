"""What a run showed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.scale.triggerer import Cost


@dataclass
class Outcome:
    """What a run showed. Times are seconds after the beginning.

    Attributes:
        ids: the jobs' ids, by account, in the order of the waits.
        events: job id → status, error type and time, of its first event.
        doubled: events of a job beyond its first.
        requests: time, account, operation, HTTP status and path.
        costs: what each triggerer used, second by second.
        started: seconds from each triggerer's start until all triggers were its own.
        killed: when the triggerer was killed; None where it was not.
        ended: when the run was over.
    """

    ids: dict[str, list[str]] = field(default_factory=dict)
    events: dict[str, tuple[str, str | None, float]] = field(default_factory=dict)
    doubled: int = 0
    requests: list[tuple[float, str, str, int, str]] = field(default_factory=list)
    costs: list[list[Cost]] = field(default_factory=list)
    started: list[float] = field(default_factory=list)
    killed: float | None = None
    ended: float = 0.0

    @property
    def waits(self) -> int:
        """All of them."""
        return sum(map(len, self.ids.values()))

    def save(self, path: Path) -> None:
        """Keep it in a file."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> Outcome:
        """Read it from there."""
        found = cls(**json.loads(path.read_text()))
        found.costs = [[Cost(*each) for each in costs] for costs in found.costs]
        return found
