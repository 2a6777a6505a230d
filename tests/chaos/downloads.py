"""Orders downloads from the fork server, and kills those that do not end."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_batchdl.jobs import Landing

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0


@dataclass(frozen=True)
class Outcome:
    """How one try ended.

    Attributes:
        code: the process's exit code; negative for a signal.
        wire: bytes of results that it took from its sockets, headers included.
        landing: what it landed; None where it did not.
        silences: how often nothing came for longer than the time-out.
        error: the type and the message of what it raised; empty where it did not.
        typed: the error is one of ours.
    """

    code: int
    wire: int
    landing: Landing | None = None
    silences: int = 0
    error: str = ""
    typed: bool = True

    @property
    def killed(self) -> bool:
        """Whether it was killed."""
        return self.code == -signal.SIGKILL


class Downloads:
    """The fork server's other side. Close it after use.

    Args:
        log: where the processes' logs go.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        with log.open("wb") as stderr:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.fork_server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=ROOT,
            )
        self._unread = b""
        ready = self._line(time.monotonic() + START_SECONDS)
        assert ready is not None, self.log
        assert ready["threads"] == 1  # a fork has only the thread that forked

    def run(self, order: dict[str, Any], *, patience: float, began: Callable[[int], None]) -> Outcome:
        """One try.

        Args:
            order: what to download, and where it is killed.
            patience: seconds after which it counts as hung.
            began: is told the process id.

        Raises:
            TimeoutError: it hung; it has been killed.
        """
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(order).encode() + b"\n")
        self._server.stdin.flush()
        deadline = time.monotonic() + patience
        fork = self._line(deadline)
        assert fork is not None, self.log
        began(fork["pid"])
        ended = self._line(deadline)
        if ended is None:
            os.kill(fork["pid"], signal.SIGKILL)
            self._line(time.monotonic() + START_SECONDS)
            raise TimeoutError(f"the download has not ended after {patience:.0f} s")
        landing = Landing.from_dict(ended["landing"]) if "landing" in ended else None
        error = f"{ended['error']}: {ended['message']}" if "error" in ended else ""
        return Outcome(
            ended["code"], ended["wire"], landing, ended["silences"], error=error, typed=ended.get("typed", True)
        )

    @property
    def log(self) -> str:
        """The last of what the processes logged."""
        return self._log.read_text(errors="replace")[-6000:]

    def close(self) -> None:
        """End the server."""
        self._server.kill()
        self._server.communicate(timeout=START_SECONDS)

    def _line(self, deadline: float) -> dict[str, Any] | None:
        """The next line from the server; None where none comes in time."""
        assert self._server.stdout is not None
        fd = self._server.stdout.fileno()
        while b"\n" not in self._unread:
            readable, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                return None
            more = os.read(fd, 65536)
            assert more, f"the fork server has ended:\n{self.log}"
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        told: dict[str, Any] = json.loads(line)
        return told
