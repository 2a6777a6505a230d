"""One run: the vendors in one process, a metadata database, a real triggerer, and what came of it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from bench.scale.database import Databases
from bench.scale.outcome import Outcome
from bench.scale.triggerer import Triggerer

STARTED_SECONDS = 900.0
STOP_SECONDS = 60.0
SPARE_CAPACITY = 1000
# Triggerers so far, and triggers that the newest has not taken.
TAKEN = """
SELECT count(*), (SELECT count(*) FROM trigger WHERE triggerer_id IS DISTINCT FROM max(job.id))
FROM job WHERE job_type = 'TriggererJob'
"""
CHANGES = "SELECT at, task_id, map_index, state, next_method, next_kwargs FROM changes ORDER BY at"


class Run:
    """A run under way.

    Args:
        folder: for what the processes write.
        databases: those of the server.
        database: the one of this run.
        environment: Airflow's settings.
        vendors: the vendors' process.
        ids: the jobs' ids, by account.
    """

    def __init__(
        self,
        folder: Path,
        databases: Databases,
        database: str,
        environment: Mapping[str, str],
        vendors: subprocess.Popen[str],
        ids: dict[str, list[str]],
    ) -> None:
        self._folder, self._databases, self._database = folder, databases, database
        self._environment, self._vendors = environment, vendors
        self._began = time.time()
        self.outcome = Outcome(ids=ids)

    def start_clock(self) -> None:
        """Let time begin."""
        self._began = float(json.loads(say(self._vendors, "go")))

    def now(self) -> float:
        """Seconds after the beginning."""
        return time.time() - self._began

    @contextmanager
    def triggerer(self) -> Iterator[Triggerer]:
        """A triggerer, killed at the end."""
        capacity = self.outcome.waits + SPARE_CAPACITY
        triggerer = Triggerer(self._folder, self._environment, capacity, self._databases)
        with triggerer:
            yield triggerer
            triggerer.check()
        self.outcome.costs.append([cost._replace(at=cost.at - self._began) for cost in triggerer.costs])

    def until_started(self, triggerer: Triggerer) -> None:
        """Wait until the newest triggerer has taken all triggers."""
        began, number = time.monotonic(), len(self.outcome.started) + 1
        with self._databases.connect(self._database) as connection:
            while time.monotonic() < began + STARTED_SECONDS:
                triggerer.check()
                triggerers, others = connection.execute(text(TAKEN)).one()
                if (triggerers, others) == (number, 0):
                    self.outcome.started.append(time.monotonic() - began)
                    return
                time.sleep(0.5)
        raise RuntimeError(f"the triggerer has not taken all triggers within {STARTED_SECONDS:.0f} s")

    def sleep_until(self, moment: float, triggerer: Triggerer) -> None:
        """Wait for a moment after the beginning."""
        while (left := moment - self.now()) > 0:
            triggerer.check()
            time.sleep(min(left, 1.0))

    def read_events(self) -> dict[str, tuple[str, str | None, float]]:
        """The events so far, as the metadata database has them."""
        events: dict[str, tuple[str, str | None, float]] = {}
        self.outcome.doubled = 0
        with self._databases.connect(self._database) as connection:
            for at, name, index, state, method, kwargs in connection.execute(text(CHANGES)):
                job_id = self.outcome.ids[name][index]
                event = (json.loads(kwargs) or {}).get("event", {})
                good = state == "scheduled" and method == "execute_complete"
                status = event.get("status", "none") if good else f"{state} {method}"
                self.outcome.doubled += job_id in events
                events.setdefault(job_id, (status, (event.get("error") or {}).get("type"), at - self._began))
        self.outcome.events = events
        return events

    def finish(self) -> Outcome:
        """Stop the vendors and read their log and the events."""
        self.outcome.ended = self.now()
        self._vendors.communicate("stop\n", timeout=STOP_SECONDS)
        log = json.loads((self._folder / "requests").read_text())
        self.outcome.requests = [tuple(each) for each in log]
        self.read_events()
        return self.outcome


def say(process: subprocess.Popen[str], line: str) -> str:
    """Give the vendors' process a line, and get one."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline()
