"""Runs it all and writes the table of docs/scale.md: `python -m bench.scale [--quick] [--keep FOLDER]`.

Exits with 1 where a line is missed. With `--quick`, which is for working on this program, it writes nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.scale import document, plan
from bench.scale.machine import Machine, machine
from bench.scale.outcome import Outcome
from tests.support.stack.programs import ProgramMissing

SEED = 4


@dataclass(frozen=True)
class Times:
    """Seconds. Those of the shared run count from when all triggers have been started and come to rest.

    Attributes:
        settle: from when a triggerer has taken all triggers until it has come to rest.
        measured: the jobs that end up to here count for the lag.
        late: from here on jobs end whose events must outlive the kill.
        killed: the triggerer is killed, in the midst of these, and when what ended before was long seen.
        ended: no more jobs end.
        drained: all events must have come.
        sleeping: length of the run with triggers that only sleep.
        lonely: length of the run with one loop for each job.
    """

    settle: float = 20
    measured: float = 150
    late: float = 220
    killed: float = 258
    ended: float = 290
    drained: float = 900
    sleeping: float = 60
    lonely: float = 120


QUICK = Times(10, 40, 90, 100, 110, 400, 20, 40)
QUICK_SHARE = 0.05


class Bench:
    """The three runs.

    Args:
        accounts: who waits.
        times: when what happens.
    """

    def __init__(self, accounts: Mapping[str, plan.Account], times: Times) -> None:
        self.accounts, self.times = accounts, times
        at_once = plan.ended_at_once(accounts, seed=SEED)
        taken = frozenset((end.account, end.index) for end in at_once)
        early = plan.ends(accounts, 0, times.measured, seed=SEED, but=taken)
        taken |= {(end.account, end.index) for end in early}
        self.early = [*at_once, *early]
        self.late = plan.ends(accounts, times.late, times.ended, seed=SEED + 1, but=taken)

    def sleeping(self, machine: Machine) -> Outcome:
        """The triggers that only sleep."""
        return self._one("sleeping", machine, [], self.times.sleeping)

    def lonely(self, machine: Machine) -> Outcome:
        """One loop for each job."""
        return self._one("lonely", machine, self.early, self.times.lonely)

    def _one(self, kind: str, machine: Machine, ends: list[plan.End], seconds: float) -> Outcome:
        with machine.begin(kind, self.accounts, ends) as run:
            say("  the database is filled")
            with run.triggerer() as triggerer:
                run.until_started(triggerer)
                say(f"  all triggers taken after {run.outcome.started[-1]:.0f} s")
                time.sleep(self.times.settle)
                run.start_clock()
                run.sleep_until(seconds, triggerer)
                return run.finish()

    def shared(self, machine: Machine) -> Outcome:
        """One loop for each account, and a kill halfway."""
        times, ends = self.times, [*self.early, *self.late]
        with machine.begin("shared", self.accounts, sorted(ends, key=lambda end: end.at)) as run:
            say("  the database is filled")
            with run.triggerer() as triggerer:
                run.until_started(triggerer)
                say(f"  all triggers taken after {run.outcome.started[-1]:.0f} s")
                time.sleep(times.settle)
                run.start_clock()
                run.sleep_until(times.measured, triggerer)
                say(f"  measured for {times.measured:.0f} s, {len(run.read_events()):,} events so far")
                run.sleep_until(times.killed, triggerer)
            run.outcome.killed = run.now()
            say("  killed; another triggerer starts")
            with run.triggerer() as triggerer:
                run.until_started(triggerer)
                say(f"  all triggers taken after {run.outcome.started[-1]:.0f} s")
                due = {run.outcome.ids[end.account][end.index] for end in ends if not self.accounts[end.account].ended}
                while run.now() < times.drained and (left := due - run.read_events().keys()):
                    say(f"  {len(left):,} events to come")
                    run.sleep_until(run.now() + 15, triggerer)
                return run.finish()


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run, judge, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale")
    parser.add_argument("--quick", action="store_true", help="fewer waits for a shorter time, and nothing is written")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="put each part's outcome there, and do not run a part that is there"
    )
    options = parser.parse_args()
    times = QUICK if options.quick else Times()
    bench = Bench(plan.shrunk(QUICK_SHARE) if options.quick else plan.ACCOUNTS, times)
    waits = sum(account.waits for account in bench.accounts.values())
    parts: dict[str, Callable[[Machine], Outcome]] = {
        f"{waits:,} triggers that only sleep": bench.sleeping,
        f"{waits:,} waits, one loop for each account": bench.shared,
        f"{waits:,} waits, one loop for each job": bench.lonely,
    }
    sleeping, shared, lonely = run_parts(parts, options.keep)
    report = document.Report(bench.accounts, times.measured, sleeping, shared, lonely, bench.early, bench.late)
    for line in report.lines:
        print(f"{'ok  ' if line.holds else 'MISS'}  {line.what}: {line.measured} (line: {line.bound})")
    print(report.comparison())
    if not options.quick:
        document.write(report)
    return 0 if all(line.holds for line in report.lines) else 1


def run_parts(parts: Mapping[str, Callable[[Machine], Outcome]], keep: Path | None) -> list[Outcome]:
    """Each part's outcome, kept in a folder where there is one."""
    files = [keep / f"{part.__name__}.json" if keep else None for part in parts.values()]
    outcomes = [Outcome.load(file) if file and file.exists() else None for file in files]
    if None in outcomes:
        say("a database server starts, and Airflow makes its tables …")
        with machine() as running:
            for number, (what, part) in enumerate(parts.items()):
                if outcomes[number] is None:
                    say(f"{what} …")
                    outcomes[number] = outcome = part(running)
                    if file := files[number]:
                        file.parent.mkdir(parents=True, exist_ok=True)
                        outcome.save(file)
    return [outcome for outcome in outcomes if outcome is not None]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ProgramMissing as missing:
        sys.exit(str(missing))
