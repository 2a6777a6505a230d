"""A triggerer's event loop with thousands of triggers: Airflow's own `TriggerRunner.run_trigger` runs each.

There is neither a metadata database nor a supervisor: the order on standard input says which triggers to run, and
events go to a file, one JSON line each. Every second it notes its CPU seconds and memory in another.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any, TextIO

import structlog
from airflow.jobs.triggerer_job_runner import TriggerRunner

from tests.bench.proc import cpu_s, status_mib
from tests.bench.scale.triggers import KINDS

CREATED_AT_ONCE = 50
TURNS_A_NOTE = 10


def main() -> None:
    """Obey the order."""
    order: dict[str, Any] = json.load(sys.stdin)
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "client"  # as TriggerRunner.run does
    with Path(order["events"]).open("a") as events, Path(order["costs"]).open("a") as costs:
        asyncio.run(_run(order, events, costs))


async def _run(order: dict[str, Any], events: TextIO, costs: TextIO) -> None:
    runner = TriggerRunner()  # type: ignore[no-untyped-call]
    kind = KINDS[order["kind"]]
    for number, (vendor, job_id) in enumerate(order["jobs"]):
        name = f"made_up/run/task/{number} (ID {number})"
        trigger = kind(f"{vendor}_default", job_id)
        trigger.trigger_id = number
        run = runner.run_trigger(number, trigger)
        task = asyncio.create_task(run, name=name)
        runner.triggers[number] = {"task": task, "is_watcher": False, "name": name, "events": 0}
        if number % CREATED_AT_ONCE == 0:
            await asyncio.sleep(0)
    for turn in count():
        await asyncio.sleep(0.1)
        while runner.events:
            event = runner.events.popleft().event.payload
            error = event.get("error", {}).get("type")
            events.write(json.dumps([event["job_id"], event["status"], error, time.time()]) + "\n")
        events.flush()
        if turn % TURNS_A_NOTE == 0:
            costs.write(json.dumps([time.time(), cpu_s(os.getpid()), status_mib("VmRSS")]) + "\n")
            costs.flush()


if __name__ == "__main__":
    main()
