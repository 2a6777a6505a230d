"""A backend for Airflow's metrics that keeps what it is told."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass
class Stats:
    """Takes what Airflow would send to StatsD.

    Attributes:
        seen: name, value and tags of each, in order; of those that the provider sends only.
        threads: where they came from.
    """

    seen: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)
    threads: set[threading.Thread] = field(default_factory=set)

    def incr(self, stat: str, count: int = 1, rate: float = 1, *, tags: dict[str, str] | None = None) -> None:
        self._take(stat, count, tags)

    def timing(self, stat: str, dt: Any, *, tags: dict[str, str] | None = None) -> None:
        self._take(stat, dt, tags)

    def gauge(self, stat: str, value: float, *, tags: dict[str, str] | None = None) -> None:
        self._take(stat, value, tags)

    def _take(self, stat: str, value: Any, tags: dict[str, str] | None) -> None:
        if stat.startswith(("batchdl.", "resumable_job.")):
            self.seen.append((stat, value, tags or {}))
            self.threads.add(threading.current_thread())

    def counted(self, stat: str, *by: str) -> dict[Any, Any]:
        """A counter's sums by the values of these tags; by that alone where there is one tag."""
        sums: Counter[Any] = Counter()
        for name, value, tags in self.seen:
            if name == stat:
                sums[tuple(tags[tag] for tag in by) if len(by) > 1 else tags[by[0]]] += value
        return dict(sums)

    def values(self, stat: str) -> list[Any]:
        """All values of a timer or gauge."""
        return [value for name, value, _ in self.seen if name == stat]


@pytest.fixture
def stats(monkeypatch: pytest.MonkeyPatch) -> Stats:
    """What the provider sends comes here, and does not reach what Airflow is configured to send to."""
    from airflow_provider_batchdl._airflow import compat  # imports Airflow, which few test processes need

    taken, real = Stats(), compat.stats_client()
    for name in ("incr", "timing", "gauge"):
        monkeypatch.setattr(real, name, getattr(taken, name), raising=False)
    return taken
