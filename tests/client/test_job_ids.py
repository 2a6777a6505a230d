"""Ids of jobs that are not there, or that are none: told, and none leads to another address."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import InvalidRequestError, JobNotFoundError
from tests.client.helpers import VENDORS, Face, download_request, vendor_of

NOT_THERE = {
    "revenuebase": "99999999",
    "proofy": "00000000-0000-4000-8000-000000000000",
    "batchcom": "export_none",
    "apartmentiq": "00000000-0000-4000-8000-000000000000",
}


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        (name, operation)
        for name in VENDORS
        for operation in ("status", "cancel", "download")
        if (name, operation) != ("batchcom", "cancel")
    ],
)
def test_no_such_job(emulator: Emulator, face: Face, name: str, operation: str) -> None:
    vendor, job_id = vendor_of(emulator, name), NOT_THERE[name]

    def ask() -> Any:
        if operation == "download":
            return face.send(vendor, download_request(vendor, job_id))
        return face.run(
            vendor, lambda each: each.get_job(job_id) if operation == "status" else each.ensure_cancelled(job_id)
        )

    with pytest.raises(JobNotFoundError) as caught:
        ask()
    assert (caught.value.vendor, caught.value.job_id) == (name, job_id)
    assert caught.value.vendor_message


@pytest.mark.parametrize(
    ("name", "job_id"),
    [
        ("revenuebase", "12/../34"), ("revenuebase", "-1"), ("revenuebase", "\u00b2"), ("revenuebase", ""),
        ("revenuebase", "1" * 5000), ("proofy", ".."), ("proofy", ""), ("proofy", "file:"), ("proofy", "file:."),
        ("apartmentiq", "../accounts"), ("apartmentiq", "None"), ("apartmentiq", ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", ["v1", "v2"])  # means something to Revenuebase only
def test_an_id_that_is_none_is_never_sent(emulator: Emulator, face: Face, name: str, job_id: str, version: str) -> None:
    vendor = vendor_of(emulator, name, extra={"api_version": version})
    for operation in (lambda each: each.get_job(job_id), lambda each: each.ensure_cancelled(job_id)):
        with pytest.raises(InvalidRequestError):
            face.run(vendor, operation)
    with pytest.raises(InvalidRequestError):
        download_request(vendor, job_id)
    assert emulator.requests == []


@pytest.mark.parametrize("job_id", ["a/../../credits", "a?api_key=x", "a#b", "%2e%2e", "ä"])
def test_an_id_cannot_leave_its_place_in_the_path(emulator: Emulator, face: Face, job_id: str) -> None:
    with pytest.raises(JobNotFoundError):
        face.run(vendor_of(emulator, "proofy"), lambda each: each.get_job(job_id))
    (asked,) = emulator.requests
    assert asked.operation in ("status", "unknown", "download")
    assert set(asked.query) == {"api_key"}
