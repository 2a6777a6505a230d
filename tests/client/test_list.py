"""Each vendor's list of jobs, all its pages, through both clients, against the emulator."""

from __future__ import annotations

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import UnsupportedOperationError
from airflow_provider_batchdl.jobs import JobState
from tests.client.helpers import Face, operations, vendor_of


@pytest.mark.parametrize("name", ["revenuebase", "batchcom", "apartmentiq"])
def test_an_empty_list(emulator: Emulator, face: Face, name: str) -> None:
    assert face.run(vendor_of(emulator, name), lambda each: each.list_jobs()) == []


@pytest.mark.parametrize("name", ["batchcom", "apartmentiq"])
def test_every_page_of_a_list(emulator: Emulator, face: Face, name: str) -> None:
    there = [emulator.world.add_job(name).id for _ in range(205)]
    jobs = face.run(vendor_of(emulator, name), lambda each: each.list_jobs())
    assert sorted(job.id for job in jobs) == sorted(there)
    assert operations(emulator, name).count("list") == 3


def test_revenuebase_lists_the_active_jobs(emulator: Emulator, face: Face) -> None:
    active = [emulator.add_job("revenuebase", state=state).id for state in ("running", "PROCESSING")]
    emulator.add_job("revenuebase")
    jobs = face.run(vendor_of(emulator, "revenuebase"), lambda each: each.list_jobs())
    assert [(job.id, job.state) for job in jobs] == [(each, JobState.RUNNING) for each in active]


def test_proofy_has_no_list(emulator: Emulator, face: Face) -> None:
    with pytest.raises(UnsupportedOperationError, match="Proofy's API cannot list jobs") as caught:
        face.run(vendor_of(emulator, "proofy"), lambda each: each.list_jobs())
    assert caught.value.retryable is False
    assert emulator.requests == []
