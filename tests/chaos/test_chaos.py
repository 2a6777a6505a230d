"""Several faults and kills at random bytes: nothing wrong is ever visible, and in the end the file is there.

The schedules drawn here are always the same; `make chaos` draws thousands of others. What that finds goes into `FOUND`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from airflow_provider_batchdl.emulator.faults import RANGE_KINDS
from tests.chaos.play import Stage, play, stage
from tests.chaos.schedule import (
    ANYWHERE,
    IN_A_STORE,
    MIB,
    PARALLEL_SIZES,
    PART,
    RANGED,
    Harm,
    Kill,
    Schedule,
    Where,
    schedules,
)
from tests.support.seaweedfs import S3Store

EXAMPLES = int(os.environ.get("CHAOS_EXAMPLES", "60"))
FIRST_SEED = int(os.environ.get("CHAOS_SEED", "0"))
SHARD = 10
"""Schedules drawn from one seed. With more, Hypothesis turns to variations of those it has already had."""

settings.register_profile(
    "chaos",
    max_examples=SHARD,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
pytestmark = pytest.mark.timeout(1200)  # to find the smallest example that still fails takes many
without_ranges = ("batchcom", "revenuebase", "proofy")
ranged = tuple(RANGED)


def shards(share: float) -> pytest.MarkDecorator:
    """As many seeds as give a share of all examples."""
    return pytest.mark.parametrize("number", range(FIRST_SEED, FIRST_SEED + max(1, round(EXAMPLES * share / SHARD))))


FOUND = [
    # A login page in place of a file that only its own header would have named: it was landed.
    Schedule("revenuebase", "disk", 0, (Harm("html"),), folder=True),
    # Killed with a partial under the name that such a page has; the next try lands under the file's own.
    Schedule("revenuebase", "disk", 1, (Harm("html"),), (Kill("step", 3),), folder=True),
    # Killed between taking away the note and giving the file its name: the one kill that costs a whole file.
    *(Schedule("apartmentiq", "disk", MIB, kills=(Kill("step", step),), folder=True) for step in range(7, 12)),
    # Several connections given up, and killed before the file was cut to what one goes on with: its holes were landed.
    *(
        Schedule("apartmentiq", "disk", 3 * MIB, (Harm("ignore_range"),), (Kill("step", step),), connections=2)
        for step in range(8, 14)
    ),
    # All bytes came, but not the end of them, and no length: the server's word that nothing follows was not taken.
    Schedule("apartmentiq", "disk", 6 * MIB + 1, (Harm("chunked_eof", at=6 * MIB + 1),), folder=True),
]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("chaos"), None) as ready:
        yield ready


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory, s3_store: S3Store) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("chaos"), s3_store) as ready:
        yield ready


def draw_and_play(stage: Stage, number: int, strategy: st.SearchStrategy[Schedule]) -> None:
    @seed(number)
    @settings(settings.get_profile("chaos"))
    @given(schedule=strategy)
    def played(schedule: Schedule) -> None:
        note(f"To try it again, put this into FOUND in tests/chaos/test_chaos.py:\n    {schedule!r},")
        play(stage, schedule)

    played()


@shards(0.36)
def test_to_disk(disk: Stage, number: int) -> None:
    draw_and_play(disk, number, schedules(vendors=ranged, to="disk"))


@shards(0.19)
def test_to_disk_in_parallel(disk: Stage, number: int) -> None:
    draw_and_play(disk, number, schedules(vendors=ranged, to="disk", connections=(2, 8)))


@shards(0.19)
def test_to_disk_without_ranges(disk: Stage, number: int) -> None:
    draw_and_play(disk, number, schedules(vendors=without_ranges, to="disk"))


@shards(0.14)
def test_to_s3(s3: Stage, number: int) -> None:
    draw_and_play(s3, number, schedules(vendors=ranged, to="s3"))


@shards(0.06)
def test_to_s3_in_parallel(s3: Stage, number: int) -> None:
    draw_and_play(s3, number, schedules(vendors=ranged, to="s3", connections=(2, 8)))


@shards(0.06)
def test_to_s3_without_ranges(s3: Stage, number: int) -> None:
    draw_and_play(s3, number, schedules(vendors=without_ranges, to="s3"))


@pytest.mark.parametrize("to", ["disk", "s3"])
def test_what_is_drawn_to_be_parallel_is(request: Any, to: Where) -> None:
    """Else the tests above would prove nothing of several connections."""
    [outcome] = play(request.getfixturevalue(to), Schedule("apartmentiq", to, PARALLEL_SIZES[to][-1], connections=8))
    assert outcome.landing is not None
    assert outcome.landing.connections > 1


KINDS = [*ANYWHERE, *IN_A_STORE]
BEFORE_A_FAULT = [
    (kind, to, before)
    for number, kind in enumerate(KINDS)
    for to in ("disk", "s3")
    for which, before in enumerate(("break", "kill"))
    # S3 takes ten times as long: what is left of the pairs, `make chaos` has.
    if to == "disk" or EXAMPLES > 200 or which == number % 2
]


@pytest.mark.parametrize(("kind", "to", "before"), BEFORE_A_FAULT)
def test_each_fault_meets_what_a_break_or_a_kill_left(request: Any, to: Where, kind: str, before: str) -> None:
    """The pairs that matter most, which few of so many schedules have."""
    on_stage, size = request.getfixturevalue(to), 2 * MIB + 1 if to == "disk" else 2 * PART + MIB
    if before == "break":
        broken = Harm("cut", at=size * 2 // 3), Harm(kind, at=MIB // 3)
        play(on_stage, Schedule("apartmentiq", to, size, broken))
    else:
        next_one = Harm(kind, at=MIB // 3, after=0 if kind in RANGE_KINDS else 1)
        play(on_stage, Schedule("apartmentiq", to, size, (next_one,), (Kill("byte", size * 2 // 3),), previous=True))


def test_a_killed_upload_is_gone_on_with(s3: Stage) -> None:
    """The bytes drawn above are mostly too few to tell that from a new beginning; these are not."""
    size = 8 * PART
    play(s3, Schedule("apartmentiq", "s3", size, kills=(Kill("byte", size - PART),)))


@pytest.mark.parametrize("schedule", FOUND, ids=repr)
def test_found(request: Any, schedule: Schedule) -> None:
    play(request.getfixturevalue(schedule.to), schedule)
