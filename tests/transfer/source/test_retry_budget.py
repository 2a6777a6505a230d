"""How long a transfer that is interrupted again and again may go on."""

from __future__ import annotations

import pytest

from airflow_provider_batchdl.transfer.source import retry_budget
from airflow_provider_batchdl.transfer.source.retry_budget import RetryBudget
from airflow_provider_batchdl.transfer.source.stream import InterruptedTransferError


class Source:
    """A source that sends a few bytes for each connection, and takes its time over them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, seconds: float, count: int, total: int) -> None:
        self.now, self.at, self.attempts = 0.0, 0, 0
        self._seconds, self._count, self._total = seconds, count, total
        monkeypatch.setattr(retry_budget, "monotonic", lambda: self.now)

    def attempt(self) -> int:
        self.attempts += 1
        self.now += self._seconds
        self.at += self._count
        if self.at < self._total:
            raise InterruptedTransferError("cut")
        return self.at

    def run(self) -> int:
        def ignore(_: object, seconds: float) -> None:
            self.now += seconds

        return RetryBudget("proofy").run(self.attempt, lambda: self.at, ignore)


@pytest.mark.parametrize(("seconds", "count"), [(60.0, 1), (60.0, 14_000), (0.1, 1)], ids=["stall", "packets", "cut"])
def test_a_few_bytes_for_each_connection_are_no_progress_for_ever(
    monkeypatch: pytest.MonkeyPatch, seconds: float, count: int
) -> None:
    source = Source(monkeypatch, seconds=seconds, count=count, total=1 << 30)
    with pytest.raises(InterruptedTransferError):
        source.run()
    assert 240 < source.now < 600


@pytest.mark.parametrize(("seconds", "count"), [(60.0, 1 << 20), (20.0, 100_000), (0.1, 4096)])
def test_a_bad_line_that_is_fast_enough_is_used_to_the_end(
    monkeypatch: pytest.MonkeyPatch, seconds: float, count: int
) -> None:
    assert Source(monkeypatch, seconds=seconds, count=count, total=count * 500).run() == count * 500
