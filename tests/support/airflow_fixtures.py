"""Fixtures for tests that run tasks: the Execution API in memory, and a hand on what happens between two polls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from airflow_provider_batchdl.client import policy
from airflow_provider_batchdl.polling.backoff import PollBackoff
from tests.support.leaks import find_secrets

if TYPE_CHECKING:
    from tests.support.airflow_api import ExecutionApi


@pytest.fixture
def api() -> Iterator[ExecutionApi]:
    """An empty Execution API; at the end, nothing that reached it may show a secret."""
    from tests.support.airflow_api import ExecutionApi  # what it stands on is younger than Airflow 3.2

    running = ExecutionApi()
    yield running
    assert not find_secrets("\n".join(running.sent))


@dataclass
class Polls:
    """What happens before the next polls of a job, one thing before each; the waits themselves are short."""

    first_waits: list[float] = field(default_factory=list)
    _then: list[Callable[[], object]] = field(default_factory=list)

    def before_next(self, *actions: Callable[[], object]) -> None:
        """Do these before the next poll, the one after, and so on."""
        self._then += actions

    def pause(self, real: float) -> float:
        """Stand in for the wait between two polls, which would have been ``real`` seconds."""
        self.first_waits.append(real)
        if self._then:
            self._then.pop(0)()
        return 0.01


@pytest.fixture
def polls(monkeypatch: pytest.MonkeyPatch) -> Polls:
    """Between two polls a test acts, instead of time passing; requests are retried without a pause.

    And the end of a killed task has as long for its cancel as a busy machine needs.
    """
    from airflow_provider_batchdl._tasks import cancel

    controlled = Polls()
    real = PollBackoff.next_delay
    monkeypatch.setattr(PollBackoff, "next_delay", lambda backoff: controlled.pause(real(backoff)))
    monkeypatch.setattr(policy, "BACKOFF_CAP", 0.0)
    monkeypatch.setattr(cancel, "KILL_SECONDS", 60.0)
    return controlled
