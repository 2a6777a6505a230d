"""Downloads in a process of their own, which may be killed or measured: its order goes in as JSON on standard input."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow_provider_batchdl.emulator import Emulator

ROOT = Path(__file__).parents[2]
END_SECONDS = 60.0


def order(emulator: Emulator, job_id: str, path: str, *, vendor: str = "apartmentiq", **more: Any) -> dict[str, Any]:
    """What a child is told: the account at the vendor, the job, and where its result goes."""
    credentials = emulator.credentials[vendor]
    return {
        "vendor": vendor,
        "url": emulator.urls[vendor],
        "password": credentials.password,
        "login": credentials.login,
        "extra": {**credentials.extra, "rate_limit": "10000/1"},  # which never slows a test
        "job_id": job_id,
        "path": path,
        **more,
    }


@contextlib.contextmanager
def running(module: str, told: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """``python -m module`` under way; at the end of the block it is killed, if it has not ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(told))
        process.stdin.close()
        process.stdin = None
        yield process
    finally:
        process.kill()
        process.communicate(timeout=END_SECONDS)


def finished(module: str, told: dict[str, Any], *, timeout: float) -> tuple[dict[str, Any], str]:
    """What an undisturbed child says in its last line, which is JSON, and its log.

    Args:
        module: is run.
        told: see `order`.
        timeout: seconds.
    """
    with running(module, told) as process:
        out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, err[-3000:]
    said: dict[str, Any] = json.loads(out.splitlines()[-1])
    return said, err
