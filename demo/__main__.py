"""`python -m demo`: batches of all four vendors through a real Airflow, from the emulator to a folder.

Exits 0 only if every file that landed is, byte for byte, what the emulator served.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import httpx

from demo.api import AirflowApi
from demo.home import ROOT, Home, new_home, provide_database
from demo.processes import AirflowProcesses, ComponentDied
from demo.report import ServedJobs, problems, table
from demo.runner import DemoFailed, Runner

if TYPE_CHECKING:
    from airflow_provider_batchdl.emulator import Emulator

# Jobs take a while, as the vendors' do. Those of the demo itself go on until their DAG is seen waiting, so that all
# tasks wait in the triggerer, however slow the machine is; those that a person starts in the UI end by themselves.
QUEUE_SECONDS, RUN_SECONDS = 5.0, 25.0
UNTIL_SEEN = 24 * 3600.0


class Interrupted(BaseException):
    """A signal asked us to end."""

    def __init__(self, number: int) -> None:
        self.number = number


def main() -> int:
    """Run the command; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave Airflow and its UI running until Ctrl-C")
    parser.add_argument(
        "--runs", type=Path, default=ROOT / ".demo", help="folder that keeps the last runs (%(default)s)"
    )
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    with new_home(options.runs.resolve()) as home:
        try:
            return demo(home, keep=options.keep)
        except (DemoFailed, ComponentDied, httpx.HTTPError, subprocess.SubprocessError) as error:
            print(f"\nThe demo failed: {error}", file=sys.stderr)
            where(home)
            return 1
        except Interrupted as interrupted:
            print("\nStopped.")
            where(home)
            return 128 + interrupted.number


def _interrupt(number: int, _frame: FrameType | None) -> None:
    # One is enough: what follows takes seconds and must not be cut short by impatience.
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    print("\nStopping Airflow …", flush=True)
    raise Interrupted(number)


def demo(home: Home, *, keep: bool) -> int:
    """One demo in one home; the exit code."""
    from airflow_provider_batchdl.emulator import Emulator, ResultSpec

    started = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {line}", flush=True)

    say("starting the vendors' emulator and Airflow")
    with Emulator(port=0, queue_seconds=QUEUE_SECONDS, run_seconds=UNTIL_SEEN) as emulator:
        # The other vendors' results follow from what the DAGs submit; a profile export is as long as the customer base.
        emulator.set_result("batchcom", ResultSpec(bytes=6_000_000, parts=3))
        provide_database(home)
        with AirflowProcesses(home) as processes, contextlib.closing(AirflowApi(home)) as api:
            runner = Runner(home, processes, api, say)
            dag_ids = runner.prepare(emulator.connections())
            say(f"Airflow is up at {home.url}")
            landed = runner.run(dag_ids, on_deferred=lambda dag_id: finish_jobs(emulator, dag_id))
            wrong = problems(landed, served(emulator))
            print(f"\n{table(landed)}\n")
            for problem in wrong:
                print(f"WRONG: {problem}", file=sys.stderr)
            if not wrong:
                print(f"{len(landed)} files landed; each is byte for byte what the emulator served.", flush=True)
            if keep:
                emulator.world.run_seconds = RUN_SECONDS
                stay(home, processes, emulator)
    where(home)
    return 1 if wrong else 0


def finish_jobs(emulator: Emulator, dag_id: str) -> None:
    """End the jobs of the vendor that a DAG is named after."""
    for job in emulator.jobs(dag_id.removeprefix("example_")):
        if not job.phase.is_terminal:
            job.finish()


def served(emulator: Emulator) -> ServedJobs:
    """Every job that was submitted, with its files."""
    return {(vendor, job.id): job.files() for vendor in emulator.urls for job in emulator.jobs(vendor)}


def stay(home: Home, processes: AirflowProcesses, emulator: Emulator) -> None:
    """Leave everything running until a signal, or until a component dies."""
    print(f"\nAirflow's UI: {home.url}\n  user:       {home.user}\n  password:   {home.password}")
    print(f"The vendors' emulator: {emulator.origin}\n  jobs:       {emulator.origin}/_emulator/jobs")
    print(f"Landed files: {short(home.landed)}\n")
    print("Trigger any of the DAGs, browse connections and logs. Ctrl-C stops everything.", flush=True)
    try:
        while True:
            processes.check()
            time.sleep(1)
    except Interrupted as interrupted:
        if interrupted.number != signal.SIGINT:
            raise


def where(home: Home) -> None:
    """Print where files and logs are."""
    print(f"\nLanded files: {short(home.landed)}")
    print(f"Logs:         {short(home.airflow / 'logs')} (tasks), {short(home.folder)}/*.log (components)", flush=True)


def short(path: Path) -> str:
    """The path, from here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


if __name__ == "__main__":
    sys.exit(main())
