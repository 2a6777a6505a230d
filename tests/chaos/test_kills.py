"""A try killed before any line around the submit, and the next one: one job at the vendor.

One vendor in `make test`, all of them in `make chaos`.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.operators.job_record import STATE_KEY
from tests.support.airflow_jobs import VENDORS, count, work

ALL = int(os.environ.get("CHAOS_EXAMPLES", "200")) > 200
LISTS_ALL = ("batchcom", "apartmentiq")
# Lines between the one that stores the intent and the one that hands the request's first byte to the operating system:
# there nothing has gone, and nobody can know that. Before the intent was stored last, there were 229 of 619.
MOST_UNSENT = 15
pytestmark = pytest.mark.timeout(1200)


class Tries:
    """A fork server, and the task whose tries it runs: each :meth:`begin` is a new one."""

    def __init__(self, emulator: Emulator, vendor: str, folder: Path) -> None:
        self._emulator, self._vendor = emulator, vendor
        self._store = folder / "state.json"
        self._work = work(vendor, folder)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.kill_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def begin(self) -> None:
        """A vendor without jobs, and a task that was never tried."""
        self._emulator.reset()
        self._emulator.world.run_seconds = 3600
        self._store.unlink(missing_ok=True)

    def run(self, fatal: int = 0) -> dict[str, Any]:
        """One try, killed before its line number ``fatal``."""
        conn_id = str(self._work["conn_id"])
        order = {
            "conn_id": conn_id, "connection": self._emulator.connections()[conn_id], "store": str(self._store),
            "request": self._work.get("request"), "file": self._work.get("file"), "fatal": fatal,
        }  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert answer["threads"] == 1  # or the forks would prove nothing
        return answer

    @property
    def record(self) -> dict[str, Any] | None:
        """What the task has stored."""
        return json.loads(self._store.read_text())[STATE_KEY] if self._store.exists() else None

    def minutes_pass(self, minutes: float) -> None:
        """What was stored was stored so much earlier."""
        record = self.record
        assert record is not None
        for name in ("submitted_at", "lost_at"):
            if record[name]:
                record[name] = (datetime.fromisoformat(record[name]) - timedelta(minutes=minutes)).isoformat()
        self._store.write_text(json.dumps({STATE_KEY: record}))

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(rate_limits=False) as emulator:
        yield emulator


def settled(emulator: Emulator, vendor: str) -> int:
    """How many jobs there are, once whatever was on its way to the vendor has arrived.

    The emulator serves all requests in one event loop: after some of ours, those that were there before are done.
    """
    for _ in range(4):
        with contextlib.closing(HTTPConnection("127.0.0.1", emulator.port, timeout=30.0)) as connection:
            connection.request("GET", "/_emulator/health")
            connection.getresponse().read()
    return len(emulator.jobs(vendor))


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "lost"])
@pytest.mark.parametrize("vendor", VENDORS if ALL else ["apartmentiq"])
def test_a_kill_before_every_line(emulator: Emulator, tmp_path: Path, vendor: str, lost: bool) -> None:
    """Also where the submit's answer is lost, and the try that looks for the job is killed."""
    tries = Tries(emulator, vendor, tmp_path)
    unsent = []
    try:
        tries.begin()
        tries.run()  # warms up
        tries.begin()
        lines = whole_try(tries, emulator, lost)["lines"]
        assert lines > 150
        # `make chaos` has time for each line of the rarer case, too.
        for fatal in range(1, lines + 1, 1 if ALL or not lost else 8):
            tries.begin()
            if lost:
                emulator.add_fault(Fault("reset", operation="submit", processed=True))
            first = tries.run(fatal)
            if fatal > first.get("lines", fatal):  # a try may need a line fewer, when an answer comes in one piece
                assert fatal > lines - 10, (fatal, first)
                continue
            assert first.get("killed"), (fatal, first)
            emulator.clear_faults()
            taken = settled(emulator, vendor)
            sent = count(emulator, "submit")
            intended = tries.record is not None
            if not intended and fatal > 1:  # as if it had never been tried, which the first round has shown to end well
                assert (sent, taken) == (0, 0), fatal
                continue
            last = tries.run()
            if "error" in last and not sent:
                unsent.append(fatal)
            if "error" in last and vendor in LISTS_ALL:
                assert (last["error"], last["retryable"]) == ("SubmitUncertainError", True), (fatal, last)
                tries.minutes_pass(10)
                last = tries.run()
            if "job" in last:
                [job] = emulator.jobs(vendor)
                assert last["job"] == job.id, fatal
            else:  # nobody can know, and nothing is sent again
                assert last["error"] == "SubmitUncertainError", (fatal, last)
                assert intended, fatal
                assert settled(emulator, vendor) == taken, fatal
                assert vendor == "proofy" or not taken, fatal
    finally:
        tries.close()
    assert len(unsent) <= MOST_UNSENT, unsent


def whole_try(tries: Tries, emulator: Emulator, lost: bool) -> dict[str, Any]:
    """A try that nothing kills."""
    if lost:
        emulator.add_fault(Fault("reset", operation="submit", processed=True))
    return tries.run()
