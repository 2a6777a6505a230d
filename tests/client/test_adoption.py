"""Which of several equal jobs a lost submit is taken to have made, at vendors that know it by its request only."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_batchdl._values import times
from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, Fault
from airflow_provider_batchdl.exceptions import SubmitUncertainError
from airflow_provider_batchdl.vendors.base import ApiRequest
from airflow_provider_batchdl.vendors.submitting import ADOPTION_DELAYS
from tests.client.helpers import REQUESTS, Face, operations, submission, vendor_of

LISTS = {"batchcom": "/2.11/exports/list", "apartmentiq": "/bulk_api/jobs"}
BY_REQUEST = pytest.mark.parametrize("name", LISTS)
ENDED = pytest.mark.parametrize(
    ("name", "ends"), [("batchcom", "fail"), ("apartmentiq", "fail"), ("apartmentiq", "cancel")]
)


def somebodys(emulator: Emulator, name: str) -> EmulatedJob:
    """A job of an equal request, made a moment ago."""
    emulator.world.run_seconds = 600
    return emulator.world.add_job(name, request=REQUESTS[name])


@ENDED
def test_the_one_that_runs_is_taken_though_it_shows_late(emulator: Emulator, face: Face, name: str, ends: str) -> None:
    vendor, other = vendor_of(emulator, name), somebodys(emulator, name)
    getattr(other, ends)()
    shown = face.send(vendor, ApiRequest("list", "GET", LISTS[name])).text
    emulator.add_fault(Fault("status", operation="list", status=200, body=shown, content_type="application/json"))
    emulator.add_fault(Fault("reset", operation="submit", processed=True))
    job = face.submit(vendor, REQUESTS[name])
    assert [each.id for each in emulator.jobs(name)] == [other.id, job.id]


@ENDED
def test_one_that_has_ended_badly_is_taken_where_no_other_turns_up(
    emulator: Emulator, face: Face, name: str, ends: str
) -> None:
    """It may be the one: a failure is mended by the next try, and what somebody cancelled is not submitted again."""
    getattr(somebodys(emulator, name), ends)()
    emulator.add_fault(Fault("reset", operation="submit"))
    job = face.submit(vendor_of(emulator, name), REQUESTS[name])
    assert job.id == emulator.jobs(name)[0].id
    assert operations(emulator, name).count("list") == len(ADOPTION_DELAYS)


@BY_REQUEST
def test_one_that_is_known_to_be_of_an_earlier_submission_is_not_taken(
    emulator: Emulator, face: Face, name: str
) -> None:
    vendor, other = vendor_of(emulator, name), somebodys(emulator, name)
    emulator.add_fault(Fault("reset", operation="submit"))
    with pytest.raises(SubmitUncertainError):
        face.submit(vendor, REQUESTS[name], known_job_ids=[other.id])


@BY_REQUEST
@pytest.mark.parametrize("ours", [0, 1, 2])
def test_of_several_equal_ones_that_made_nearest_to_the_submit_is_taken(
    emulator: Emulator, face: Face, name: str, ours: int
) -> None:
    """The others are of other runs with the same request."""
    jobs = [somebodys(emulator, name) for _ in range(3)]
    for number, job in enumerate(jobs):
        job.submitted_at += 40 * (number - 1)
    what = replace(submission(REQUESTS[name]), submitted_at=datetime.fromtimestamp(jobs[ours].submitted_at, UTC))
    job = face.run(vendor_of(emulator, name), lambda vendor: vendor.find_submitted(what))
    assert job.id == jobs[ours].id


WIDER = {
    "batchcom": {
        "export_type": "ATTRIBUTES",
        "attributes": ["$region", "$email_address", "firstname", "lastname"],
        "identifiers": ["installation_ids", "custom_id"],
    },
    "apartmentiq": {**REQUESTS["apartmentiq"], "property_ids": [1204, 1201, 1203, 1202]},
}


@BY_REQUEST
def test_its_own_is_known_in_whatever_order_the_vendor_shows_the_request(
    emulator: Emulator, face: Face, name: str
) -> None:
    emulator.add_fault(Fault("reset", operation="submit", processed=True))
    job = face.submit(vendor_of(emulator, name), WIDER[name])
    (there,) = emulator.jobs(name)
    assert job.id == there.id


NARROWER = [
    ("batchcom", {"filter": {"segment": "VIP"}}),
    ("apartmentiq", {"callback_url": "https://elsewhere.example/done"}),
]


@pytest.mark.parametrize(("name", "more"), NARROWER)
def test_one_of_a_narrower_request_is_somebody_elses(
    emulator: Emulator, face: Face, name: str, more: dict[str, object]
) -> None:
    emulator.world.add_job(name, request={**REQUESTS[name], **more})
    emulator.add_fault(Fault("reset", operation="submit"))
    with pytest.raises(SubmitUncertainError):
        face.submit(vendor_of(emulator, name), REQUESTS[name])


@BY_REQUEST
@pytest.mark.parametrize("minutes", [1, 10, 300])
def test_a_clock_that_is_ahead_costs_no_second_job(
    emulator: Emulator, face: Face, name: str, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By it, the job was made long before it was submitted; the vendor's answers have the vendor's time."""
    real, ahead = times.now, timedelta(minutes=minutes)
    monkeypatch.setattr(times, "now", lambda: real() + ahead)
    emulator.add_fault(Fault("reset", operation="submit", processed=True))
    what = replace(submission(REQUESTS[name]), submitted_at=times.now())
    job = face.run(vendor_of(emulator, name), lambda vendor: vendor.submit_once(what))
    assert [each.id for each in emulator.jobs(name)] == [job.id]
    assert operations(emulator, name).count("submit") == 1


@BY_REQUEST
@pytest.mark.parametrize(
    "date", ["Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "yesterday", "\xff"]
)
def test_a_date_that_is_none_leaves_the_submit_uncertain(emulator: Emulator, face: Face, name: str, date: str) -> None:
    emulator.add_fault(Fault("headers", operation="list", headers={"date": date}, times=100))
    emulator.add_fault(Fault("reset", operation="submit"))
    with pytest.raises(SubmitUncertainError):
        face.submit(vendor_of(emulator, name), REQUESTS[name])


@BY_REQUEST
def test_an_older_job_is_not_taken_by_a_clock_that_is_right(emulator: Emulator, face: Face, name: str) -> None:
    somebodys(emulator, name)
    emulator.add_fault(Fault("reset", operation="submit"))
    what = replace(submission(REQUESTS[name]), submitted_at=datetime.now(UTC) + timedelta(minutes=10))
    with pytest.raises(SubmitUncertainError):
        face.run(vendor_of(emulator, name), lambda vendor: vendor.submit_once(what))
