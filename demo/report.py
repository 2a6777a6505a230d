"""Comparison of the landed files with what the emulator served: the verdict of the demo, and its table."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


class Served(Protocol):
    """A result file as the emulator served it."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def sha256(self) -> str:
        """Hex digest."""

    @property
    def part(self) -> int | None:
        """1-based, where the result has several parts."""


# Result files by the job they belong to, named by vendor and job id.
ServedJobs = Mapping[tuple[str, str], Sequence[Served]]


@dataclass(frozen=True)
class Landed:
    """One file that a DAG says it has landed."""

    dag_id: str
    vendor: str
    job_id: str
    uri: str
    bytes: int
    sha256: str
    part: int | None
    rows: int | None
    seconds: float

    @classmethod
    def from_landing(cls, dag_id: str, seconds: float, landing: Mapping[str, Any], file: Mapping[str, Any]) -> Landed:
        """One file of a `Landing` as a download returns it; `seconds` since its run began."""
        return cls(
            dag_id=dag_id,
            vendor=landing["vendor"],
            job_id=landing["job_id"],
            uri=file["uri"],
            bytes=file["bytes"],
            sha256=file["sha256"],
            part=file["part"],
            rows=file["rows"],
            seconds=seconds,
        )

    @property
    def path(self) -> Path:
        """Where it is on this machine."""
        return Path(self.uri.removeprefix("file://"))


def problems(landed: Iterable[Landed], served: ServedJobs) -> list[str]:
    """Everything that is not as it must be; empty when what landed is what was served, neither more nor less."""
    by_job: dict[tuple[str, str], list[Landed]] = defaultdict(list)
    for file in landed:
        by_job[file.vendor, file.job_id].append(file)
    found = [] if by_job else ["nothing landed at all"]
    for job in sorted(by_job.keys() | served.keys()):
        name = " job ".join(job)
        if job not in served:
            found.append(f"{name}: landed, but the emulator knows no such job")
        elif job not in by_job:
            found.append(f"{name}: submitted, but nothing landed")
        else:
            found += [f"{name}: {problem}" for problem in _problems_of_job(by_job[job], served[job])]
    return found


def _problems_of_job(landed: Sequence[Landed], served: Sequence[Served]) -> list[str]:
    if len(landed) != len(served):
        return [f"{len(served)} files served, {len(landed)} landed"]
    in_order = sorted(landed, key=lambda file: file.part or 1)
    originals = sorted(served, key=lambda file: file.part or 1)
    return [
        problem
        for file, original in zip(in_order, originals, strict=True)
        for problem in _problems_of_file(file, original)
    ]


def _problems_of_file(file: Landed, original: Served) -> list[str]:
    try:
        with file.path.open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        size = file.path.stat().st_size
    except OSError as error:
        return [f"cannot read {file.path}: {error.strerror}"]
    found = []
    if actual != original.sha256:
        found.append(f"{file.path} is not what was served: sha256 {actual}, served {original.sha256}")
    if file.sha256 != original.sha256:
        found.append(f"{file.path}: its landing claims sha256 {file.sha256}, served {original.sha256}")
    if not size == file.bytes == original.size:
        found.append(f"{file.path}: {size} bytes there, {file.bytes} in its landing, {original.size} served")
    return found


# Title and alignment of each column.
COLUMNS = {
    "vendor": "<",
    "DAG": "<",
    "job id": "<",
    "file": "<",
    "bytes": ">",
    "rows": ">",
    "sha256": "<",
    "seconds": ">",
}


def table(landed: Iterable[Landed]) -> str:
    """The closing table, one line per file."""
    body = [_cells(file) for file in sorted(landed, key=lambda file: (file.vendor, file.job_id, file.part or 1))]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *body, strict=True)]
    rule = ["─" * width for width in widths]
    lines = [list(COLUMNS), rule, *body]
    formats = [f"{{:{side}{width}}}" for side, width in zip(COLUMNS.values(), widths, strict=True)]
    return "\n".join("  ".join(formats).format(*line).rstrip() for line in lines)


def _cells(file: Landed) -> list[str]:
    count = _rows(file)
    rows = "" if count is None else f"{count:,}"
    job, name, sha256 = elide(file.job_id, 20), elide(file.path.name, 32), f"{file.sha256[:8]}…"
    return [file.vendor, file.dag_id, job, name, f"{file.bytes:,}", rows, sha256, f"{file.seconds:.1f}"]


def _rows(file: Landed) -> int | None:
    """Rows as its landing counts them; a Parquet file's are read from its own footer."""
    if file.rows is None and file.path.suffix == ".parquet" and file.path.is_file():
        import pyarrow.parquet as pq

        count: int = pq.read_metadata(file.path).num_rows
        return count
    return file.rows


def elide(text: str, width: int) -> str:
    """The text, or its two ends if it is too long."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[head + 1 - width :]}"
