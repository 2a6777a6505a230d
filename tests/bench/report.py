"""Turns what `run` measured into docs/benchmarks.md and the plots beside it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

Costs = dict[str, float]
Results = dict[str, dict[str, Costs]]

_INTRODUCTION = """# Benchmarks

Written by `make bench`; do not edit. All on loopback, {mib} MiB a file, medians of {runs}, each run of each contender a
process of its own, contenders in turn. *process CPU* and *peak* are the whole process's, the interpreter's start and
the imports included (a worker has paid for most of these already); *wall* and *work CPU* begin after the imports. The
target is removed before each run, so that all write into the same, already touched memory. Of `ours`, what lands on
disk is flushed (`fsync`) and renamed; the others leave theirs to the kernel. The S3 store reads and forgets. The ratios
are of *wall* and *process CPU*. "Disk" was **{target}** in this run (on `tmpfs`, a flush costs nothing). Where the load
averages are above 2, other work ran beside: trust the order then, and CPU before wall, not the digits.

{machine}
"""


@dataclass(frozen=True)
class Line:
    """One line of the issue: ``ours`` may cost at most ``most`` times what ``rival`` costs (None: so much itself)."""

    case: str
    figure: str
    most: float
    rival: str | None = None
    ours: str = "ours"

    def reached(self, results: Results) -> tuple[float, bool] | None:
        """The value and whether it is within the line; None where it was not measured."""
        costs = results.get(self.case, {})
        if self.ours not in costs:
            return None
        value = costs[self.ours][self.figure]
        if self.rival == PYTHON_LOOP:
            loops = [costs[name][self.figure] for name in ("urllib3", "requests", "httpx") if name in costs]
            if not loops:
                return None
            value /= min(loops)
        elif self.rival is not None:
            if self.rival not in costs:
                return None
            value /= costs[self.rival][self.figure]
        return value, value <= self.most

    def __str__(self) -> str:
        of = f" times {self.rival}" if self.rival else " MiB"
        return f"{self.ours}: {_FIGURES[self.figure]} ≤ {self.most:g}{of}"


_NOTES = """## Why not the others

- **S3**: parts go through s3fs (aiobotocore, aiohttp), because its upload has an id and parts that a later try can
  go on with; Python signs and sends each of them. obstore's synchronous writers cost half of that, but tell no upload
  id, and complete when they are closed: neither resuming across tries nor "complete only at `publish`" can be built
  on them. What could reach these lines is the same multipart upload with its parts sent by urllib3 in threads to
  addresses that the same client has signed (measured apart: 2.0 CPU seconds a GiB where aiobotocore took 5.0).
- **Hashing in a thread** of its own cost 30 % more CPU for 10 % less wall (measured apart, on two cores of which nginx
  needs one), so SHA-256 is computed between two reads; the kernel's socket buffer fills meanwhile.
- **TLS**: Python receives one record of 16 KiB at a time, curl too, but in C. Reads are gathered at the socket
  (`transfer/connection.py`) so that only that much happens for each record.
- **Small files**: what `httpx` does not do for each: a temporary file, two `fsync`s and a rename, SHA-256, the check
  of the CSV's end, names made safe. By a profile, the dearest thing beside the HTTP exchange is the look through the
  whole destination folder for what an earlier try left (`sinks/partial.py`, `listdir`): it grows with the number of
  files that lie there, so a thousand results into one folder cost half a million names.
"""

PYTHON_LOOP = "the best Python loop"
_FIGURES = {
    "wall": "wall", "cpu": "process CPU", "work_cpu": "work CPU", "peak": "peak", "over": "peak over the package",
}  # fmt: skip
_BOTH, _CURL = "curl + openssl", "curl"
LINES = [
    Line("disk, SHA-256, plain", "wall", 0.8, _BOTH),
    Line("disk, SHA-256, plain", "cpu", 0.9, _BOTH),
    Line("disk, SHA-256, TLS", "wall", 0.9, _BOTH),
    Line("disk, SHA-256, TLS", "cpu", 1.0, _BOTH),
    Line("disk, no hash, plain", "cpu", 0.6, _CURL),
    Line("disk, no hash, plain", "cpu", 1.1, PYTHON_LOOP),
    Line("disk, no hash, TLS", "wall", 1.0, _CURL),
    Line("disk, no hash, TLS", "cpu", 1.15, _CURL),
    Line("S3, plain", "cpu", 0.4, "boto3"),
    Line("S3, plain", "wall", 0.4, "boto3"),
    Line("S3, plain", "wall", 0.25, "s3fs"),
    Line("S3, plain", "wall", 0.7, "boto3", ours="ours, SHA-256"),
    Line("S3, plain", "over", 80),
    Line("S3, TLS", "cpu", 0.7, "boto3"),
    Line("S3, TLS", "wall", 0.7, "boto3"),
    Line("S3, TLS", "over", 80),
    Line("small files", "cpu", 1.5, "httpx"),
]


def write(folder: Path, results: Results, *, runs: int, mib: int, target: str) -> None:
    """Write the page and its plots into ``folder``; ``target`` is the kind of file system that was written to."""
    sizes = [case for case in results if case.startswith("memory")]
    memory = [Line(case, "over", 64, ours=name) for case in sizes for name in results[case]]
    text = [
        _INTRODUCTION.format(mib=mib, runs=runs, machine=_machine(), target=target),
        _verdicts(LINES + memory, results),
    ]
    names = _plots(folder, results)
    text += [f"![{title}]({name})\n" for name, title in names.items()]
    text += [_NOTES, *(_table(case, costs) for case, costs in results.items())]
    (folder / "benchmarks.md").write_text("\n".join(text))


def _machine() -> str:
    told = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in told if "model name" in line), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    curl = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    rivals = ("urllib3", "requests", "httpx", "boto3", "s3fs", "obstore")
    packages = ", ".join(f"{name} {version(name)}" for name in rivals)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d} · {os.cpu_count()} cores, {model}, {memory} GiB, {platform.system()} "
        f"{platform.release().partition('-')[0]}, virtual machine, load averages at the end {load}\n\n"
        f"Python {platform.python_version()}, curl {curl}, {packages}"
    )


def _verdicts(lines: list[Line], results: Results) -> str:
    rows = ["## The lines to reach\n", "| case | line | measured | |", "|---|---|---|---|"]
    for line in lines:
        found = line.reached(results)
        if found is None:
            rows.append(f"| {line.case} | {line} | - | not measured |")
        else:
            work = replace(line, figure="work_cpu").reached(results) if line.figure == "cpu" else None
            without = f" ({work[0]:.2f} without imports)" if work else ""
            verdict = "reached" if found[1] else "**not reached**"
            rows.append(f"| {line.case} | {line} | {found[0]:.2f}{without} | {verdict} |")
    rows.append(
        "| shaped links, parallel ranges | wall ≤ 1.05 times aria2c -x8 | - | not measured: one stream for each file |"
    )
    return "\n".join(rows) + "\n"


def _table(case: str, costs: dict[str, Costs]) -> str:
    head = "| | wall s | process CPU s | work CPU s | peak MiB | over the package MiB |"
    rows = [f"## {case}\n", head, "|---|---|---|---|---|---|"]
    for name, cost in costs.items():
        over = f"{cost['over']:.1f}" if cost["over"] else "-"
        peak = "-" if name.startswith("curl") else f"{cost['peak']:.0f}"  # below our own, which it starts from
        rows.append(f"| {name} | {cost['wall']:.2f} | {cost['cpu']:.2f} | {cost['work_cpu']:.2f} | {peak} | {over} |")
    return "\n".join(rows) + "\n"


def _plots(folder: Path, results: Results) -> dict[str, str]:
    names = {}
    bars = [
        (f"{case}: {name}", cost["cpu"])
        for case, costs in results.items() if not case.startswith("memory")
        for name, cost in costs.items()
    ]  # fmt: skip
    if bars:
        names["benchmarks-cpu.svg"] = "CPU seconds of each process"
        (folder / "benchmarks-cpu.svg").write_text(_bars(names["benchmarks-cpu.svg"], bars))
    memory = [
        (f"{case.removeprefix('memory, ')} to {name}", cost["over"])
        for case, costs in results.items() if case.startswith("memory")
        for name, cost in costs.items()
    ]  # fmt: skip
    if memory:
        names["benchmarks-memory.svg"] = "Peak memory over the imported package, MiB, by file size"
        (folder / "benchmarks-memory.svg").write_text(_bars(names["benchmarks-memory.svg"], memory))
    return names


def _bars(title: str, bars: list[tuple[str, float]]) -> str:
    top = max(value for _, value in bars) or 1.0
    row, left, wide = 20, 260, 420
    drawn = [
        f'<text x="{left - 8}" y="{at + 14}" text-anchor="end">{name}</text>'
        f'<rect x="{left}" y="{at + 3}" width="{max(1.0, wide * value / top):.1f}" height="{row - 6}" '
        f'fill="{"#2a7" if "ours" in name or " to " in name else "#99a"}"/>'
        f'<text x="{left + wide * value / top + 6:.1f}" y="{at + 14}">{value:.2f}</text>'
        for at, (name, value) in ((40 + row * index, bar) for index, bar in enumerate(bars))
    ]
    height = 50 + row * len(bars)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height}" font-family="sans-serif" '
        f'font-size="12"><rect width="760" height="{height}" fill="white"/>'
        f'<text x="10" y="24" font-size="15">{title}</text>{"".join(drawn)}</svg>\n'
    )


if __name__ == "__main__":
    import json

    write(Path(sys.argv[1]), json.load(sys.stdin), runs=int(sys.argv[2]), mib=int(sys.argv[3]), target=sys.argv[4])
