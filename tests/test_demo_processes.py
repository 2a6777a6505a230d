"""What is left of an Airflow is found and ended, whoever was killed and whoever asks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import demo.processes
from demo.home import ROOT
from demo.processes import end_strays, strays

PATIENCE = 30.0
# Like a worker with a task: the child leads a group of its own, ignores SIGTERM, and hides what only root may see
# (PR_SET_DUMPABLE of <linux/prctl.h>), as Airflow's supervisor has hidden itself and its task since 3.2.
_WORKER = """
import ctypes, os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
    print(os.getpid(), flush=True)
time.sleep(300)
"""
_GUARDED = """
import sys, time
from pathlib import Path
from demo.processes import guarded
with guarded(Path(sys.argv[1]), remove=True):
    print(flush=True)
    time.sleep(300)
"""


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """A process of the home `tmp_path`, and its child."""
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", _WORKER], env=environment, stdout=subprocess.PIPE, text=True) as main:
        assert main.stdout is not None
        child = psutil.Process(int(main.stdout.readline()))
        try:
            yield main, child
        finally:
            main.kill()
            if not ended(child):
                child.kill()


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_task_that_hides_its_environment_is_ended_with_its_worker(
    worker: tuple[subprocess.Popen[str], psutil.Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, child = worker
    monkeypatch.setattr(demo.processes, "STOP_SECONDS", 0.5)
    assert {process.pid for process in strays(tmp_path)} == {main.pid, child.pid}
    end_strays(tmp_path)
    assert ended(child)
    main.wait(PATIENCE)


def test_a_task_whose_worker_has_ended_since_it_was_seen(
    worker: tuple[subprocess.Popen[str], psutil.Process], tmp_path: Path
) -> None:
    main, child = worker
    known = strays(tmp_path)
    main.kill()
    main.wait(PATIENCE)
    end_strays(tmp_path, signal.SIGKILL, known=known)
    assert ended(child)


def test_a_killed_test_leaves_neither_processes_nor_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "data").touch()
    command = [sys.executable, "-c", _GUARDED, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as guarded:
        assert guarded.stdout is not None
        guarded.stdout.readline()
        server = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(300)"], env={**os.environ, "AIRFLOW_HOME": str(folder)}
        )
        guarded.kill()
    assert server.wait(PATIENCE) == -signal.SIGTERM
    until(lambda: not folder.exists())
