"""An event that Airflow's triggerer cannot send ends it, and with it every deferred task: whatever a vendor writes."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import pytest

from airflow_provider_batchdl._values.storable import storable_text
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.exceptions import JobFailedError, UnexpectedResponseError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.jobs import Job
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import VENDORS
from tests.support.airflow_storing import assert_storable, sent_to_supervisor
from tests.triggers.waiting import errors, patience, statuses, waits_for

SICK = ["Too many \ud83d", "\ude00\ud83d", "a\x00b", "x" * 1_000_000, "\x1b[31m\n\u2028"]
# Bytes of one event: thousands of them may come at once.
LARGEST_EVENT = 20_000


def test_the_message_is_that_of_airflow() -> None:
    """The check can fail: these are what ends a triggerer."""
    with pytest.raises(UnicodeEncodeError):
        sent_to_supervisor({"message": "\ud83d"})
    with pytest.raises(OverflowError):
        sent_to_supervisor({"size": 2**70})
    with pytest.raises(AssertionError):
        assert_storable({"message": "\x00"})
    with pytest.raises(ValueError, match="JSON"):
        assert_storable({"progress": math.nan})


def events_of(jobs: list[EmulatedJob], **more: Any) -> list[dict[str, Any]]:
    """What the waits for these jobs fire, each of which Airflow can send and store."""

    async def story() -> list[dict[str, Any]]:
        async with patience():
            return await asyncio.gather(*waits_for(jobs, **more))

    events = asyncio.run(story())
    for event in events:
        assert sent_to_supervisor(event) < LARGEST_EVENT
        assert_storable(event)
    return events


def running(connections: Emulator) -> list[EmulatedJob]:
    return [connections.add_job(vendor, state="running") for vendor in VENDORS]


def test_jobs_that_fail_with_any_words(connections: Emulator, polls: Polls) -> None:
    jobs = [job for _ in SICK for job in running(connections)]
    for job, message in zip(jobs, [message for message in SICK for _ in VENDORS], strict=True):
        job.fail(message)
    events = events_of(jobs)
    assert statuses(events) == {"ended"}
    for job, event in zip(jobs, events, strict=True):
        assert event["job"]["message"][:3] == storable_text(job.message[:3])
        with pytest.raises(JobFailedError):  # what the task says then
            BatchApiHook.for_connection(f"{job.vendor}_default").ensure_results(Job.from_dict(event["job"]))


def test_jobs_in_any_state(connections: Emulator, polls: Polls) -> None:
    jobs = running(connections)
    for job in jobs:
        job.hold("half \ud83d\x00 " + "z" * 100_000)
    assert statuses(events_of(jobs, deadline=0.0)) == {"timeout"}


ODD_JSON = [
    b"1e999",
    b"-Infinity",
    b"NaN",
    b"9" * 5_000,
    b"-" + b"9" * 400,
    b"18446744073709551616",
    b"0.1e-400",
    b"[" * 5_000 + b"]" * 5_000,
    b'{"a":' * 900 + b"1" + b"}" * 900,
    b'{"\\ud83d": "\\u0000"}',
    b'["\\ud83d", [["\\u0000"]]]',
    b'"\xff\xfe"',
    b'"' + b"x" * 300_000 + b'"',
    b'""',
    b"true",
    b"null",
]


@pytest.mark.parametrize("odd", ODD_JSON, ids=lambda odd: ascii(odd[:20]))
def test_any_json_in_every_other_member_of_a_job(connections: Emulator, polls: Polls, odd: bytes) -> None:
    """Whatever it makes of the job, which may be ended or an error: the event goes through Airflow's own frame."""
    jobs = running(connections)
    members = ("message", "error_message", "progress", "files", "created_at", "updated_at", "note", "total", "list")
    for job in jobs:
        done = {"revenuebase": "COMPLETED", "proofy": "ready", "batchcom": "SUCCESS", "apartmentiq": "succeeded"}
        ids: dict[str, Any] = {"id": job.id, "job_id": job.id}
        shown = {**ids, "process_id": job.id, "status": done[job.vendor], **dict.fromkeys(members, "odd")}
        body = json.dumps(shown).encode().replace(b'"odd"', odd)
        connections.add_fault(
            Fault("status", vendor=job.vendor, operation="status", status=200, body=body, times=999,
                  content_type="application/json")
        )  # fmt: skip
        connections.add_fault(Fault("status", vendor=job.vendor, operation="list", status=404, times=999))
    events = events_of(jobs)
    assert statuses(events) <= {"ended", "error"}
    assert statuses(events[:2]) == {"ended"}  # of the two vendors whose jobs list no files


def test_refusals_in_any_words(connections: Emulator, polls: Polls) -> None:
    said = json.dumps("Too many \ud83d\x00")
    body = f'{{"detail": {said}, "message": {said}, "error_code": {said}, "error": {said}}}'
    connections.add_fault(answer("status", body, status=422))
    assert statuses(events_of(running(connections))) == {"error"}


@pytest.mark.parametrize("job_id", ["half \ud83d", "nul \x00", "x" * 100_000], ids=["half", "null", "long"])
def test_answers_about_a_job_without_a_usable_id(connections: Emulator, polls: Polls, job_id: str) -> None:
    names = ("id", "job_id", "process_id", "status", "current_status")
    connections.add_fault(answer("status", json.dumps(dict.fromkeys(names, job_id))))
    jobs = [job for job in running(connections) if job.vendor != "proofy"]  # whose answers need have no id
    events = events_of(jobs)
    assert [event["job_id"] for event in events] == [job.id for job in jobs]
    assert errors(events) == {UnexpectedResponseError}


def test_an_event_about_a_job_with_thousands_of_files_is_small(connections: Emulator, polls: Polls) -> None:
    job = connections.add_job("batchcom", state="running")
    files = [{"id": f"file_{number:032d}", "part": number, "size": 10**9} for number in range(10_000)]
    connections.add_fault(answer("status", json.dumps({"id": job.id, "status": "SUCCESS", "files": files})))
    [event] = events_of([job])
    assert event["status"] == "ended"
    assert event["job"]["files_omitted"] + len(event["job"]["files"]) == 10_000


def answer(operation: str, body: str, status: int = 200) -> Fault:
    """What every such request is answered with."""
    return Fault("status", operation=operation, status=status, body=body, content_type="application/json", times=999)
