"""The lines to reach: ratios within one run, and what was found of them."""

from __future__ import annotations

from dataclasses import dataclass

from bench.cases import formats
from bench.cases.disk import LOOPS
from bench.formats import PACKED
from bench.measure import Results

PYTHON_LOOP = "the best Python loop"
SAME_NUMBER = "aria2c at the same number of connections"
_FIGURES = {"wall": "wall", "cpu": "CPU", "over": "peak over the package"}


@dataclass(frozen=True)
class Verdict:
    """A line's value, of the work alone and of the whole process (None where that makes no difference)."""

    work: float
    process: float | None
    most: float

    @property
    def reached(self) -> bool:
        """By the work alone."""
        return self.work <= self.most

    @property
    def reached_by_process(self) -> bool:
        """With the interpreter's start and the imports."""
        return (self.work if self.process is None else self.process) <= self.most


@dataclass(frozen=True)
class Line:
    """``ours`` may cost at most ``most`` times what ``rival`` costs (None: so many MiB itself)."""

    case: str
    figure: str
    most: float
    rival: str | None = None
    ours: str = "ours"

    def verdict(self, results: Results) -> Verdict | None:
        """None where it was not measured."""
        work = self._value(results, self.figure)
        process = self._value(results, f"process_{self.figure}") if self.figure in ("wall", "cpu") else None
        return None if work is None else Verdict(work, process, self.most)

    def _value(self, results: Results, figure: str) -> float | None:
        medians = (
            {n: each.median(figure) for n, each in results[self.case].series.items()} if self.case in results else {}
        )
        if self.ours not in medians:
            return None
        value = medians[self.ours]
        if self.rival is None:
            return value
        rivals = [medians[name] for name in self._rivals(medians) if name in medians]
        return value / min(rivals) if rivals else None

    def _rivals(self, medians: dict[str, float]) -> tuple[str, ...]:
        if self.rival == PYTHON_LOOP:
            return LOOPS
        if self.rival == SAME_NUMBER:
            return tuple(name for name in medians if name.startswith("aria2c"))[-1:]
        return (str(self.rival),)

    def __str__(self) -> str:
        of = f" times {self.rival}" if self.rival else " MiB"
        return f"{self.ours}: {_FIGURES[self.figure]} ≤ {self.most:g}{of}"


_FIXED = (
    Line("disk, SHA-256, plain", "wall", 0.8, "curl + openssl"),
    Line("disk, SHA-256, plain", "cpu", 0.9, "curl + openssl"),
    Line("disk, SHA-256, TLS", "wall", 0.9, "curl + openssl"),
    Line("disk, SHA-256, TLS", "cpu", 1.0, "curl + openssl"),
    Line("disk, no hash, plain", "cpu", 0.6, "curl"),
    Line("disk, no hash, plain", "cpu", 1.1, PYTHON_LOOP),
    Line("disk, no hash, TLS", "wall", 1.0, "curl"),
    Line("disk, no hash, TLS", "cpu", 1.15, "curl"),
    *(
        Line(formats.title(name), "cpu", most, "curl + openssl")
        for name, most in (
            ("CSV, no quotes", 1.0),
            ("CSV, one quoted field a row", 1.0),
            ("CSV, all quoted", 1.0),
            ("CSV, all quoted, breaks inside 1 %", 1.8),
            ("JSON lines", 1.0),
            ("JSON array, compact", 1.3),
            ("JSON array, pretty", 1.3),
        )
    ),
    *(Line(formats.title(name), "cpu", 1.1, "ours, .bin") for name in PACKED),
    Line("S3, plain", "cpu", 0.4, "boto3"),
    Line("S3, plain", "wall", 0.4, "boto3"),
    Line("S3, plain", "wall", 0.25, "s3fs"),
    Line("S3, plain", "wall", 0.7, "boto3", ours="ours, SHA-256"),
    Line("S3, plain", "over", 80),
    Line("S3, TLS", "cpu", 0.7, "boto3"),
    Line("S3, TLS", "wall", 0.7, "boto3"),
    Line("S3, TLS", "over", 80),
    Line("small files", "cpu", 1.5, "httpx"),
    Line("link, no delay", "wall", 1.05, SAME_NUMBER),
    Line("link, no delay", "wall", 1.05, "aria2c -x8"),
    Line("link, 40 ms", "wall", 1.05, SAME_NUMBER),
    Line("link, 40 ms", "wall", 1.05, "aria2c -x8"),
)


def all_lines(results: Results) -> list[Line]:
    """Every line, those for memory once for each size that was measured."""
    memory = [
        Line(case, "over", 96 if case.endswith("ranges") else 64, ours=name)
        for case in results if case.startswith("memory")
        for name in results[case].series if name.startswith("ours")
    ]  # fmt: skip
    return [*_FIXED, *memory]


def missed(results: Results) -> list[tuple[str, str]]:
    """Case and contender of each line of time that the work does not reach, each once."""
    lines = [line for line in all_lines(results) if line.figure in ("wall", "cpu")]
    found = [(line.case, line.ours) for line in lines if (verdict := line.verdict(results)) and not verdict.reached]
    return list(dict.fromkeys(found))
