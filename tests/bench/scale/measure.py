"""One run: the vendors in one process, the triggers in another, and what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.scale.plan import End

# Least seconds between two looks: as often as the limit allows, which is what is measured here.
POLL_INTERVAL = 1.0


@dataclass
class Outcome:
    """What a run showed. Times are seconds after the beginning.

    Attributes:
        events: job id → status, error type and time, of its first event.
        doubled: events of a job beyond its first.
        requests: time, vendor, operation and HTTP status.
        costs: time, CPU seconds and MiB in memory, of each process that ran triggers.
        killed: when the process was killed, and when the next one began; None where it was not.
    """

    events: dict[str, tuple[str, str | None, float]] = field(default_factory=dict)
    doubled: int = 0
    requests: list[tuple[float, str, str, int]] = field(default_factory=list)
    costs: list[list[tuple[float, float, float]]] = field(default_factory=list)
    killed: tuple[float, float] | None = None
    ids: dict[str, list[str]] = field(default_factory=dict)

    def cpu_share(self, begin: float, end: float) -> float:
        """CPU seconds per second of the first process in a span of time."""
        span = [(at, cpu) for at, cpu, _ in self.costs[0] if begin <= at <= end]
        return (span[-1][1] - span[0][1]) / (span[-1][0] - span[0][0])

    def memory(self, begin: float, end: float) -> float:
        """The most MiB of the first process in a span of time."""
        return max(mib for at, _, mib in self.costs[0] if begin <= at <= end)


class Run:
    """A run under way."""

    def __init__(self, folder: Path, vendors: subprocess.Popen[str], ids: dict[str, list[str]], env: dict[str, str]):
        self._folder, self._vendors, self._env = folder, vendors, env
        self._began = 0.0
        self._triggerers = 0
        self.outcome = Outcome(ids=ids)

    def start_clock(self) -> None:
        """Let time begin."""
        self._began = float(json.loads(_say(self._vendors, "go")))

    def now(self) -> float:
        """Seconds after the beginning."""
        return time.time() - self._began

    def sleep_until(self, moment: float) -> None:
        """Wait for a moment after the beginning."""
        time.sleep(max(0.0, moment - self.now()))

    @contextmanager
    def triggerer(self, kind: str) -> Iterator[None]:
        """A process that runs a trigger for each job that has had no event yet; it is killed at the end."""
        self._triggerers += 1
        costs = self._folder / f"costs-{self._triggerers}"
        told = self.read_events()
        jobs = [(vendor, job_id) for vendor, ids in self.outcome.ids.items() for job_id in ids if job_id not in told]
        order = {"kind": kind, "jobs": jobs, "events": str(self._folder / "events"), "costs": str(costs)}
        command = [sys.executable, "-m", "tests.bench.scale.triggerer"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env=self._env, text=True)
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(order))
            process.stdin.close()
            while not costs.exists() or not costs.stat().st_size:
                if process.poll() is not None:
                    raise RuntimeError("the triggers' process ended by itself")
                time.sleep(0.1)
            yield
            if process.poll() is not None:
                raise RuntimeError("the triggers' process ended by itself")
        finally:
            process.kill()
            process.wait()
            if costs.exists():
                notes = [json.loads(line) for line in _whole_lines(costs)]
                self.outcome.costs.append([(at - self._began, cpu, mib) for at, cpu, mib in notes])

    def read_events(self) -> dict[str, tuple[str, str | None, float]]:
        """The events so far."""
        path = self._folder / "events"
        self.outcome.events.clear()
        self.outcome.doubled = 0
        for line in _whole_lines(path) if path.exists() else ():
            job_id, status, error, at = json.loads(line)
            self.outcome.doubled += job_id in self.outcome.events
            self.outcome.events.setdefault(job_id, (status, error, at - self._began))
        return self.outcome.events

    def finish(self) -> Outcome:
        """Stop the vendors and read their log."""
        self._vendors.communicate("stop\n", timeout=60)
        log = json.loads((self._folder / "requests").read_text())
        self.outcome.requests = [tuple(each) for each in log]
        self.read_events()
        return self.outcome


@contextmanager
def begin(ends: Sequence[End]) -> Iterator[Run]:
    """Start the vendors, whose jobs end as ordered once the clock is started."""
    with tempfile.TemporaryDirectory(prefix="batchdl-scale-") as name:
        folder = Path(name)
        command = [sys.executable, "-m", "tests.bench.scale.vendors"]
        vendors = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            order = {"ends": [[end.vendor, end.index, end.at] for end in ends], "log": str(folder / "requests")}
            ready = json.loads(_say(vendors, json.dumps(order)))
            yield Run(folder, vendors, ready["ids"], _environment(folder, ready["connections"]))
        finally:
            vendors.kill()
            vendors.wait()


def _say(process: subprocess.Popen[str], line: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline()


def _environment(folder: Path, connections: dict[str, Any]) -> dict[str, str]:
    env = {**os.environ, "AIRFLOW_HOME": str(folder / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{folder}/airflow.db"
    for conn_id, connection in connections.items():
        polls = {"poll_interval": POLL_INTERVAL, "max_poll_interval": POLL_INTERVAL}
        value = {**connection, "extra": {**connection["extra"], **polls}}
        env[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(value)
    return env


def _whole_lines(path: Path) -> list[str]:
    """The lines of a file whose writer may have been killed in the midst of one."""
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
