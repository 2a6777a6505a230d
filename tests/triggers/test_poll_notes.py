"""What polls of deferred jobs note for the page "Batch jobs", how often, and what that may cost."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import SetXCom

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.triggers import poll_notes
from airflow_provider_batchdl.triggers.job import BatchJobTrigger
from tests.support.airflow_features import SUPERVISOR_BEARS_THREADS
from tests.support.fixtures import set_extra
from tests.triggers.waiting import patience, payload_of, until

pytestmark = pytest.mark.skipif(not SUPERVISOR_BEARS_THREADS, reason="before Airflow 3.2.2, triggers note nothing")


class TriggerCommsDecoder:
    """Takes the place of Airflow's own of that name, and remembers the XComs."""

    def __init__(self, error: Exception | None = None) -> None:
        self.pushed: list[SetXCom] = []
        self.times: list[float] = []
        self._error = error

    def send(self, msg: Any) -> None:
        raise RuntimeError("nothing is asked for")

    async def asend(self, msg: Any) -> None:
        if isinstance(msg, SetXCom):
            self.pushed.append(msg)
            self.times.append(time.monotonic())
            if self._error is not None:
                raise self._error


def connect(monkeypatch: pytest.MonkeyPatch, supervisor: TriggerCommsDecoder, *, job: float, write: float) -> None:
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    monkeypatch.setattr(poll_notes, "POLL_SECONDS", job)
    monkeypatch.setattr(poll_notes, "WRITE_SECONDS", write)


def waits(jobs: list[EmulatedJob]) -> list[asyncio.Task[dict[str, Any]]]:
    """Waits of mapped tasks, one for each job."""
    triggers = [BatchJobTrigger(f"{job.vendor}_default", job.id, poll_interval=0.1) for job in jobs]
    for number, trigger in enumerate(triggers):
        place = {"dag_id": "nightly", "run_id": "r", "task_id": "land", "map_index": number}
        trigger.task_instance = SimpleNamespace(**place)  # type: ignore[assignment]
    return [asyncio.create_task(payload_of(trigger), name="a test's wait") for trigger in triggers]


def test_what_is_noted(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = TriggerCommsDecoder()
    connect(monkeypatch, supervisor, job=0.3, write=0.0)
    # Within its window there is the poll that the note is about, however long its response took.
    set_extra(monkeypatch, "proofy", rate_limit="10000/3600")
    connections.world.run_seconds = 3600
    job = connections.add_job("proofy", state="running")

    async def main() -> None:
        async with patience():
            waits([job])
            await until(lambda: bool(supervisor.pushed))

    asyncio.run(main())
    pushed = supervisor.pushed[0]
    assert (pushed.dag_id, pushed.run_id, pushed.task_id, pushed.map_index) == ("nightly", "r", "land", 0)
    assert pushed.key == "batchdl_poll"
    note: Any = pushed.value
    assert (note["conn_id"], note["job_id"], note["state"]) == ("proofy_default", job.id, "running")
    assert note["vendor_state"]
    assert note["polled_at"] <= note.get("next_poll_at", "9")
    [limit, *_] = note["requests"]
    assert 1 <= limit["requests"] <= limit["limit"]
    assert limit["seconds"] > 0


def test_writes_are_bounded(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = TriggerCommsDecoder()
    connect(monkeypatch, supervisor, job=0.3, write=0.05)
    connections.world.run_seconds = 3600
    jobs = [connections.add_job("proofy", state="running") for _ in range(12)]

    async def main() -> float:
        async with patience():
            began = time.monotonic()
            waits(jobs)
            await until(lambda: {push.map_index for push in supervisor.pushed} == set(range(12)))
            await until(lambda: len(supervisor.pushed) >= 24)
            return time.monotonic() - began

    took = asyncio.run(main())
    assert len(supervisor.pushed) <= took / 0.05 + 1
    for number in range(12):
        times = [at for at, push in zip(supervisor.times, supervisor.pushed, strict=True) if push.map_index == number]
        assert all(later - earlier >= 0.3 for earlier, later in pairwise(times))


def test_a_database_that_is_away_disturbs_no_wait(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = TriggerCommsDecoder(RuntimeError("the database is away"))
    connect(monkeypatch, supervisor, job=0.1, write=0.0)
    monkeypatch.setattr("airflow_provider_batchdl.triggers.job.settling_seconds", lambda: 0.0)
    connections.world.run_seconds = 3600
    job = connections.add_job("proofy", state="running")

    async def main() -> dict[str, Any]:
        async with patience():
            [wait] = waits([job])
            await until(lambda: len(supervisor.pushed) > 1)
            job.finish()
            return await wait

    assert asyncio.run(main())["status"] == "ended"


def test_where_the_page_is_turned_off(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = TriggerCommsDecoder()
    connect(monkeypatch, supervisor, job=0.1, write=0.0)
    monkeypatch.setenv("AIRFLOW__BATCHDL__UI", "False")
    connections.world.run_seconds = 3600

    async def main() -> None:
        async with patience():
            waits([connections.add_job("proofy", state="running")])
            await asyncio.sleep(0.6)

    asyncio.run(main())
    assert not supervisor.pushed
