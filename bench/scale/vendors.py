"""The vendors, in a process of their own: jobs that run, some of which end when the order says.

The order comes as JSON on standard input; afterwards ``go`` starts the clock, ``stop`` writes down what was asked.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.emulator.jobs import EmulatedJob


def main() -> None:
    """Serve."""
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    with ExitStack() as stack:
        # One emulator has one account of each vendor; a second account of a vendor is another's.
        emulators: list[Emulator] = []
        homes: dict[str, Emulator] = {}
        for name, (vendor, _) in order["accounts"].items():
            taken = sum(order["accounts"][other][0] == vendor for other in homes)
            if taken == len(emulators):
                emulators.append(stack.enter_context(Emulator(port=0, rate_limits=True, seed=taken)))
            homes[name] = emulators[taken]
        result = ResultSpec(bytes=2_000)
        jobs = {
            name: [homes[name].add_job(vendor, result, state="running") for _ in range(waits)]
            for name, (vendor, waits) in order["accounts"].items()
        }
        connections = [
            {**homes[name].connections(poll_interval=None)[f"{vendor}_default"], "conn_id": f"{name}_default"}
            for name, (vendor, _) in order["accounts"].items()
        ]
        ids = {name: [job.id for job in own] for name, own in jobs.items()}
        print(json.dumps({"connections": connections, "ids": ids}), flush=True)
        sys.stdin.readline()
        began = time.time()
        print(json.dumps(began), flush=True)
        stopped = threading.Event()
        ending = threading.Thread(target=_end, args=(order["ends"], jobs, began, stopped))
        ending.start()
        sys.stdin.readline()
        stopped.set()
        ending.join()
        requests = [
            [each.time - began, name, each.operation, each.status, each.path]
            for name, (vendor, _) in order["accounts"].items()
            for each in homes[name].requests
            if each.vendor == vendor
        ]
        Path(order["log"]).write_text(json.dumps(sorted(requests)))


def _end(ends: list[Any], jobs: dict[str, list[EmulatedJob]], began: float, stopped: threading.Event) -> None:
    for name, index, at in ends:
        if stopped.wait(max(0.0, began + at - time.time())):
            return
        jobs[name][index].finish()


if __name__ == "__main__":
    main()
