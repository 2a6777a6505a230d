"""What is measured, a module for each name that ``BENCH_CASES`` may have.

A case is a generator: it takes the scene and yields each table's name with what was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.cases import disk, formats, limits, links, memory, s3, small
from bench.measure import Case
from bench.scene import Scene

CASES: dict[str, Callable[[Scene], Iterator[tuple[str, Case]]]] = {
    "limits": limits.measured,
    "disk": disk.measured,
    "formats": formats.measured,
    "s3": s3.measured,
    "small": small.measured,
    "links": links.measured,
    "memory": memory.measured,
}
