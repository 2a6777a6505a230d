"""Runs a command that ends when the process that started it ends, however that came about.

A killed demo (SIGKILL, out of memory) has no chance to stop its Airflow. On Linux a process may ask for a signal at its
parent's death; the wish survives `exec`. Elsewhere this only runs the command.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """`python -m demo.leash PARENT COMMAND…`: become COMMAND, tied to the process PARENT."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we asked
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 (no shell is the point)


if __name__ == "__main__":
    main()
