"""A job that has left the list of active ones has most likely ended: its poll does not queue behind the next list."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.triggers.job import BatchJobTrigger
from tests.support.airflow_jobs import count
from tests.support.fixtures import set_extra
from tests.triggers.waiting import PATIENCE, TOGETHER, until


def test_jobs_that_left_the_list_are_looked_up_before_the_next_list(
    connections: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is asked for as often as the limit lets it, every two seconds; polls that wait their turn, too."""
    set_extra(monkeypatch, "revenuebase", rate_limit="60/120")
    jobs = [connections.add_job("revenuebase", state="running") for _ in range(10)]

    async def story() -> int:
        async with asyncio.timeout(PATIENCE):
            triggers = [BatchJobTrigger("revenuebase_default", job.id, **TOGETHER) for job in jobs]
            waits = [asyncio.ensure_future(anext(aiter(trigger.run()))) for trigger in triggers]
            lists = -1
            while lists != count(connections, "list"):  # until those that the limit lets through at once are over
                lists = count(connections, "list")
                await asyncio.sleep(0.5)
            await until(lambda: count(connections, "list") > lists and connections.requests[-1].ended > 0)
            before = len(connections.requests)
            for job in jobs[:4]:
                job.finish()
            await asyncio.gather(*waits[:4])
            for wait in waits[4:]:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        return before

    before = asyncio.run(story())
    after = connections.requests[before:]
    # One job's turn may have come alone before the list; then three are left for it to miss.
    shown = next(number for number, record in enumerate(after) if record.operation == "list")
    assert {record.operation for record in after[shown + 1 :]} == {"status"}
    assert len(after) == 5
    assert after[-1].time - after[shown].time < 4
