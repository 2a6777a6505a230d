"""`make bench`: this engine and its rivals, side by side, in turn, in one run; the result goes into docs/.

    BENCH_RUNS=5 BENCH_MIB=1024 BENCH_DIR=.bench BENCH_CASES=disk,s3,memory,small make bench

Each run of each contender is a process of its own. The contenders of a case take turns, so that what else the machine
does meets all of them, and write into memory that was touched before: the first touch of fresh memory on a virtual
machine can cost more than the transfer. Traffic goes to loopback only.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench import report, servers

ROOT = Path(__file__).parents[2]
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
MIB = int(os.environ.get("BENCH_MIB", "1024"))
FOLDER = Path(os.environ.get("BENCH_DIR", ROOT / ".bench")).absolute()
CASES = os.environ.get("BENCH_CASES", "disk,s3,memory,small").split(",")
MEMORY_MIB = [size for size in (1, 16, 128, 1024, 4096) if size <= max(MIB, 1) * 4]
SMALL_FILES = 1000
SMALL_BYTES = 10 * 1024


@dataclass(frozen=True)
class Cost:
    """What one run took; ``cpu`` and ``peak`` (MiB) are the whole process's, the rest leaves its imports out."""

    wall: float
    cpu: float
    peak: float
    work_cpu: float
    over: float = 0.0


@dataclass(frozen=True)
class Places:
    """Addresses and folders of this run."""

    source: servers.Source
    store: tuple[str, str]
    target: Path


def python(contender: str, places: Places, *, tls: bool, **order: Any) -> Callable[[], Cost]:
    """A run of one of child.py's contenders."""
    order = {
        "contender": contender,
        "base": places.source.https if tls else places.source.http,
        "target": str(places.target),
        "certificate": str(places.source.certificate) if tls else None,
        "sha256": False,
        "file": "large.bin",
        **order,
    }
    environment = _environment(places)

    def run() -> Cost:
        usage, _, said = _measured([sys.executable, "-m", "tests.bench.child"], environment, json.dumps(order))
        told = json.loads(said)
        return Cost(told["wall"], usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, told["cpu"], told["over"])

    return run


def curl(places: Places, *, tls: bool, sha256: bool) -> Callable[[], Cost]:
    """curl into the file, then openssl over it (coreutils' sha256sum may not use the CPU's instructions)."""
    base = places.source.https if tls else places.source.http
    command = f"curl -sS -L -o '{places.target}' '{base}/large.bin'"
    command += f" && openssl dgst -sha256 '{places.target}'" if sha256 else ""

    def run() -> Cost:
        usage, wall, _ = _measured(["sh", "-c", command], _environment(places), "")
        cpu = usage.ru_utime + usage.ru_stime
        return Cost(wall, cpu, usage.ru_maxrss / 1024, cpu)

    return run


def _environment(places: Places) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    certificate = str(places.source.certificate)
    return {
        **kept,
        "SSL_CERT_FILE": certificate,
        "CURL_CA_BUNDLE": certificate,
        "PYTHONPATH": str(ROOT),
        "AWS_EC2_METADATA_DISABLED": "true",  # nothing leaves loopback
    }


def _measured(command: list[str], environment: dict[str, str], told: str) -> tuple[Any, float, str]:
    """Resource usage, wall seconds and output of a process and those that it waited for."""
    with tempfile.TemporaryFile() as order, tempfile.TemporaryFile() as said:
        order.write(told.encode())
        order.seek(0)
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=order, stdout=said, env=environment, cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{command[:3]} failed with {process.returncode}: {told}")
        said.seek(0)
        return usage, wall, said.read().decode()


def in_turn(case: str, target: Path, contenders: dict[str, Callable[[], Cost]], runs: int = RUNS) -> dict[str, Cost]:
    """The medians, each figure's own. The turns begin with another contender each time."""
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    for turn in range(runs):
        names = list(contenders)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            run = contenders[name]
            target.unlink(missing_ok=True)
            os.sync()  # what the one before wrote is not paid for by the next
            costs[name].append(run())
            print(f"{case} · {turn + 1}/{runs} · {name}: {costs[name][-1]}", file=sys.stderr)
    return {
        name: Cost(**{field: median(asdict(cost)[field] for cost in each) for field in asdict(each[0])})
        for name, each in costs.items()
    }


def cases(places: Places) -> Iterator[tuple[str, dict[str, Cost]]]:
    """Each case's name with its medians."""
    names = {False: "plain", True: "TLS"}
    for tls in (False, True) if "disk" in CASES else ():
        case = f"disk, SHA-256, {names[tls]}"
        yield case, in_turn(case, places.target, {
            "ours": python("ours", places, tls=tls, sha256=True),
            "curl + openssl": curl(places, tls=tls, sha256=True),
        })  # fmt: skip
    for tls in (False, True) if "disk" in CASES else ():
        case = f"disk, no hash, {names[tls]}"
        yield case, in_turn(case, places.target, {
            "ours": python("ours", places, tls=tls),
            "curl": curl(places, tls=tls, sha256=False),
            **{name: python(name, places, tls=tls) for name in ("urllib3", "requests", "httpx")},
        })  # fmt: skip
    for tls in (False, True) if "s3" in CASES else ():
        to: dict[str, Any] = {"s3": places.store[tls], "tls": tls}
        case = f"S3, {names[tls]}"
        yield case, in_turn(case, places.target, {
            "ours": python("ours", places, **to, target="bench/object"),
            "ours, SHA-256": python("ours", places, **to, target="bench/object", sha256=True),
            **{name: python(name, places, **to) for name in ("boto3", "s3fs", "obstore")},
        })  # fmt: skip
    if "small" in CASES:
        folder = places.target.with_name("small")
        folder.mkdir(exist_ok=True)
        many: dict[str, Any] = {"tls": False, "target": str(folder), "count": SMALL_FILES}
        yield "small files", in_turn("small files", places.target, {
            "ours": python("ours", places, **many, sha256=True),
            "httpx": python("httpx", places, **many),
        })  # fmt: skip
    for size in MEMORY_MIB if "memory" in CASES else ():
        at: dict[str, Any] = {"tls": False, "file": f"sparse-{size}.bin", "sha256": True}
        yield f"memory, {size} MiB", in_turn(f"memory, {size} MiB", places.target, {
            "disk": python("ours", places, **at),
            "S3": python("ours", places, **at, s3=places.store[0], target="bench/object"),
        }, runs=1)  # fmt: skip


def fill(data: Path) -> None:
    """The files that nginx serves: one large, sparse ones of every size for memory, and many small."""
    block = os.urandom(8 << 20)
    with (data / "large.bin").open("wb") as file:
        for _ in range(MIB // 8):
            file.write(block)
    for size in MEMORY_MIB:
        with (data / f"sparse-{size}.bin").open("wb") as file:
            file.truncate(size << 20)
    (data / "small").mkdir()
    row = "id,name\n" + "".join(f"{n},{'x' * 50}\n" for n in range(200))
    for n in range(SMALL_FILES):
        (data / "small" / f"{n}.csv").write_text(row[:SMALL_BYTES].rpartition("\n")[0] + "\n")


def file_system(folder: Path) -> str:
    """What kind of file system ``folder`` is on: ``tmpfs``, ``ext2/ext3``, …."""
    command = ["stat", "-f", "-c", "%T", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def warm(folder: Path) -> None:
    """Touch the memory that the page cache will need, once, before anything is measured."""
    path = folder / "warm"
    with path.open("wb") as file:
        for _ in range(3 * MIB // 8):
            file.write(bytes(8 << 20))
    path.unlink()


def main() -> int:
    if absent := servers.missing():
        print(f"make bench: not installed: {', '.join(absent)} (on Debian: apt-get install nginx-light curl openssl)")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through the `finally`s: no server is left running
    shutil.rmtree(FOLDER, ignore_errors=True)
    with ExitStack() as stack:
        for name in ("data", "out", "nginx"):
            (FOLDER / name).mkdir(parents=True)
        stack.callback(shutil.rmtree, FOLDER, ignore_errors=True)
        fill(FOLDER / "data")
        warm(FOLDER / "out")
        source = stack.enter_context(servers.nginx(FOLDER / "nginx", FOLDER / "data"))
        store = stack.enter_context(servers.discarding_store(FOLDER / "nginx"))
        places = Places(source, store, FOLDER / "out" / "result.bin")
        results: report.Results = {}
        for case, costs in cases(places):  # the page is written after each: what was measured is not lost
            results[case] = {name: asdict(cost) for name, cost in costs.items()}
            docs = Path(os.environ.get("BENCH_DOCS", ROOT / "docs"))
            report.write(docs, results, runs=RUNS, mib=MIB, target=file_system(FOLDER))
    return 0


if __name__ == "__main__":
    sys.exit(main())
