"""Settings of `make bench` from the environment (the knobs are explained in `run`)."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
MIB = int(os.environ.get("BENCH_MIB", "1024"))
MOST_MIB = int(os.environ.get("BENCH_MOST_MIB", str(16 * MIB)))
FOLDER = Path(os.environ.get("BENCH_DIR", ROOT / ".bench")).absolute()
DOCS = Path(os.environ.get("BENCH_DOCS", ROOT / "docs")).absolute()
CASES = os.environ.get("BENCH_CASES", "limits,disk,formats,s3,small,links,memory").split(",")
BALLAST = os.environ.get("BENCH_BALLAST", "1") != "0"

LARGE = "large.bin"
PARTS_FILE = "parts.bin"
PARTS_MIB = max(8, MIB // 4)
SIZES_MIB = [size for size in (1, 16, 128, 1024, 4096, 16384) if size <= MOST_MIB]
SMALL_FILES = 1000
SMALL_BYTES = 10 * 1024


def sparse(mib: int) -> str:
    """The name of the served file that has this size and no content."""
    return f"sparse-{mib}.bin"
