"""The rows: this engine and its peers, and how each is started on one download."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.faults.columns import Strike
from bench.peer_venv import PeerVenv

PEERS = PeerVenv("faults")
SMALL, LARGE, DIVIDED, HUGE = 3_000_000, 20_000_000, 48_000_000, 60_000_000
CONNECTIONS = 8
DIVIDED_AT = 1_000_000
Order = dict[str, Any]


@dataclass(frozen=True)
class Engine:
    """One row.

    Attributes:
        name: what the row is called.
        command: the program and its arguments for an order; the order comes as JSON on its standard input, too.
        version: which version this machine has; empty where it is not installed.
        size: bytes of the file it is given.
        s3: it writes into an S3 bucket.
        ours: it is this engine.
        connections: how many it may have to one file; peers have one.
    """

    name: str
    command: Callable[[Order], list[str]]
    version: str
    size: int = SMALL
    s3: bool = False
    ours: bool = False
    connections: int = 1

    @property
    def strike(self) -> Strike:
        """Where faults strike: a third into the file, or into what one of several connections fetches of it.

        Of several, the first two requests are left in peace, so that there are several. A part that one connection
        fetches is a few MB.
        """
        return Strike(self.size // 3) if self.connections == 1 else Strike(DIVIDED_AT, after=2)


def _ours(order: Order) -> list[str]:
    return [sys.executable, "-m", "bench.faults.ours"]


def _peer(engine: str) -> Callable[[Order], list[str]]:
    return lambda order: [str(PEERS.python), "-W", "ignore", str(Path(__file__).with_name("peers.py")), engine]


def _headers(order: Order, option: str) -> list[str]:
    return [part for name, value in order["headers"].items() for part in (option, f"{name}: {value}")]


def _curl(order: Order, *more: str) -> list[str]:
    patience = ["--connect-timeout", "3", "--speed-limit", "1024", "--speed-time", "3"]
    return ["curl", "-q", "-sSL", "--fail", *patience, *more, *_headers(order, "-H"), "-o", order["path"], order["url"]]


def _curl_retry(order: Order) -> list[str]:
    return _curl(order, "--retry", "4", "--retry-all-errors")


def _curl_loop(order: Order) -> list[str]:
    # What shell scripts do: ask for the rest until curl is content.
    loop = 'for i in 1 2 3 4 5; do "$@" && exit 0; code=$?; sleep 0.2; done; exit $code'
    return ["sh", "-c", loop, "sh", *_curl(order, "-C", "-")]


def _wget(order: Order) -> list[str]:
    headers = [f"--header={name}: {value}" for name, value in order["headers"].items()]
    patience = ["--timeout=3", "--tries=5", "--waitretry=1", "--retry-on-http-error=503"]
    return ["wget", "--no-config", "-q", "-c", *patience, *headers, "-O", order["path"], order["url"]]


def _aria2(order: Order) -> list[str]:
    path = Path(order["path"])
    headers = [f"--header={name}: {value}" for name, value in order["headers"].items()]
    # Without --lowest-speed-limit: below it, aria2 gives the download up instead of trying again.
    patience = ["--timeout=3", "--connect-timeout=3", "--max-tries=5", "--retry-wait=1"]
    place = ["--allow-overwrite=true", "--auto-file-renaming=false", f"--dir={path.parent}", f"--out={path.name}"]
    return ["aria2c", "--no-conf", "-q", "-x1", *patience, *place, *headers, order["url"]]


def program_version(program: str) -> str:
    """The version that a program says it has; empty where it is not on the path."""
    if shutil.which(program) is None:
        return ""
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+(\.\d+)+", told)
    return found.group() if found else "?"


def engines() -> list[Engine]:
    """Every row, in the order of the table."""
    ours = version("airflow-provider-batchdl")
    have = PEERS.versions()
    python = have.get("python", "")
    peers = [
        ("requests, a loop", "requests", have.get("requests", ""), SMALL),
        ("httpx, a loop", "httpx", have.get("httpx", ""), SMALL),
        ("aiohttp, a loop", "aiohttp", have.get("aiohttp", ""), SMALL),
        ("urllib, copyfileobj", "urllib", python, SMALL),
        ("huggingface_hub http_get, size given", "huggingface", have.get("huggingface-hub", ""), HUGE),
        ("fsspec http get_file", "fsspec", have.get("fsspec", ""), SMALL),
        ("google-resumable-media", "google", have.get("google-resumable-media", ""), SMALL),
        ("pooch, no hash", "pooch", have.get("pooch", ""), SMALL),
        ("pooch, hash given", "pooch_hash", have.get("pooch", ""), SMALL),
        ("smart_open", "smart_open", have.get("smart-open", ""), SMALL),
        ("pip's downloader", "pip", have.get("pip", ""), SMALL),
    ]
    several = f"batchdl, {CONNECTIONS} connections"
    return [
        Engine("**batchdl → disk**", _ours, ours, SMALL, ours=True),
        Engine("**batchdl → S3**", _ours, ours, LARGE, s3=True, ours=True),
        Engine(f"**{several} → disk**", _ours, ours, DIVIDED, ours=True, connections=CONNECTIONS),
        Engine(f"**{several} → S3**", _ours, ours, DIVIDED, s3=True, ours=True, connections=CONNECTIONS),
        *(Engine(name, _peer(engine), which, size) for name, engine, which, size in peers),
        Engine("curl --retry-all-errors", _curl_retry, program_version("curl")),
        Engine("curl -C -, in a loop", _curl_loop, program_version("curl")),
        Engine("wget -c", _wget, program_version("wget")),
        Engine("aria2c -x1", _aria2, program_version("aria2c")),
    ]
