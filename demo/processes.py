"""Airflow's four components as processes of ours: all started, all watched, none left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import psutil

from demo.home import ROOT, Home

# In the order in which they are needed: nothing happens before the API answers and the DAGs are parsed.
COMPONENTS: dict[str, Sequence[str]] = {
    "api-server": (),
    "dag-processor": (),
    # Their log servers listen on every interface of the machine and can't be told not to. Nobody needs them here: the
    # API server reads the log files themselves.
    "scheduler": ("--skip-serve-logs",),
    "triggerer": ("--skip-serve-logs",),
}
STOP_SECONDS = 5.0
TAIL_LINES = 25


class ComponentDied(Exception):  # noqa: N818 (what happened, in the words of the message)
    """A component ended while it should run."""

    def __init__(self, name: str, code: int, log: Path) -> None:
        super().__init__(f"Airflow's {name} ended with exit code {code}. The end of {log}:\n\n{tail(log)}")


class AirflowProcesses:
    """A context manager: all components run inside it, and none, nor any child of theirs, after it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> AirflowProcesses:
        try:
            command = [sys.executable, "-m", "demo.guard", str(self._home.airflow)]
            self._guard = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True)
            for name, options in COMPONENTS.items():
                self._start(name, options)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, name: str, options: Sequence[str]) -> None:
        with self._log(name).open("wb") as out:
            self._running[name] = subprocess.Popen(
                # `-m airflow`, not the `airflow` script beside Python: its first line can't hold a path with a space.
                [sys.executable, "-m", "airflow", name, *options],
                env=self._home.environment(),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                # A Ctrl-C is ours: we end them in order, instead of the terminal ending all at once.
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self._home.folder / f"{name}.log"

    def check(self) -> None:
        """Raise ComponentDied if one has ended."""
        for name, process in self._running.items():
            if (code := process.poll()) is not None:
                raise ComponentDied(name, code, self._log(name))

    def stop(self) -> None:
        """Ask them to end, then make sure of it. Ends within seconds, whatever they do."""
        # Not the API server: the others talk to it while they end, it has nothing to write, and takes itself apart
        # for four seconds. It is ended with what is left.
        patient = [process for name, process in self._running.items() if name != "api-server"]
        for process in patient:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in patient:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
        end_strays(self._home.airflow, signal.SIGKILL)
        for process in self._running.values():
            process.wait()
        if self._guard and self._guard.stdin:
            self._guard.stdin.close()
            self._guard.wait()


def strays(airflow_home: Path) -> list[psutil.Process]:
    """Every process of a run's Airflow: its home is in their environment, and in nobody else's.

    Tasks lead process groups of their own and outlive a killed scheduler, so groups and parents don't tell.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("AIRFLOW_HOME") == str(airflow_home) and process.pid != os.getpid():
                found.append(process)
    return found


def end_strays(airflow_home: Path, number: signal.Signals = signal.SIGTERM) -> None:
    """End what is left of a run's Airflow, and what that may just have started; by force what lingers."""
    for _ in range(10):
        left = strays(airflow_home)
        if not left:
            return
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
        psutil.wait_procs(left, timeout=STOP_SECONDS)
        number = signal.SIGKILL


def tail(log: Path) -> str:
    """The last lines of a log."""
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
    return "(no log)"
