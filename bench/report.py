"""Turns what was measured into docs/benchmarks.md and the plots beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from textwrap import fill

from bench import figures
from bench.cases import formats
from bench.lines import Line, Verdict, all_lines
from bench.machine import described
from bench.measure import Case, Results, Series
from bench.settings import BALLAST, FOLDER, MIB, RUNS

_INTRODUCTION = """# Benchmarks

Written by `make bench`; do not edit. All on loopback, {mib} MiB a file where nothing else is said, medians of {runs}
runs where a table says no other number, each run of each contender a process of its own, contenders in turn.

{machine}

How to read it:

* *Work* is what comes after a Python contender's imports; *whole process* has the interpreter's start and the imports,
  too. Of a program (curl, wget, aria2c, openssl) all is work. The verdict is by the work, because an Airflow worker has
  imported these packages before, once for many tasks; what the whole process says stands beside it.
* CPU is user and system time of the contender alone, neither nginx's nor the store's. In brackets: least and most.
* *Over* is the peak of memory over what the process had after its imports. *Wire* is what passed the loopback
  interface, all headers and TLS included (into S3, a file passes twice; other work counts, too), or what
  the relay passed on.
* Of `ours`, what lands on disk is flushed (`fsync`) and renamed; the others leave theirs to the kernel.
* The S3 store reads and forgets: on plain connections without a copy, for less CPU than any client spends.
{steady}
* Where a load average is above the number of cores, other work ran beside: trust the order then, not the digits.
"""
_STEADY = {
    True: "* Memory that a run will need was touched right before it and is given out while it runs "
    "(`bench/ballast.py`): the first touch of what a virtual machine has handed back to its host would cost more "
    "CPU than the transfer, or nothing, as it happens.",
    False: "* This run had no ballast (`BENCH_BALLAST=0`): first touches of fresh memory are in the CPU seconds.",
}
_MISSED = """## Where the lines that are not reached spend it

One more run each under `cProfile`, with each thread's own CPU clock: waiting costs nothing, the profiler does. First by
package, built-ins counted with those who call them; then the functions that took most, by themselves.
"""
_COLUMNS = 120
_LANDINGS = ("ours → disk", "ours → S3")
# What a case is made of at best, as contenders of the case "limits".
_RECEIVE = {"plain": "loopback → nothing", "TLS": "loopback, TLS → nothing"}
_SEND = {"plain": "memory → store", "TLS": "memory → store, TLS"}


def write(folder: Path, results: Results, profiles: Mapping[tuple[str, str], str]) -> None:
    """Write the page and its plots into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = "\n\n".join(fill(each, _COLUMNS) for each in described(FOLDER))
    steady = fill(_STEADY[BALLAST], _COLUMNS, subsequent_indent="  ")
    head = _INTRODUCTION.format(mib=MIB, runs=RUNS, machine=machine, steady=steady)
    plots = [f"![{title}]({name})\n" for name, title in figures.write(folder, results).items()]
    tables = [_table(case, result) for case, result in results.items()]
    text = [
        head,
        _verdicts(results),
        formats.summary(results),
        _memory(results),
        *plots,
        *tables,
        _missed(results, profiles),
    ]
    (folder / "benchmarks.md").write_text("\n".join(part for part in text if part))


def _verdicts(results: Results) -> str:
    found = [(line, line.verdict(results)) for line in all_lines(results)]
    measured = [verdict for _, verdict in found if verdict]
    reached = sum(verdict.reached for verdict in measured)
    by_process = sum(verdict.reached_by_process for verdict in measured)
    head = [
        "## The lines to reach\n",
        fill(
            f"Of {len(measured)} lines measured, {reached} are reached by the work, {by_process} by the whole process. "
            f"What only the whole process misses is the start of the interpreter and the imports: {_start(results)} of "
            "CPU for ours, the median of all runs. What the work misses is profiled at the end.",
            _COLUMNS,
        )
        + "\n",
        "| case | line | work | | whole process | |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *(_row(line, verdict) for line, verdict in found)]) + "\n"


def _start(results: Results) -> str:
    """Seconds of CPU of a process of ours beside its work."""
    ours = [s for each in results.values() for name, s in each.series.items() if name.startswith("ours")]
    costs = [cost.process_cpu - cost.cpu for series in ours for cost in series.costs]
    return f"{median(costs):.2f} s" if costs else "an unknown time"


def _row(line: Line, verdict: Verdict | None) -> str:
    if verdict is None:
        return f"| {line.case} | {line} | - | not measured | - | |"
    said = {True: "reached", False: "**not reached**"}
    process = "| | |" if verdict.process is None else f"| {verdict.process:.2f} | {said[verdict.reached_by_process]} |"
    return f"| {line.case} | {line} | {verdict.work:.2f} | {said[verdict.reached]} {process}"


def _memory(results: Results) -> str:
    """The sentence that README.md quotes."""
    sizes = [case.split()[1] for case in results if case.startswith("memory") and case.endswith("MiB")]
    ranges = [case for case in results if case.startswith("memory") and case.endswith("ranges")]
    if not sizes:
        return ""
    disk, s3 = (_most_over(results, [f"memory, {size} MiB" for size in sizes], name) for name in _LANDINGS)
    told = (
        f"Landing a result takes at most {disk} MiB of memory beside the imported package to a local disk and {s3} MiB "
        f"to S3, for files of {sizes[0]} to {sizes[-1]} MiB"
    )
    if ranges:
        disk, s3 = (_most_over(results, ranges, name) for name in _LANDINGS)
        told += f"; by {ranges[0].split()[1]} parallel ranges {disk} and {s3} MiB"
    return fill(f"{told}.", _COLUMNS) + "\n"


def _most_over(results: Results, cases: list[str], name: str) -> str:
    values = [results[case].series[name].median("over") for case in cases if name in results[case].series]
    return f"{max(values):.0f}" if values else "-"


def _table(case: str, result: Case) -> str:
    columns = "| | wall s | CPU s | whole process: wall s | CPU s | peak MiB | over MiB | wire MiB |"
    counted = any(series.median("connections") for series in result.series.values())
    head = [
        f"## {case}\n",
        fill(f"{result.note.rstrip('.')}.", _COLUMNS) + "\n",
        columns + (" connections |" if counted else ""),
        "|---" * (9 if counted else 8) + "|",
    ]
    rows = [f"| {' | '.join([name, *_cells(series, counted=counted)])} |" for name, series in result.series.items()]
    return "\n".join(head + rows) + "\n"


def _cells(series: Series, *, counted: bool) -> list[str]:
    over = series.median("over")
    return [
        _spread(series, "wall"),
        _spread(series, "cpu"),
        f"{series.median('process_wall'):.2f}",
        f"{series.median('process_cpu'):.2f}",
        f"{series.median('peak'):.0f}",
        f"{over:.1f}" if over else "-",
        f"{series.median('wire'):.0f}",
        *([f"{series.median('connections'):.0f}"] if counted else []),
    ]


def _spread(series: Series, figure: str) -> str:
    values = series.values(figure)
    spread = f" ({values[0]:.2f} to {values[-1]:.2f})" if len(values) > 1 else ""
    return f"{series.median(figure):.2f}{spread}"


def _missed(results: Results, profiles: Mapping[tuple[str, str], str]) -> str:
    """Of each line that was not reached: what its parts cost alone, and the profile."""
    if not profiles:
        return ""
    text = [_MISSED]
    for (case, name), profile in profiles.items():
        text += [f"### {case}: {name}\n", _alone(results, case, name), f"```text\n{profile}\n```\n"]
    return "\n".join(part for part in text if part)


def _alone(results: Results, case: str, name: str) -> str:
    """What receiving, hashing and writing or sending cost by themselves on this machine."""
    if "limits" not in results or not case.startswith(("disk", "S3")):
        return ""
    link = case.rpartition(", ")[2]
    parts = [_RECEIVE[link], "memory → disk" if case.startswith("disk") else _SEND[link]]
    parts += ["SHA-256, hashlib"] if "SHA-256" in case + name else []
    costs = {part: results["limits"].series[part].median("cpu") for part in parts}
    listed = " + ".join(f"{cost:.2f} ({part})" for part, cost in costs.items())
    ours = results[case].series[name].median("cpu")
    return f"CPU seconds of its parts alone: {listed} = {sum(costs.values()):.2f}; ours {ours:.2f}.\n"
