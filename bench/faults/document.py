"""docs/faults.md: the matrix, what each column does, and why our own cells are what they are."""

from __future__ import annotations

import datetime as dt
import os
import platform
from pathlib import Path

from bench.faults.columns import COLUMNS, HARMS, ODD, STORE, Column
from bench.faults.engines import Engine
from bench.faults.judge import NOTHING, Cell
from bench.faults.notes import LEGEND, SEVERAL, better_peers, footnotes, how_it_ran
from bench.peer_venv import ROOT

PATH = ROOT / "docs" / "faults.md"
Outcomes = dict[str, dict[str, Cell]]


def write(
    rows: list[Engine], outcomes: Outcomes, problems: list[str], *, tmpfs: bool, seconds: float, path: Path = PATH
) -> None:
    """Write the document."""
    path.write_text(rendered(rows, outcomes, problems, tmpfs=tmpfs, seconds=seconds))


def rendered(rows: list[Engine], outcomes: Outcomes, problems: list[str], *, tmpfs: bool, seconds: float) -> str:
    """The document's text."""
    return "\n".join([
        "# What faults do to a download",
        "",
        ("Written by `make faults`; do not edit. This engine and what people use in its place, each through the same "
        "faults of the server, the link, the disk and the store."),
        "",
        verdict(outcomes, rows, problems),
        "",
        *table(rows, HARMS, outcomes),
        "",
        ("Answers that are not harmed but odd: heads that say something else than what comes, other things in the "
        "file's place, another version behind the same address. The right end is the file, or an error:"),
        "",
        *table(rows, ODD, outcomes),
        "",
        ("Into an S3 server that fails (SeaweedFS, behind a proxy that answers chosen calls in its place). The peers "
        "above write files, so this is ours alone:"),
        "",
        *table([row for row in rows if row.s3], STORE, outcomes),
        "",
        "## Words",
        "",
        *LEGEND,
        "",
        "## Faults",
        "",
        *(f"* **{column.title}**: {column.says}." for column in COLUMNS),
        "",
        disk_words(tmpfs=tmpfs),
        "",
        "## Why ours are what they are",
        "",
        *footnotes(rows, outcomes),
        "",
        "## Where a peer does better",
        "",
        "The file with fewer bytes, or the file where this engine ends otherwise:",
        "",
        *better_peers(rows, outcomes),
        "",
        "## Several at once, and kills",
        "",
        SEVERAL[0],
        "",
        SEVERAL[1],
        "",
        "## How it was run",
        "",
        how_it_ran(),
        "",
        *(f"* {row.name.strip('*')}: {row.version or 'not installed'}, a file of {row.size:,} bytes" for row in rows),
        "",
        (f"On {dt.datetime.now(dt.UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores shared with other work, Python {platform.python_version()}, in {seconds:.0f} s."),
        "",
    ])  # fmt: skip


def verdict(outcomes: Outcomes, rows: list[Engine], problems: list[str]) -> str:
    """The matrix in a paragraph."""
    if problems:
        return "**Broken promises of this engine in this run:** " + "; ".join(problems) + "."
    ours = [row for row in rows if row.ours]
    peers = [row for row in rows if not row.ours and row.version]
    detectable = [column for column in COLUMNS if not column.store and not column.undetectable]
    kinds = {row.name: [outcomes[row.name].get(column.key, NOTHING) for column in detectable] for row in peers}
    silent = sum(any(cell.kind == "bad" for cell in cells) for cells in kinds.values())
    leaking = sum(any(cell.leaked for cell in cells) for cells in kinds.values())
    partial = sum(any(cell.partial and cell.kind != "bad" for cell in cells) for cells in kinds.values())
    count = sum(cell.kind != "none" for row in ours for cell in outcomes[row.name].values())
    return (
        f"In none of its {count} cells has this engine a silent wrong result, a visible partial, an unfinished upload, "
        "a temporary file beside a finished one, or a credential at another host; the one exception is the bit that "
        "flips where no checksum is declared, which nothing shows. "
        f"Of {len(peers)} peers, {silent} are silently wrong in at least one other column, {partial} leave a partial "
        f"file under the final name, and {leaking} hand a credential to the host behind a redirect."
    )


def table(rows: list[Engine], columns: tuple[Column, ...], outcomes: Outcomes) -> list[str]:
    """One table in Markdown."""
    lines = ["| engine | " + " | ".join(column.title for column in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for row in rows:
        if not row.version:
            lines.append(f"| {row.name} | not installed " + "| " * (len(columns) - 1) + "|")
            continue
        cells = [outcomes[row.name].get(column.key, NOTHING) for column in columns]
        texts = [
            cell.text + "¹" * (column.undetectable and cell.kind == "bad")
            for column, cell in zip(columns, cells, strict=True)
        ]
        lines.append(f"| {row.name} | " + " | ".join(texts) + " |")
    return lines


def disk_words(*, tmpfs: bool) -> str:
    """What stood for the full disk."""
    if tmpfs:
        return "The full disk of this run is a tmpfs of that size, mounted for the cell: writes end with ENOSPC."
    return (
        "No file system could be mounted here, so the full disk of this run is a limit on the size of files in the "
        "child process (`RLIMIT_FSIZE`): writes end with EFBIG, or with the signal SIGXFSZ."
    )
