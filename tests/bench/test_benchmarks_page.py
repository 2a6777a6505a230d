"""The lines, the plots and the page of `make bench`, from costs made up here."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench import plots, report
from bench.lines import PYTHON_LOOP, SAME_NUMBER, Line, missed
from bench.measure import Case, Cost, Results, Series
from bench.settings import ROOT

COST = Cost(wall=1.0, cpu=1.0, process_wall=1.5, process_cpu=1.5, peak=40, over=2.0, wire=1024)


def series(*walls: float, **figures: Any) -> Series:
    return Series(tuple(replace(COST, wall=wall, **figures) for wall in walls))


def results() -> Results:
    tool = {"cpu": 2.0, "process_cpu": 2.0, "over": 0.0}
    return {
        "limits": Case({
            "loopback → nothing": series(0.3, cpu=0.2), "memory → disk": series(0.3, cpu=0.25),
            "SHA-256, hashlib": series(0.6, cpu=0.6),
        }),
        "disk, SHA-256, plain": Case({"ours": series(1.0, 3.0, 2.0), "curl + openssl": series(2.0, **tool)}, "3 runs"),
        "disk, no hash, plain": Case({"ours": series(1.0), "curl": series(1.0, **tool), "httpx": series(1.0, cpu=4.0)}),
        "link, 40 ms": Case({
            "ours": series(7.0, connections=5), "aria2c -x8": series(6.0), "aria2c -x5": series(7.0),
        }),
        "parts, 40 ms": Case({"ours, 1": series(10.0), "ours, 8": series(2.0), "curl": series(10.0)}),
        "memory, 1 MiB": Case({"ours → disk": series(0.1), "ours → S3": series(0.2, over=17.4)}),
        "memory, 16384 MiB": Case({"ours → disk": series(20.0), "ours → S3": series(30.0, over=45.8)}),
        "memory, 8 ranges": Case({"ours → disk": series(7.0, over=90.0)}),
    }  # fmt: skip


def test_a_line_is_a_ratio_of_medians_for_the_work_and_for_the_whole_process() -> None:
    verdict = Line("disk, SHA-256, plain", "cpu", 0.6, "curl + openssl").verdict(results())
    assert verdict
    assert (verdict.work, verdict.process) == (0.5, 0.75)
    assert (verdict.reached, verdict.reached_by_process) == (True, False)
    wall = Line("disk, SHA-256, plain", "wall", 0.8, "curl + openssl").verdict(results())
    assert wall
    assert wall.work == 1.0
    assert not wall.reached


def test_a_line_without_a_rival_is_a_number_of_its_own() -> None:
    verdict = Line("memory, 8 ranges", "over", 96, ours="ours → disk").verdict(results())
    assert verdict
    assert (verdict.work, verdict.process, verdict.reached, verdict.reached_by_process) == (90.0, None, True, True)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (Line("disk, no hash, plain", "cpu", 1.1, PYTHON_LOOP), 0.25),  # of those that were measured
        (Line("link, 40 ms", "wall", 1.05, SAME_NUMBER), 1.0),
        (Line("link, 40 ms", "wall", 1.05, "aria2c -x8"), 7 / 6),
        (Line("S3, plain", "wall", 0.4, "boto3"), None),
        (Line("disk, no hash, plain", "wall", 0.4, "boto3"), None),
    ],
)
def test_a_rival_may_be_the_best_of_several_or_missing(line: Line, value: float | None) -> None:
    verdict = line.verdict(results())
    assert (verdict.work if verdict else None) == value


def test_what_missed_its_line_is_named_once() -> None:
    assert missed(results()) == [("disk, SHA-256, plain", "ours"), ("link, 40 ms", "ours")]


def test_the_page_tells_verdicts_spreads_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "described", lambda folder: ("a machine", "versions"))
    report.write(tmp_path, results(), {("disk, SHA-256, plain", "ours"): "user 0.6 s"})
    page = (tmp_path / "benchmarks.md").read_text()
    assert "| disk, SHA-256, plain | ours: wall ≤ 0.8 times curl + openssl | 1.00 | **not reached** | 1.00 |" in page
    assert "| S3, plain | ours: wall ≤ 0.25 times s3fs | - | not measured |" in page
    assert "| ours | 2.00 (1.00 to 3.00) | 1.00 (1.00 to 1.00) | 1.50 | 1.50 | 40 | 2.0 | 1024 |" in page
    assert "0.20 (loopback → nothing) + 0.25 (memory → disk) + 0.60 (SHA-256, hashlib) = 1.05; ours 1.00" in page
    assert "```text\nuser 0.6 s\n```" in page
    told = " ".join(page.split())
    assert (
        "only the whole process misses is the start of the interpreter and the imports: 0.50 s of CPU for ours" in told
    )
    assert "at most 2 MiB of memory beside the imported package to a local disk and 46 MiB to S3, for files" in told
    assert "for files of 1 to 16384 MiB; by 8 parallel ranges 90 and - MiB." in told
    shown = re.findall(r"\((benchmarks.*?svg)\)", page)
    assert sorted(shown) == sorted(path.name for path in tmp_path.glob("*.svg"))
    for name in shown:
        assert ET.fromstring((tmp_path / name).read_text()).tag.endswith("svg")  # noqa: S314


def test_a_page_of_few_cases_is_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "described", lambda folder: ("a machine", "versions"))
    report.write(tmp_path, {"limits": results()["limits"]}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["benchmarks.md"]


def test_a_chart_puts_points_where_they_belong() -> None:
    drawn = plots.chart("t", {"a & b": [(1, 0.0), (4, 10.0)]}, x="x", y="y")
    places = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', drawn)
    (left, low), (right, high) = [(float(x), float(y)) for x, y in places]
    assert left < right
    assert high < low  # SVG counts downwards
    assert "a &amp; b" in drawn


@pytest.mark.parametrize(
    ("values", "log", "levels"),
    [
        ([3.0, 161.0], False, ["0", "25", "50", "75", "100", "125", "150", "175"]),
        ([0.5, 7.0], True, ["0.1", "1", "10"]),
        ([10.0], True, ["10", "100"]),
    ],
)
def test_a_chart_has_round_levels(values: list[float], log: bool, levels: list[str]) -> None:
    drawn = plots.chart("t", {"a": [(2.0**n, value) for n, value in enumerate(values)]}, x="x", y="y", log_y=log)
    assert re.findall(r'text-anchor="end"[^>]*>([\d.]+)<', drawn) == levels


def test_the_readme_quotes_the_page() -> None:
    phrase = r"(\d+) MiB of memory beside the imported package to a local disk and (\d+) MiB to S3"
    told = [" ".join((ROOT / name).read_text().split()) for name in ("README.md", "docs/benchmarks.md")]
    readme, page = (re.findall(phrase, text) for text in told)
    assert readme == page != []
