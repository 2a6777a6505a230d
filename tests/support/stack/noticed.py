"""Whether all of Airflow has noticed that a task has deferred. A trigger that fires before that fails its task."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable

from demo.home import Home

# So long at most it is waited for, where the scheduler's log does not say so.
UNNOTICED_SECONDS = 120.0


def releases(home: Home, dag_id: str, run_id: str) -> Counter[tuple[str, int]]:
    """How often the scheduler has learnt that a worker has let go of a task, by the task's id and try.

    "State changed externally" is what Airflow says where the task is due again by then, and fails it.
    """
    ended = re.findall(
        rf"executor event with state success for task instance .*dag_id='{dag_id}', "
        rf"task_id='(\w+)', run_id='{re.escape(run_id)}', try_number=(\d+),",
        (home.folder / "scheduler.log").read_text(errors="replace"),
    )
    return Counter((task_id, int(number)) for task_id, number in ended)


def has_trigger(home: Home, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> bool:
    """Whether a triggerer has begun to wait in place of a task's try; that it did so stays."""
    logs = home.airflow / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
    return any(logs.glob(f"attempt={try_number}.log.trigger.*.log"))


def noticed(
    home: Home, dag_id: str, run_id: str, tries: Iterable[tuple[str, int]], times: int = 1
) -> Callable[[], bool]:
    """Whether all of Airflow knows that tries of tasks have deferred, or enough time has passed since this call.

    Args:
        home, dag_id, run_id: which run.
        tries: id and try of each task.
        times: how often each try has let go of a worker by then.
    """
    tries, deadline = list(tries), time.monotonic() + UNNOTICED_SECONDS

    def is_so() -> bool:
        ended = releases(home, dag_id, run_id)
        known = all(ended[each] >= times and has_trigger(home, dag_id, run_id, *each) for each in tries)
        return known or time.monotonic() > deadline

    return is_so
