"""What one run of one contender costs, and contenders in turn."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from bench.ballast import Ballast
from bench.proc import status_mib, wire_mib
from bench.settings import ROOT, RUNS

_FIRST_LOOK_S, _LOOK_S = 0.004, 0.05  # between two looks at a running process's peak: more of them at first


@dataclass(frozen=True)
class Cost:
    """What one run took.

    ``wall`` and ``cpu`` (user and system, seconds) are the work's: of a Python contender what comes after its imports,
    of a program all of it. ``process_wall`` and ``process_cpu`` are the whole process's, ``peak`` (MiB) too; ``over``
    is the peak over what the process had after its imports. ``wire`` (MiB) passed the loopback interface in that time;
    ``connections`` were open at once, where a relay counted.
    """

    wall: float
    cpu: float
    process_wall: float
    process_cpu: float
    peak: float
    over: float = 0.0
    wire: float = 0.0
    connections: int = 0


@dataclass(frozen=True)
class Contender:
    """How to run one, how to profile it where it is Python, and the most runs that it is worth: fewer of the slow."""

    run: Callable[[], Cost]
    profile: Callable[[], str] | None = None
    most_runs: int = 100


@dataclass(frozen=True)
class Series:
    """The runs of one contender in one case."""

    costs: tuple[Cost, ...]

    def values(self, figure: str) -> list[float]:
        """One figure of each run, the least first."""
        return sorted(getattr(cost, figure) for cost in self.costs)

    def median(self, figure: str) -> float:
        """The figure's own median."""
        return float(median(self.values(figure)))


@dataclass(frozen=True)
class Case:
    """What a case measured, by contender; ``note`` says how it was run, ``seconds`` how long it took."""

    series: dict[str, Series]
    note: str = ""
    seconds: float = 0.0


Results = dict[str, Case]


def in_turn(
    case: str, contenders: Mapping[str, Contender], prepare: Callable[[], None], ballast: Ballast, runs: int = RUNS
) -> Case:
    """Every contender ``runs`` times; the turns begin with another one each time."""
    began = time.monotonic()
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(runs):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            if turn >= contenders[name].most_runs:
                continue
            prepare()
            ballast.hold()
            os.sync()  # what the one before wrote is not paid for by the next
            with ballast.given():
                costs[name].append(contenders[name].run())
            print(f"{case} · {turn + 1}/{runs} · {name}: {costs[name][-1]}", file=sys.stderr)
    series = {name: Series(tuple(each)) for name, each in costs.items()}
    fewer = [f"{len(each)} of {name}" for name, each in costs.items() if len(each) < runs]
    note = ", ".join([f"{runs} {'runs' if runs > 1 else 'run'} each", *fewer])
    return Case(series, note, time.monotonic() - began)


def programs(*commands: Sequence[str], environment: Mapping[str, str]) -> Contender:
    """Programs, one after another; all that they cost is work."""

    def run() -> Cost:
        wire = wire_mib()
        costs = [_process(command, environment)[0] for command in commands]
        return Cost(
            wall=sum(cost.wall for cost in costs),
            cpu=sum(cost.cpu for cost in costs),
            process_wall=sum(cost.wall for cost in costs),
            process_cpu=sum(cost.cpu for cost in costs),
            peak=max(cost.peak for cost in costs),
            wire=wire_mib() - wire,
        )

    return Contender(run)


def python(order: Mapping[str, object], environment: Mapping[str, str]) -> Contender:
    """One of the contenders that `child` knows."""

    def obeyed(more: Mapping[str, object]) -> tuple[Cost, dict[str, Any]]:
        command = [sys.executable, "-m", "bench.child"]
        whole, said = _process(command, environment, json.dumps({**order, **more}))
        told: dict[str, Any] = json.loads(said.splitlines()[-1])
        return whole, told

    def run() -> Cost:
        wire = wire_mib()
        whole, told = obeyed({})
        return replace(whole, **told, wire=wire_mib() - wire)

    return Contender(run, lambda: str(obeyed({"profile": True})[1]["profile"]))


def _process(command: Sequence[str], environment: Mapping[str, str], told: str = "") -> tuple[Cost, str]:
    """What a process costs, and its output. Its peak is looked up while it runs: `ru_maxrss` begins with our own."""
    with tempfile.TemporaryFile() as order, tempfile.TemporaryFile() as said:
        order.write(told.encode())
        order.seek(0)
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=order, stdout=said, env=dict(environment), cwd=ROOT)
        peak, pause, handle = 0.0, _FIRST_LOOK_S, os.pidfd_open(process.pid)
        while not select.select([handle], [], [], pause)[0]:
            peak, pause = max(peak, status_mib("VmHWM", process.pid)), min(2 * pause, _LOOK_S)
        wall = time.perf_counter() - began
        os.close(handle)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{list(command[:3])} failed with {process.returncode}: {told}")
        said.seek(0)
        cpu = usage.ru_utime + usage.ru_stime
        return Cost(wall, cpu, wall, cpu, peak), said.read().decode()
