"""How a job stands at each vendor, through both clients, against the emulator."""

from __future__ import annotations

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import JobFailedError, PermissionDeniedError, UnexpectedResponseError
from airflow_provider_batchdl.jobs import JobState
from tests.client.helpers import VENDORS, Face, vendor_of


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize(
    ("state", "expected"),
    [("running", JobState.RUNNING), ("succeeded", JobState.SUCCEEDED), ("failed", JobState.FAILED)],
)
def test_view(emulator: Emulator, face: Face, name: str, state: str, expected: JobState) -> None:
    there = emulator.add_job(name, state=state)
    vendor = vendor_of(emulator, name)
    job = face.run(vendor, lambda each: each.get_job(there.id))
    assert (job.id, job.state, job.vendor_state) == (there.id, expected, there.vendor_state)


@pytest.mark.parametrize("name", ["revenuebase", "proofy", "apartmentiq"])
def test_a_cancelled_job_is_cancelled(emulator: Emulator, face: Face, name: str) -> None:
    there = emulator.add_job(name, state="cancelled")
    assert face.run(vendor_of(emulator, name), lambda each: each.get_job(there.id)).state is JobState.CANCELLED


@pytest.mark.parametrize("name", ["revenuebase", "proofy", "apartmentiq"])
def test_a_failure_shows_the_vendors_reason(emulator: Emulator, face: Face, name: str) -> None:
    there = emulator.add_job(name, state="failed")
    vendor = vendor_of(emulator, name)
    job = face.run(vendor, lambda each: each.get_job(there.id))
    assert job.message == "Injected failure"
    with pytest.raises(JobFailedError, match="Injected failure"):
        vendor.ensure_results(job)


def test_revenuebase_v1_views_and_lists(emulator: Emulator, face: Face) -> None:
    there = emulator.add_job("revenuebase", state="running")
    vendor = vendor_of(emulator, "revenuebase", extra={"api_version": "v1"})
    assert face.run(vendor, lambda each: each.get_job(there.id)).state is JobState.RUNNING
    assert [job.id for job in face.run(vendor, lambda each: each.list_jobs())] == [there.id]
    assert face.run(vendor, lambda each: each.ensure_cancelled(there.id)).vendor_state == "CANCELLING"
    assert [(each.method, each.path) for each in emulator.requests] == [
        ("POST", "/revenuebase/v1/batch-process-email-status"),
        ("GET", "/revenuebase/v1/queued-process"),
        ("POST", "/revenuebase/v1/cancel-process"),
    ]


def test_several_parts_are_all_listed(emulator: Emulator, face: Face) -> None:
    there = emulator.add_job("batchcom", ResultSpec(bytes=30_000, parts=3))
    job = face.run(vendor_of(emulator, "batchcom"), lambda each: each.get_job(there.id))
    assert [(file.part, file.size) for file in job.files] == [(each.part, each.size) for each in there.files()]
    assert len({file.id for file in job.files}) == 3


def test_somebody_elses_job_with_an_empty_403(emulator: Emulator, face: Face) -> None:
    there = emulator.add_job("apartmentiq")
    there.forbidden = True
    with pytest.raises(PermissionDeniedError) as caught:
        face.run(vendor_of(emulator, "apartmentiq"), lambda each: each.get_job(there.id))
    assert caught.value.vendor_message is None


@pytest.mark.parametrize("name", VENDORS)
def test_an_answer_that_makes_no_sense_says_which_job_it_was_about(emulator: Emulator, face: Face, name: str) -> None:
    from airflow_provider_batchdl.emulator import Fault

    job = emulator.add_job(name)
    # Proofy tells of a batch by its result.
    emulator.add_fault(Fault("html", operation="status"))
    with pytest.raises(UnexpectedResponseError) as caught:
        face.run(vendor_of(emulator, name), lambda each: each.get_job(job.id))
    assert caught.value.job_id == job.id
    assert f"job {job.id}" in str(caught.value)
