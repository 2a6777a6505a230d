"""Memory that stays touched between runs, so that CPU figures are steady.

A virtual machine may hand free memory back to its host (free page reporting of the balloon driver: every two seconds).
The next process to use it pays for it anew, in system time: writing 1 GiB into the page cache took 0.25 CPU seconds in
memory that was just used and 2 to 3 after five idle seconds. So a process beside (run as ``python ballast.py MIB``)
holds as much touched memory as a run needs, and gives it out a little ahead of what the run takes; what the run gave
back is taken again before the host sees it. Nothing of the machine's settings is changed.
"""

from __future__ import annotations

import contextlib
import mmap
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

_SLICE = 16 << 20
_AHEAD = 32 << 20  # given beyond what is in use, beside what the run takes in `_AHEAD_S` at its present pace
_AHEAD_S = 0.2
_LOOK_S = 0.02
_PACE_S = 0.1


class Ballast:
    """The process that holds the memory; none for 0 MiB."""

    def __init__(self, mib: int) -> None:
        self._process = (
            subprocess.Popen([sys.executable, __file__, str(mib)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            if mib
            else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.communicate()

    def hold(self) -> None:
        """Take all of it: best right after something else gave memory back."""
        self._say(b"hold\n")

    @contextlib.contextmanager
    def given(self) -> Iterator[None]:
        """It is given out as it is needed, until the end."""
        self._say(b"give\n")
        try:
            yield
        finally:
            self._say(b"stop\n")

    def _say(self, word: bytes) -> None:
        if self._process and self._process.stdin and self._process.stdout:
            self._process.stdin.write(word)
            self._process.stdin.flush()
            self._process.stdout.readline()


def _in_use() -> int:
    """Bytes of the machine's memory that are not free."""
    kib = {line.partition(":")[0]: line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines()}
    return (int(kib["MemTotal"]) - int(kib["MemFree"])) << 10


def _hold(memory: mmap.mmap) -> None:
    memory[:: mmap.PAGESIZE] = bytes(len(memory) // mmap.PAGESIZE)


def _give(memory: mmap.mmap) -> None:
    """Until the next word: free slices while the rest of the machine takes them."""
    before, given = _in_use(), 0
    taken, ahead, at = 0, _AHEAD, time.monotonic()
    while not select.select([sys.stdin], [], [], _LOOK_S)[0]:
        now, used = time.monotonic(), _in_use() + given - before
        if now > at + _PACE_S:
            ahead = _AHEAD + int(_AHEAD_S * max(0, used - taken) / (now - at))
            taken, at = used, now
        wanted = min(len(memory), -(-(used + ahead) // _SLICE) * _SLICE)
        if wanted > given:
            memory.madvise(mmap.MADV_DONTNEED, given, wanted - given)
            given = wanted


def main() -> None:
    """Obey `Ballast`'s words until it closes."""
    memory = mmap.mmap(-1, int(sys.argv[1]) << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    for word in iter(sys.stdin.readline, ""):
        if word == "hold\n":
            _hold(memory)
        print(flush=True)
        if word == "give\n":
            _give(memory)


if __name__ == "__main__":
    main()
