"""The ways in which a worker dies."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable

import psutil

from tests.support.stack.base import Stack


def kill_tasks(stack: Stack) -> None:
    """SIGKILL to every task's own process, as from the kernel where memory is short. Its supervisor reports that."""
    _send(stack.task_processes()[1::2], signal.SIGKILL)


def kill_machines(stack: Stack) -> None:
    """SIGKILL to all that runs tasks, as where a machine is lost: nobody reports anything.

    Where workers are a component of their own they are killed with all their children, and new ones started; else
    every task and what watches over it.
    """
    if not stack.workers:
        _send(stack.task_processes(), signal.SIGKILL)
    for name in stack.workers:
        stack.kill(name)
    for name in stack.workers:
        stack.start(name)


def terminate_tasks(stack: Stack) -> None:
    """SIGTERM to every task's supervisor, as a pod gets it that is evicted or replaced by a deploy."""
    _send(stack.task_processes()[0::2], signal.SIGTERM)


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


KILLS: dict[str, Callable[[Stack], None]] = {"task": kill_tasks, "machine": kill_machines}
