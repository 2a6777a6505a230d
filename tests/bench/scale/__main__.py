"""Runs it all and writes the table of docs/scale.md: `python -m tests.bench.scale [--quick]`.

Exits with 1 where a line is missed. With `--quick`, which is for working on this program, it writes nothing.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

from tests.bench.scale import document, plan
from tests.bench.scale.measure import Outcome, begin

SEED = 4


@dataclass(frozen=True)
class Times:
    """Seconds after the beginning at which the parts of the run end.

    Attributes:
        warm: all triggers have been started.
        measured: the jobs that end up to here count for the lag.
        late: from here on jobs end whose events must outlive the kill.
        killed: the process is killed, in the midst of these.
        ended: no more jobs end.
        drained: all events must have come.
        sleeping: length of the run with triggers that only sleep.
        lonely: length of the run with one loop for each job.
    """

    warm: float = 60
    measured: float = 200
    late: float = 275
    killed: float = 305
    ended: float = 335
    drained: float = 480
    sleeping: float = 40
    lonely: float = 240


QUICK = Times(40, 100, 190, 215, 235, 380, 25, 60)


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def sleeping(times: Times) -> Outcome:
    """The triggers that only sleep."""
    with begin([]) as run:
        run.start_clock()
        with run.triggerer("sleeping"):
            run.sleep_until(run.now() + times.sleeping)
        return run.finish()


def lonely(times: Times, ends: list[plan.End]) -> Outcome:
    """One loop for each job."""
    with begin(ends) as run:
        run.start_clock()
        with run.triggerer("lonely"):
            run.sleep_until(times.lonely)
        return run.finish()


def shared(times: Times, early: list[plan.End], late: list[plan.End]) -> Outcome:
    """One loop for each account, and a kill halfway."""
    everything = sorted([*early, *late], key=lambda end: end.at)
    with begin(everything) as run:
        run.start_clock()
        with run.triggerer("shared"):
            run.sleep_until(times.killed)
        killed = run.now()
        with run.triggerer("shared"):
            run.outcome.killed = (killed, run.now())
            while run.now() < times.drained and len(run.read_events()) < len(everything):
                run.sleep_until(run.now() + 2)
        return run.finish()


def main() -> int:
    """Run, judge, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale")
    parser.add_argument("--quick", action="store_true", help="a shorter run, of which nothing is written")
    quick = parser.parse_args().quick
    times = QUICK if quick else Times()
    early = plan.ends(times.warm, times.measured, seed=SEED)
    taken = frozenset((end.vendor, end.index) for end in early)
    late = plan.ends(times.late, times.ended, seed=SEED + 1, but=taken)
    say(f"{sum(plan.WAITS.values()):,} triggers that only sleep, {times.sleeping:.0f} s …")
    asleep = sleeping(times)
    say(f"the same number of waits, one loop for each account, up to {times.drained:.0f} s …")
    ours = shared(times, early, late)
    say(f"the same with one loop for each job, {times.lonely:.0f} s …")
    alone = lonely(times, early)
    report = document.Report(times.warm, times.measured, asleep, ours, alone, early, late)
    for line in report.lines:
        say(f"{'ok  ' if line.holds else 'MISS'}  {line.what}: {line.measured} (at most {line.bound})")
    say(report.comparison())
    if not quick:
        document.write(report)
    return 0 if all(line.holds for line in report.lines) else 1


if __name__ == "__main__":
    sys.exit(main())
