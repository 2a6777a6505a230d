from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from airflow_provider_batchdl.emulator import Emulator, ManualClock

from .helpers import client


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def emulator(clock: ManualClock) -> Iterator[Emulator]:
    """An emulator on a clock that stands still: a job queues for 10 s and runs for 20 s."""
    with Emulator(clock=clock, queue_seconds=10, run_seconds=20, rate_limits=False) as running:
        yield running


@pytest.fixture
def revenuebase(emulator: Emulator) -> Iterator[httpx.Client]:
    with client(emulator, "revenuebase") as api:
        yield api


@pytest.fixture
def proofy(emulator: Emulator) -> Iterator[httpx.Client]:
    with client(emulator, "proofy") as api:
        yield api


@pytest.fixture
def batchcom(emulator: Emulator) -> Iterator[httpx.Client]:
    with client(emulator, "batchcom") as api:
        yield api


@pytest.fixture
def apartmentiq(emulator: Emulator) -> Iterator[httpx.Client]:
    with client(emulator, "apartmentiq") as api:
        yield api
