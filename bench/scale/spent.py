"""What a triggerer uses in steady state."""

from __future__ import annotations

from dataclasses import dataclass

from bench.scale.outcome import Outcome


@dataclass(frozen=True)
class Spent:
    """CPU as a share of one core, and the most resident memory in MiB, after the beginning.

    Args:
        runner_cpu: of the process with the event loop.
        parent_cpu: of its parent.
        database_cpu: of the database server.
        runner_mib: of the process with the event loop.
        parent_mib: of its parent.
        taking: CPU seconds of parent and database server for each trigger that was taken, before the beginning.
    """

    runner_cpu: float
    parent_cpu: float
    database_cpu: float
    runner_mib: float
    parent_mib: float
    taking: float

    @property
    def cpu(self) -> float:
        """Of the triggerer's two processes together."""
        return self.runner_cpu + self.parent_cpu

    @property
    def mib(self) -> float:
        """Of the triggerer's two processes together."""
        return self.runner_mib + self.parent_mib

    @classmethod
    def of(cls, outcome: Outcome, until: float) -> Spent:
        """What the first triggerer of a run used, from the beginning to ``until``."""
        span = [cost for cost in outcome.costs[0] if 0 <= cost.at <= until]
        born, first, last = outcome.costs[0][0], span[0], span[-1]
        seconds = last.at - first.at
        taken = first.parent_cpu - born.parent_cpu + first.database_cpu - born.database_cpu
        return cls(
            runner_cpu=(last.runner_cpu - first.runner_cpu) / seconds,
            parent_cpu=(last.parent_cpu - first.parent_cpu) / seconds,
            database_cpu=(last.database_cpu - first.database_cpu) / seconds,
            runner_mib=max(cost.runner_mib for cost in span),
            parent_mib=max(cost.parent_mib for cost in span),
            taking=taken / outcome.waits,
        )
