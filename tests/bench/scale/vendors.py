"""The vendors, in a process of their own: jobs that run, some of which end when the order says.

The order comes as JSON on standard input; afterwards ``go`` starts the clock, ``stop`` writes down what was asked.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from tests.bench.scale.plan import WAITS


def main() -> None:
    """Serve."""
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    with Emulator(port=0, rate_limits=True) as emulator:
        result = ResultSpec(bytes=2_000)
        jobs = {
            vendor: [emulator.add_job(vendor, result, state="running") for _ in range(number)]
            for vendor, number in WAITS.items()
        }
        ids = {vendor: [job.id for job in own] for vendor, own in jobs.items()}
        print(json.dumps({"connections": emulator.connections(), "ids": ids}), flush=True)
        sys.stdin.readline()
        began = time.time()
        print(json.dumps(began), flush=True)
        stopped = threading.Event()
        ending = threading.Thread(target=_end, args=(order["ends"], jobs, began, stopped))
        ending.start()
        sys.stdin.readline()
        stopped.set()
        ending.join()
        requests = [[each.time - began, each.vendor, each.operation, each.status] for each in emulator.requests]
        Path(order["log"]).write_text(json.dumps(requests))


def _end(ends: list[Any], jobs: dict[str, list[EmulatedJob]], began: float, stopped: threading.Event) -> None:
    for vendor, index, at in ends:
        if stopped.wait(max(0.0, began + at - time.time())):
            return
        jobs[vendor][index].finish()


if __name__ == "__main__":
    main()
