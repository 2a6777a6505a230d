"""Fixtures of the worker and user half of the matrix; its conftest takes them over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator
from tests.support.matrix.kill import KILLS
from tests.support.matrix.marked import VENDORS, connection_of
from tests.support.matrix.run import Run
from tests.support.stack.base import Stack

DAGS = Path(__file__).parents[2] / "system" / "matrix" / "dags"
# Jobs end when a test says so.
FOREVER = 24 * 3600.0

Trigger = Callable[[str], Run]
Kill = Callable[[Stack], None]


@pytest.fixture(scope="session")
def kill_vendors() -> Iterator[Emulator]:
    """The vendors of all cases."""
    with Emulator(port=0, queue_seconds=0.0, run_seconds=FOREVER, rate_limits=False) as emulator:
        yield emulator


@pytest.fixture
def kill(request: pytest.FixtureRequest, stack: Stack) -> Kill:
    """A way in which workers die."""
    if stack.workers and request.param != "machine":
        pytest.skip("where workers are processes of their own, it is these that die")
    return KILLS[request.param]


@pytest.fixture
def trigger(stack: Stack, kill_vendors: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trigger]:
    """Starts a run of one of the DAGs; afterwards the vendors are at peace again."""
    connections = {}
    for vendor in VENDORS:
        fields = kill_vendors.connections()[f"{vendor}_default"]
        pace = {"poll_interval": 1, "max_poll_interval": 2, "rate_limit": "1000/1"}
        extra = {**(fields["extra"] if isinstance(fields["extra"], dict) else json.loads(fields["extra"])), **pace}
        connections[connection_of(vendor)] = {**fields, "extra": json.dumps(extra)}
        # For this process, to look at what an undisturbed task would have landed.
        monkeypatch.setenv(f"AIRFLOW_CONN_{connection_of(vendor).upper()}", json.dumps({**fields, "extra": extra}))
    stack.prepare(DAGS, connections)
    yield lambda dag_id: Run(stack, kill_vendors, stack.dags.parent / "kills", dag_id)
    kill_vendors.clear_faults()
    kill_vendors.set_speed(None)
    for vendor in VENDORS:
        kill_vendors.set_result(vendor, None)
        for job in kill_vendors.jobs(vendor):
            if not job.phase.is_terminal:
                job.finish()
    stack.mend()
