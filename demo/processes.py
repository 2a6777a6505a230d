"""Airflow's four components as processes of ours: all started, all watched, none left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

from demo.home import ROOT, Home

# Each with the arguments of its `airflow` command. In the order in which they are needed: nothing happens before the
# API answers and the DAGs are parsed.
COMPONENTS: Mapping[str, Sequence[str]] = {
    "api-server": ("api-server",),
    "dag-processor": ("dag-processor",),
    # Their log servers always listen on every interface of the machine. They are not needed here: the API server reads
    # the log files themselves.
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
# This variable, which its children inherit, names the component that a process belongs to.
COMPONENT = "DEMO_COMPONENT"
STOP_SECONDS = 5.0
TAIL_LINES = 25


class ComponentDied(Exception):  # noqa: N818 (what happened, in the words of the message)
    """A component ended while it should run."""

    def __init__(self, name: str, code: int, log: Path) -> None:
        super().__init__(f"Airflow's {name} ended with exit code {code}. The end of {log}:\n\n{tail(log)}")


class AirflowProcesses:
    """A context manager: all components run inside it, and none, nor any child of theirs, after it.

    Args:
        home: whose Airflow it is.
        components: the arguments of each component's `airflow` command, by name.
    """

    def __init__(self, home: Home, components: Mapping[str, Sequence[str]] = COMPONENTS) -> None:
        self._home = home
        self._components = components
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._open = contextlib.ExitStack()

    def __enter__(self) -> AirflowProcesses:
        try:
            self._open.enter_context(guarded(self._home.airflow))
            for name in self._components:
                self.start(name)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> frozenset[str]:
        """The components that were started and neither killed nor terminated since."""
        return frozenset(self._running)

    def start(self, name: str) -> None:
        """Start a component that does not run."""
        # What an earlier one printed stays above.
        with self._log(name).open("ab") as out:
            self._running[name] = subprocess.Popen(
                # `-m airflow`, not the `airflow` script beside Python: its first line can't hold a path with a space.
                [sys.executable, "-m", "airflow", *self._components[name]],
                env={**self._home.environment(), COMPONENT: name},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                # A Ctrl-C is ours: we end them in order, instead of the terminal ending all at once.
                start_new_session=True,
            )

    def of(self, name: str | None = None) -> list[psutil.Process]:
        """The processes of a component, or of all, with its children and what those left behind."""
        return strays(self._home.airflow, name)

    def kill(self, name: str) -> None:
        """End a component and all its children by SIGKILL, as where the machine goes down."""
        process = self._running.pop(name)
        end_strays(self._home.airflow, signal.SIGKILL, name)
        process.wait()

    def terminate(self, name: str, patience: float) -> None:
        """Ask a component to end, as a deploy does, and wait until it has.

        Raises:
            subprocess.TimeoutExpired: it has not after `patience` seconds.
        """
        self._running[name].terminate()
        self._running[name].wait(patience)
        del self._running[name]

    def _log(self, name: str) -> Path:
        return self._home.folder / f"{name}.log"

    def ended(self) -> dict[str, int]:
        """The exit codes of those that have ended by themselves, by name."""
        codes = {name: process.poll() for name, process in self._running.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def check(self) -> None:
        """Raise ComponentDied if one has ended."""
        for name, code in self.ended().items():
            raise ComponentDied(name, code, self._log(name))

    def stop(self) -> None:
        """Ask them to end, then make sure of it. Ends within seconds, whatever they do."""
        known = self.of()  # as long as parents tell whose all children are
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
        end_strays(self._home.airflow, signal.SIGKILL, known=known)
        for process in self._running.values():
            process.wait()
        self._open.close()


@contextlib.contextmanager
def guarded(airflow_home: Path, *, remove: bool = False) -> Iterator[None]:
    """Inside it, this process may be killed, and what is left of the home's Airflow is ended nevertheless.

    Args:
        airflow_home: the home; processes that are no Airflow may have it in their environment, too.
        remove: afterwards, however this process ends, the folder is removed.
    """
    command = [sys.executable, "-m", "demo.guard", str(airflow_home), *(["--remove"] if remove else [])]
    guard = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        guard.communicate()


def strays(airflow_home: Path, component: str | None = None) -> list[psutil.Process]:
    """Every process of a run's Airflow, or of one component: they have its home in their environment, and nobody else.

    Tasks lead process groups of their own and outlive a killed scheduler, so groups and parents are not enough. From
    Airflow 3.2 on, a task's process hides its environment from everybody but root: these are found by their
    parents, for as long as those live.
    """
    found, hidden = [], []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            try:
                environment = process.environ()
            except psutil.AccessDenied:
                hidden.append(process)
                continue
            ours = environment.get("AIRFLOW_HOME") == str(airflow_home) and process.pid != os.getpid()
            if ours and component in (None, environment.get(COMPONENT)):
                found.append(process)
    known = {process.pid for process in found}
    for process in _oldest_first(hidden):
        with contextlib.suppress(psutil.Error):
            if process.ppid() in known:
                known.add(process.pid)
                found.append(process)
    return found


def end_strays(
    airflow_home: Path,
    number: signal.Signals = signal.SIGTERM,
    component: str | None = None,
    known: Iterable[psutil.Process] = (),
) -> None:
    """End what is left of a run's Airflow or a component, and what that just started; by force what lingers.

    Args:
        airflow_home: whose Airflow.
        number: what they get first.
        component: of this one only.
        known: the strays of a moment ago, those among them whose parents have ended since.
    """
    left = set(known)
    for _ in range(10):
        left = {process for process in left if _lives(process)}.union(strays(airflow_home, component))
        if not left:
            return
        for process in _oldest_first(left):  # so that none has the time to report how its child ended
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
        psutil.wait_procs(left, timeout=STOP_SECONDS)
        number = signal.SIGKILL


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _oldest_first(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Parents before their children; without those that have ended."""
    born = {}
    for process in processes:
        with contextlib.suppress(psutil.Error):
            born[process] = (process.create_time(), process.pid)
    return sorted(born, key=born.__getitem__)


def tail(log: Path) -> str:
    """The last lines of a log."""
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
    return "(no log)"
