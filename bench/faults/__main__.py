"""Runs the matrix and writes docs/faults.md: `python -m bench.faults [--only ENGINE-OR-COLUMN …]`.

Exits with 1 where this engine broke one of its promises. With `--only` it prints and writes nothing.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from bench.faults import document
from bench.faults.columns import COLUMNS, UNDETECTABLE
from bench.faults.engines import PEERS, Engine, engines
from bench.faults.judge import Cell, broken_promises
from bench.faults.run import BUCKET, can_mount, run_cell
from tests.support.seaweedfs import running_seaweedfs

AT_ONCE = 3


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def chosen(only: list[str]) -> tuple[list[Engine], list[str]]:
    """Rows and columns that `--only` names, or all."""
    keys = [column.key for column in COLUMNS if not only or column.key in only]
    rows = [engine for engine in engines() if any(word in engine.name for word in only)] or engines()
    return rows, keys or [column.key for column in COLUMNS]


def main() -> int:
    """Run every cell, write the document, and say by the exit code whether our promises held."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults")
    parser.add_argument("--only", nargs="+", default=[], help="column keys and words of engines' names")
    only = parser.parse_args().only
    logging.disable(logging.CRITICAL)
    PEERS.build()
    rows, keys = chosen(only)
    began, tmpfs = time.monotonic(), can_mount()
    outcomes: dict[str, dict[str, Cell]] = {engine.name: {} for engine in rows}
    with running_seaweedfs() as store, ThreadPoolExecutor(AT_ONCE) as pool:
        client = store.client()
        client.create_bucket(Bucket=BUCKET)
        client.close()

        def one(engine: Engine, column_index: int) -> None:
            column, started = COLUMNS[column_index], time.monotonic()
            cell = run_cell(engine, column, store, tmpfs=tmpfs)
            outcomes[engine.name][column.key] = cell
            if cell.kind != "none":
                say(f"{time.monotonic() - started:5.1f} s  {engine.name:<42} {column.key:<16} {cell.text}")

        cells = [
            pool.submit(one, engine, index)
            for engine in rows
            if engine.version
            for index, column in enumerate(COLUMNS)
            if column.key in keys
        ]
        for cell in cells:
            cell.result()
    problems = [
        f"{engine.name} · {problem}"
        for engine in rows
        if engine.ours
        for problem in broken_promises(outcomes[engine.name], UNDETECTABLE)
    ]
    seconds = time.monotonic() - began
    if not only:
        document.write(rows, outcomes, problems, tmpfs=tmpfs, seconds=seconds)
    for problem in problems:
        say(f"BROKEN PROMISE: {problem}")
    say(f"{len(cells)} cells in {seconds:.0f} s, {len(problems)} broken promises")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
