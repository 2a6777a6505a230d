"""One job through Airflow's real task runner: `python -m bench.compare.play ORDER.json`, in the engine's environment.

Tasks run one after another, each with its retries, their triggers in an event loop. The report is written beside the
order: the tries, what stood under the result's name after each that failed, and the rows in the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.compare.scenes import RESTART_AFTER, TRIES

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

    from tests.support.airflow_api import ExecutionApi, Outcome

MOST_DEFERRALS = 20


class Play:
    """A run of an engine's tasks.

    Args:
        order: what to run, as `run.py` writes it.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        from tests.support.airflow_api import ExecutionApi

        self.engine = import_module(f"bench.compare.engines.{order['engine']}").Engine(order)
        self.api: ExecutionApi = ExecutionApi(max_tries=TRIES - 1)
        self.restart: bool = order["restart"]
        self.report: dict[str, Any] = {"tries": [], "restarts": 0, "deferred": [], "seen_between": 0}

    def run(self) -> dict[str, Any]:
        """Run the tasks, up to the first that fails for good."""
        ended = all(self._task(*each) for each in self.engine.tasks(self.api).items())
        sent = self.api.sent
        deferred = self.report.pop("deferred")
        return {
            **self.report,
            "succeeded": ended,
            "rows": self.engine.rows(self.api) if ended else None,
            "file": str(file) if ended and (file := self.engine.file(self.api)) else None,
            "largest_message": max(len(body) for body in sent),
            "wait_deferred": self.engine.wait in deferred,
            "key_in_airflow": any(self.engine.key in body for body in sent),
        }

    def _task(self, task_id: str, make: Any) -> bool:
        for number in range(1, TRIES + 1):
            outcome = self._try(task_id, make, number)
            self.report["tries"].append([outcome.state, type(outcome.error).__name__ if outcome.error else None])
            if outcome.state == "success":
                return True
            with contextlib.suppress(Exception):
                self.report["seen_between"] = max(self.report["seen_between"], len(self.engine.rows(self.api) or ()))
            if outcome.state != "up_for_retry":
                break
        return False

    def _try(self, task_id: str, make: Any, number: int) -> Outcome:
        for _ in range(MOST_DEFERRALS):
            outcome = self.api.run(make, try_number=number)
            if outcome.state != "deferred":
                return outcome
            self.report["deferred"].append(task_id)
            self._wait()
        raise RuntimeError("the task defers again and again")

    def _wait(self) -> None:
        """Run the deferral's trigger until it fires; a restart drops it once and makes it anew."""
        assert self.api.deferral is not None
        if self.restart:
            event = asyncio.run(_event(self.api.deferral.trigger(), RESTART_AFTER))
            if event is not None:
                return self.api.resume_with(event.payload)
            self.report["restarts"] += 1
        event = asyncio.run(_event(self.api.deferral.trigger(), None))
        assert event is not None
        return self.api.resume_with(event.payload)


async def _event(trigger: BaseTrigger, seconds: float | None) -> Any:
    """A trigger's event; None where it was cancelled before."""

    async def first() -> Any:
        async for event in trigger.run():
            return event
        raise RuntimeError("the trigger ended without an event")

    try:
        return await asyncio.wait_for(first(), seconds)
    except TimeoutError:
        return None


def main() -> int:
    """Play the order; the report is a file, because Airflow prints."""
    path = Path(sys.argv[1])
    order = json.loads(path.read_text())
    report = Play(order).run()
    (path.parent / "report.json").write_text(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
