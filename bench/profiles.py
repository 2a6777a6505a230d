"""Where the CPU seconds of a piece of work went: user and system, by package, and by function."""

from __future__ import annotations

import cProfile
import re
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

TOP = 10
_OURS = "airflow_provider_batchdl"
_SYSTEM_CALL = re.compile(r"posix\.|fcntl\.|resource\.|'_socket\.socket'|'select\.|io\.open\b|FileIO")


class Profiles:
    """A profile of every thread: one profiler object sees only the thread that enabled it (before Python 3.12)."""

    def __init__(self) -> None:
        self._made: list[cProfile.Profile] = []

    def begin(self, *_: Any) -> None:
        """Profile the calling thread, by its own CPU clock: waiting costs nothing."""
        profile = cProfile.Profile(time.thread_time)
        self._made.append(profile)
        profile.enable()

    def functions(self) -> dict[str, tuple[float, int]]:
        """CPU seconds and calls of each function by itself, in all threads. Calls that have not returned, like that of
        an idle thread for more work, are left out: their end would be read from another thread's clock."""
        found: dict[str, tuple[float, int]] = {}
        for profile in self._made:
            for entry in profile.getstats():
                seconds, calls = found.get(_name(entry.code), (0.0, 0))
                found[_name(entry.code)] = seconds + entry.inlinetime, calls + entry.callcount
        return found

    def packages(self) -> dict[str, float]:
        """CPU seconds of each package by itself: built-ins count where they are called, system calls apart."""
        found: dict[str, float] = {}
        for profile in self._made:
            for entry in profile.getstats():
                if isinstance(entry.code, str):
                    continue
                package = _package(Path(entry.code.co_filename).parts)
                found[package] = found.get(package, 0.0) + entry.inlinetime
                for called in entry.calls or ():
                    if isinstance(called.code, str):
                        where = "system calls" if _SYSTEM_CALL.search(called.code) else package
                        found[where] = found.get(where, 0.0) + called.inlinetime
        return found


def of(work: Callable[[], None]) -> str:
    """Run it and tell."""
    profiles = Profiles()
    if sys.version_info < (3, 12):
        threading.setprofile(profiles.begin)  # every new thread's first event calls it
    before = resource.getrusage(resource.RUSAGE_SELF)
    profiles.begin()
    work()
    sys.setprofile(None)
    threading.setprofile(None)
    after = resource.getrusage(resource.RUSAGE_SELF)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    cost = f"user {user:.2f} s, system {system:.2f} s, the profiler's own cost included"
    return "\n".join([cost, "", *_shares(profiles), "", *_top(profiles)])


def _shares(profiles: Profiles) -> list[str]:
    rows = sorted(profiles.packages().items(), key=lambda row: row[1], reverse=True)
    whole = sum(seconds for _, seconds in rows) or 1.0
    return [f"{seconds:8.2f} s {seconds / whole:9.0%}        {package}" for package, seconds in rows[:TOP]]


def _top(profiles: Profiles) -> list[str]:
    rows = sorted(profiles.functions().items(), key=lambda row: row[1], reverse=True)
    return [f"{seconds:8.2f} s {calls:9d} calls  {name}" for name, (seconds, calls) in rows[:TOP]]


def _package(parts: tuple[str, ...]) -> str:
    """Which package a file is of: ours down to the second folder, others' by name."""
    if _OURS in parts:
        return "/".join(parts[parts.index(_OURS) : -1][:3])
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    return "bench" if "bench" in parts else "Python's library"


def _name(code: str | CodeType) -> str:
    """A function without the machine's paths: its file after the last two folders, or the built-in's own name."""
    if isinstance(code, str):
        return code
    return f"{'/'.join(Path(code.co_filename).parts[-3:])}:{code.co_firstlineno} {code.co_qualname}"
