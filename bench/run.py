"""`make bench`: this engine and its rivals, side by side, in turn, in one run; the result goes into docs/.

Each run of each contender is a process of its own. The contenders of a case take turns, so that what else the machine
does meets all of them. Traffic goes to loopback only. The page is written after each case. The environment may say:

* ``BENCH_CASES`` (``limits,disk,formats,s3,small,links,memory``): which to run;
* ``BENCH_RUNS`` (5): of each contender; the cases of one long run each (``memory``, numbers of parts) keep one, and
  ``limits`` at most three;
* ``BENCH_MIB`` (1024): the large file; ``BENCH_MOST_MIB`` (16 times that): the largest of the case ``memory``;
* ``BENCH_DIR`` (``.bench``): where files are served from and land; it is emptied first and removed at the end;
* ``BENCH_DOCS`` (``docs``): where the page and the plots go;
* ``BENCH_BALLAST`` (1): 0 keeps no memory touched between runs (see `ballast`).
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from bench import report, servers, settings
from bench.ballast import Ballast
from bench.cases import CASES
from bench.lines import missed
from bench.measure import Results
from bench.proc import available_mib
from bench.scene import Scene
from bench.settings import DOCS, FOLDER, LARGE, MIB, PARTS_FILE, PARTS_MIB, SIZES_MIB, SMALL_BYTES, SMALL_FILES

_BLOCK = 8 << 20


def fill(data: Path) -> None:
    """The files that nginx serves: two with content, sparse ones of every size for memory, and many small."""
    block = os.urandom(_BLOCK)
    for name, mib in ((LARGE, MIB), (PARTS_FILE, PARTS_MIB)):
        with (data / name).open("wb") as file:
            for _ in range((mib << 20) // _BLOCK):
                file.write(block)
    for size in SIZES_MIB:
        with (data / settings.sparse(size)).open("wb") as file:
            file.truncate(size << 20)
    (data / "small").mkdir()
    row = "id,name\n" + "".join(f"{n},{'x' * 50}\n" for n in range(200))
    for n in range(SMALL_FILES):
        (data / "small" / f"{n}.csv").write_text(row[:SMALL_BYTES].rpartition("\n")[0] + "\n")


def ballast_mib() -> int:
    """As much as the hungriest contender takes (twice the file), or half of the memory that there is."""
    return min(int(2.25 * MIB) + 256, int(available_mib() / 2)) if settings.BALLAST else 0


def scene(stack: ExitStack) -> Scene:
    """The folders, filled, and the servers; the stack ends and removes them."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    stack.callback(shutil.rmtree, FOLDER, ignore_errors=True)
    for name in ("data", "out", "nginx"):
        (FOLDER / name).mkdir(parents=True)
    fill(FOLDER / "data")
    source = stack.enter_context(servers.nginx(FOLDER / "nginx", FOLDER / "data"))
    store = stack.enter_context(servers.discarding_store(FOLDER / "nginx"))
    ballast = stack.enter_context(Ballast(ballast_mib()))
    return Scene(source, store, FOLDER / "data", FOLDER / "out" / "result.bin", ballast)


def main() -> int:
    """Measure the cases that are wanted, and profile what missed its line."""
    if absent := servers.missing():
        print(f"make bench: not installed: {', '.join(absent)} (in brackets, Debian's package)")
        return 1
    if unknown := set(settings.CASES) - CASES.keys():
        print(f"make bench: no such case: {', '.join(sorted(unknown))} (there are {', '.join(CASES)})")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through the `finally`s: no server is left running
    began = time.monotonic()
    with ExitStack() as stack:
        here, results, profiles = scene(stack), Results(), dict[tuple[str, str], str]()
        for name in settings.CASES:
            for case, result in CASES[name](here):
                results[case] = result  # the page is written after each: what was measured is not lost
                # Now, while the files that the case serves are there.
                profiles |= {key: here.profilers[key]() for key in missed(results) if key not in profiles}
                report.write(DOCS, results, profiles)
                print(f"== {case}: {result.seconds:.0f} s", file=sys.stderr)
    print(f"== all: {(time.monotonic() - began) / 60:.1f} minutes; {DOCS / 'benchmarks.md'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
