"""How many connections: as many as help."""

from __future__ import annotations

import pytest

from airflow_provider_batchdl.transfer.parallel.scaling import LISTEN, PATIENCE, ConnectionScaler, Meter


def settled(pipe: float, *, limit: int = 8, one: float = 10.0) -> list[int]:
    """The numbers tried, where each connection brings ``one`` a second and all together no more than ``pipe``."""
    growth = ConnectionScaler(limit, min(one, pipe))
    tried, now, arrived = [growth.wanted], 0.0, 0.0
    for _ in range(200):
        now += LISTEN / 2
        arrived += min(growth.wanted * one, pipe) * LISTEN / 2
        wanted = growth.observe(now, int(arrived * 1000) // 1000, growth.wanted)
        if wanted != tried[-1]:
            tried.append(wanted)
    return tried


@pytest.mark.parametrize(
    ("pipe", "numbers"),
    [
        (1000.0, [4, 8]),  # each is capped: eight of them bring eight times as much
        (40.0, [4, 8, 4]),  # four fill the pipe; eight bring no more, and are taken back
        (10.0, [4, 1]),  # one fills it
    ],
)
def test_it_grows_as_long_as_that_helps(pipe: float, numbers: list[int]) -> None:
    assert settled(pipe * 1000, one=10_000.0) == numbers


@pytest.mark.parametrize(("limit", "numbers"), [(1, [1]), (2, [2]), (3, [3]), (5, [4, 5]), (16, [4, 8, 16])])
def test_it_never_passes_the_limit(limit: int, numbers: list[int]) -> None:
    assert settled(10**9, limit=limit, one=10_000.0) == numbers


def test_a_server_that_refuses_more_has_the_last_word() -> None:
    growth = ConnectionScaler(8, 1.0)
    growth.cap(3)
    assert growth.wanted == 3
    assert growth.observe(100.0, 10**9, 3) == 3


def test_connections_that_never_deliver_are_not_waited_for_without_end() -> None:
    growth = ConnectionScaler(8, 1000.0)
    growth.observe(1.0, 0, 1)
    growth.observe(1.0 + PATIENCE, 1000, 1)
    assert growth.observe(1.0 + PATIENCE + LISTEN, 1100, 1) == 1


def test_a_source_that_is_there_at_once_is_not_what_we_wait_for() -> None:
    meter = Meter()
    assert list(meter.timed([b"one", b"two"])) == [b"one", b"two"]
    assert not meter.source_bound
