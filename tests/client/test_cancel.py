"""A job is cancelled, cannot be any more, or never could, through both clients, against the emulator."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import (
    InvalidRequestError,
    JobFailedError,
    ResultNotReadyError,
    UnsupportedOperationError,
)
from airflow_provider_batchdl.jobs import JobState
from tests.client.helpers import Face, download_request, vendor_of


@pytest.mark.parametrize("name", ["revenuebase", "proofy", "apartmentiq"])
def test_cancel_a_running_job(emulator: Emulator, face: Face, name: str) -> None:
    there = emulator.add_job(name, state="running")
    job = face.run(vendor_of(emulator, name), lambda each: each.ensure_cancelled(there.id))
    assert there.cancelled
    assert job.id == there.id
    assert job.vendor_state in ("CANCELLING", "cancelled")


@pytest.mark.parametrize("name", ["revenuebase", "proofy", "apartmentiq"])
def test_cancel_twice_is_no_error(emulator: Emulator, face: Face, name: str) -> None:
    there = emulator.add_job(name, state="running")
    job = face.run(vendor_of(emulator, name), *[lambda each: each.ensure_cancelled(there.id)] * 2)
    assert job.vendor_state.lower() in ("cancelling", "cancelled")


@pytest.mark.parametrize("shape", ["detail", "dict", "message", "sentence", "problem"])
def test_cancel_twice_in_every_shape_of_revenuebases_400(face: Face, shape: Any) -> None:
    with Emulator(rate_limits=False, revenuebase_errors=shape) as emulator:
        there = emulator.add_job("revenuebase", state="cancelled")
        vendor = vendor_of(emulator, "revenuebase")
        assert face.run(vendor, lambda each: each.ensure_cancelled(there.id)).state is JobState.CANCELLED
        done = emulator.add_job("revenuebase")
        with pytest.raises(InvalidRequestError, match=r"not_cancellable|COMPLETED or ERROR"):
            face.run(vendor, lambda each: each.ensure_cancelled(done.id))
        for state, error in (("running", ResultNotReadyError), ("failed", JobFailedError)):
            early = emulator.add_job("revenuebase", state=state)
            with pytest.raises(error):
                face.send(vendor, download_request(vendor, early.id))


@pytest.mark.parametrize(
    ("name", "message"), [("revenuebase", "not_cancellable"), ("apartmentiq", "Invalid operation")]
)
def test_a_finished_job_cannot_be_cancelled(emulator: Emulator, face: Face, name: str, message: str) -> None:
    there = emulator.add_job(name)
    with pytest.raises(InvalidRequestError, match=message):
        face.run(vendor_of(emulator, name), lambda each: each.ensure_cancelled(there.id))


def test_proofy_tells_that_a_job_had_finished(emulator: Emulator, face: Face) -> None:
    """Its DELETE answers 200 to that; to report a paid result as cancelled would be a lie."""
    there = emulator.add_job("proofy")
    job = face.run(vendor_of(emulator, "proofy"), lambda each: each.ensure_cancelled(there.id))
    assert (job.state, job.vendor_state) == (JobState.SUCCEEDED, "ready")


def test_batchcom_cannot_cancel(emulator: Emulator, face: Face) -> None:
    there = emulator.add_job("batchcom", state="running")
    with pytest.raises(UnsupportedOperationError, match=r"Batch\.com's API cannot cancel") as caught:
        face.run(vendor_of(emulator, "batchcom"), lambda each: each.ensure_cancelled(there.id))
    assert caught.value.job_id == there.id
    assert emulator.requests == []
