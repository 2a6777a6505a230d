"""Which plots the page has, from what was measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench import plots
from bench.measure import Results, Series
from bench.settings import PARTS_MIB

_MIB = 1 << 20
Value = Callable[[float, Series], float]


def write(folder: Path, results: Results) -> dict[str, str]:
    """Write those that there is something to show in; their names, with what they show."""
    drawn = {
        "benchmarks-cpu.svg": ("CPU seconds of the work", _bars(results)),
        "benchmarks-speed.svg": _against_size(results, "MB/s", lambda size, s: size * _MIB / 1e6 / s.median("wall")),
        "benchmarks-cpu-by-size.svg": _against_size(results, "CPU seconds", lambda _, s: s.median("cpu"), log_y=True),
        "benchmarks-memory.svg": _against_size(
            results, "peak memory, MiB, of Python over the package", lambda _, s: _peak(s), log_y=True
        ),
        "benchmarks-parts.svg": ("Speed against number of parts, MB/s", _parts(results)),
    }
    for name, (_, text) in drawn.items():
        if text:
            (folder / name).write_text(text)
    return {name: title for name, (title, text) in drawn.items() if text}


def _bars(results: Results) -> str:
    groups = {
        case: {name: series.median("cpu") for name, series in result.series.items()}
        for case, result in results.items()
        if case.startswith(("disk", "S3", "small"))
    }
    return plots.bars("CPU seconds of the work, medians", groups) if groups else ""


def _against_size(results: Results, y: str, value: Value, *, log_y: bool = False) -> tuple[str, str]:
    title = f"{y[0].upper()}{y[1:]}, against file size"
    lines: dict[str, list[plots.Point]] = {}
    for case, result in results.items():
        size = case.removeprefix("memory, ").removesuffix(" MiB")
        if case.startswith("memory") and size.isdigit():
            for name, series in result.series.items():
                lines.setdefault(name, []).append((float(size), value(float(size), series)))
    return title, plots.chart(title, lines, x="file size, MiB", y=y, log_y=log_y) if lines else ""


def _parts(results: Results) -> str:
    lines: dict[str, list[plots.Point]] = {}
    for case, result in results.items():
        if case.startswith("parts"):
            for name, series in result.series.items():
                who, _, number = name.partition(", ")
                if number:
                    speed = PARTS_MIB * _MIB / 1e6 / series.median("wall")
                    lines.setdefault(f"{who}, {case.removeprefix('parts, ')}", []).append((float(number), speed))
    title = "Speed against number of parts"
    return plots.chart(title, lines, x="connections", y="MB/s") if lines else ""


def _peak(series: Series) -> float:
    return series.median("over") or series.median("peak")
