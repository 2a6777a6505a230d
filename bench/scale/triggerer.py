"""A real `airflow triggerer`: started, watched second by second, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import psutil

from bench.scale.database import Databases

TAIL = 4000


class Cost(NamedTuple):
    """What a triggerer has used at one moment.

    Args:
        at: Unix time.
        runner_cpu: CPU seconds so far of the process with the event loop.
        runner_mib: its resident memory.
        parent_cpu: the same of the process that has it under its care and talks with the metadata database.
        parent_mib: the same.
        database_cpu: CPU seconds so far of the database server, all its processes together.
    """

    at: float
    runner_cpu: float
    runner_mib: float
    parent_cpu: float
    parent_mib: float
    database_cpu: float


class Triggerer:
    """A context manager: the triggerer runs inside it, and is killed with its child at the end.

    Args:
        folder: where its output goes.
        environment: Airflow's settings.
        capacity: the triggers that it takes.
        databases: those of its database server.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], capacity: int, databases: Databases) -> None:
        self.costs: list[Cost] = []
        self._output = folder / "triggerer.log"
        self._environment = dict(environment)
        self._capacity = capacity
        self._databases = databases
        self._stopped = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Triggerer:
        """Start."""
        command = [sys.executable, "-m", "airflow", "triggerer", "--skip-serve-logs", "--capacity", str(self._capacity)]
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """SIGKILL, to both processes at once."""
        self._stopped.set()
        self._watcher.join()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def check(self) -> None:
        """Raise RuntimeError where it has ended by itself."""
        if self._process.poll() is not None:
            end = self._output.read_text(errors="replace")[-TAIL:]
            raise RuntimeError(f"the triggerer ended by itself, with exit code {self._process.returncode}:\n{end}")

    def _watch(self) -> None:
        parent = psutil.Process(self._process.pid)
        while not self._stopped.wait(1.0):
            try:
                children = parent.children()
                if children:
                    self.costs.append(self._cost(parent, children[0]))
            except psutil.NoSuchProcess:
                return

    def _cost(self, parent: psutil.Process, runner: psutil.Process) -> Cost:
        return Cost(time.time(), *_used(runner), *_used(parent), self._databases.cpu_seconds())


def _used(process: psutil.Process) -> tuple[float, float]:
    with process.oneshot():
        times = process.cpu_times()
        return times.user + times.system, process.memory_info().rss / (1 << 20)
