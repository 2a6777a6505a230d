"""Looks into /proc."""

from __future__ import annotations

import os
from pathlib import Path


def status_mib(name: str, process: int | str = "self") -> float:
    """A line of /proc/PROCESS/status, in MiB; 0 where the process has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:")), 0.0)


def wire_mib() -> float:
    """MiB that the loopback interface has received: headers, TLS and acknowledgements included."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "lo":
            return int(counts.split()[0]) / (1 << 20)
    raise LookupError("lo")


def available_mib() -> float:
    """The machine's memory that could be used now (``MemAvailable``)."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("MemAvailable:"))


def cpu_s(process: int) -> float:
    """User and system seconds that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
