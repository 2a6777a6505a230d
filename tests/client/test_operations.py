"""Every operation of every vendor, through both clients, against the emulator."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    InsufficientCreditsError,
    InvalidRequestError,
    JobFailedError,
    JobNotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    ResultNotReadyError,
    UnexpectedResponseError,
    UnsupportedOperationError,
)
from airflow_provider_batchdl.jobs import JobState
from tests.client.helpers import EMAILS, EXPORT, REPORT, VENDORS, Face, download_request, operations, vendor_of


@pytest.fixture
def contacts(tmp_path: Path) -> Path:
    path = tmp_path / "my contacts.csv"
    path.write_text("email\na@b.example\nc@d.example\n")
    return path


@pytest.fixture
def contacts_json(tmp_path: Path) -> Path:
    path = tmp_path / "contacts.json"
    path.write_text(json.dumps([{"email": "a@b.example"}]))
    return path


# --- submit


@pytest.mark.parametrize("version", ["v2", "v1"])
@pytest.mark.parametrize(
    ("options", "metadata"), [({}, False), ({"metadata": True}, True), ({"metadata": "False"}, False)]
)
def test_revenuebase_submits_a_file(
    emulator: Emulator, face: Face, contacts: Path, version: str, options: dict[str, Any], metadata: bool
) -> None:
    vendor = vendor_of(emulator, "revenuebase", extra={"api_version": version})
    job = face.submit(vendor, options, contacts)
    assert (job.state, job.vendor_state) == (JobState.PENDING, "PROCESSING QUEUED")
    assert job.name == "my contacts-k0000001.csv"
    (there,) = emulator.jobs("revenuebase")
    assert (there.id, there.input, there.request["metadata"]) == (job.id, contacts.read_bytes(), metadata)
    assert emulator.requests[0].path.startswith(f"/revenuebase/{version}/")


def test_revenuebase_submits_json(emulator: Emulator, face: Face, contacts_json: Path) -> None:
    job = face.submit(vendor_of(emulator, "revenuebase"), {"metadata": "true"}, contacts_json)
    assert emulator.jobs("revenuebase")[0].input == contacts_json.read_bytes()
    assert emulator.requests[0].query == {"metadata": "true"}
    assert job.name == "contacts-k0000001.json"


@pytest.mark.parametrize("name", ["Kontakte für März.CSV", 'we"ird.csv', "名前.csv"])
def test_names_beyond_ascii(emulator: Emulator, face: Face, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("email\na@b.example\n")
    face.submit(vendor_of(emulator, "revenuebase"), None, path)
    assert "k0000001" in str(emulator.jobs("revenuebase")[0].filename)


def test_proofy_submits_a_list(emulator: Emulator, face: Face) -> None:
    job = face.submit(vendor_of(emulator, "proofy"), {"emails": ("a@b.example", "c@d.example")})
    assert (job.state, job.vendor_state) == (JobState.PENDING, "parsing")
    (there,) = emulator.jobs("proofy")
    assert (there.id, there.input) == (job.id, EMAILS)


def test_proofy_takes_ten_thousand_and_no_more(emulator: Emulator, face: Face) -> None:
    vendor = vendor_of(emulator, "proofy")
    face.submit(vendor, {"emails": [f"u{number}@b.example" for number in range(10_000)]})
    with pytest.raises(InvalidRequestError, match=r"10,000 addresses .* not 10,001; split"):
        face.submit(vendor, {"emails": ["u@b.example"] * 10_001})
    assert operations(emulator) == ["submit"]


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_proofy_submits_a_file(emulator: Emulator, face: Face, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"list{suffix}"
    path.write_text("email\na@b.example\n")
    vendor = vendor_of(emulator, "proofy")
    job = face.submit(vendor, None, path)
    assert job.id == f"file:{emulator.jobs('proofy')[0].id}"
    assert emulator.jobs("proofy")[0].input == path.read_bytes()
    # The id of a file's job leads back to the file's addresses.
    assert face.run(vendor, lambda each: each.get_job(job.id)).id == job.id
    assert face.run(vendor, lambda each: each.cancel_job(job.id)).state is JobState.CANCELLED
    assert all("/verify/file/" in each.path for each in emulator.requests)


def test_proofy_submits_a_file_by_url(emulator: Emulator, face: Face) -> None:
    request = {"file_name": "x.csv", "file_url": "https://files.example/x.csv"}
    job = face.submit(vendor_of(emulator, "proofy"), request)
    assert job.id.startswith("file:")
    assert emulator.jobs("proofy")[0].input == request


@pytest.mark.parametrize("version", [None, "2.11"])
def test_batchcom_submits_an_export(emulator: Emulator, face: Face, version: str | None) -> None:
    vendor = vendor_of(emulator, "batchcom", extra={"api_version": version} if version else {})
    job = face.submit(vendor, EXPORT)
    assert (job.state, job.vendor_state) == (JobState.PENDING, "CREATED")
    (there,) = emulator.jobs("batchcom")
    assert (there.id, there.input) == (job.id, EXPORT)
    assert emulator.requests[0].path == f"/batchcom/{version or '2.10'}/profiles/export"


@pytest.mark.parametrize("pasted", [False, True])
def test_apartmentiq_submits_a_report(emulator: Emulator, face: Face, pasted: bool) -> None:
    changes = {"secret": emulator.access_token, "login": None} if pasted else {}
    job = face.submit(vendor_of(emulator, "apartmentiq", **changes), REPORT)
    assert (job.state, job.vendor_state) == (JobState.RUNNING, "submitted")
    assert emulator.jobs("apartmentiq")[0].input == REPORT
    assert operations(emulator) == (["submit"] if pasted else ["token", "submit"])


@pytest.mark.parametrize(
    ("name", "request_", "file", "message"),
    [
        ("revenuebase", {}, None, "takes a file"),
        ("revenuebase", {}, "x.txt", r"only \.csv or \.json"),
        ("revenuebase", {"metadta": True}, "x.csv", "takes no metadta"),
        ("revenuebase", {"metadata": "maybe"}, "x.csv", "true or false, not 'maybe'"),
        ("proofy", {}, None, "emails"),
        ("proofy", {"emails": []}, None, "emails"),
        ("proofy", {"emails": "a@b.example"}, None, "emails"),
        ("proofy", {}, "x.json", r"\.csv or \.txt"),
        ("proofy", EMAILS, "x.csv", "either a file or a request"),
        ("batchcom", {}, None, "takes a request"),
        ("batchcom", EXPORT, "x.csv", "no file"),
        ("apartmentiq", {}, None, "takes a request"),
        ("apartmentiq", REPORT, "x.csv", "no file"),
    ],
)
def test_a_wrong_submit_is_refused_before_it_is_sent(
    emulator: Emulator, face: Face, name: str, request_: dict[str, Any], file: str | None, message: str
) -> None:
    with pytest.raises(InvalidRequestError, match=message) as caught:
        face.submit(vendor_of(emulator, name), request_, file)
    assert caught.value.vendor == name
    assert emulator.requests == []


def test_the_vendors_own_refusal_of_a_request(emulator: Emulator, face: Face) -> None:
    with pytest.raises(InvalidRequestError, match="property_ids is required and must be a non-empty array"):
        face.submit(vendor_of(emulator, "apartmentiq"), {**REPORT, "property_ids": []})
    with pytest.raises(InvalidRequestError, match="at least one of attributes and identifiers"):
        face.submit(vendor_of(emulator, "batchcom"), {"export_type": "ATTRIBUTES"})


# --- view


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
        vendor.has_results(job)


def test_revenuebase_v1_views_and_lists(emulator: Emulator, face: Face) -> None:
    there = emulator.add_job("revenuebase", state="running")
    vendor = vendor_of(emulator, "revenuebase", extra={"api_version": "v1"})
    assert face.run(vendor, lambda each: each.get_job(there.id)).state is JobState.RUNNING
    assert [job.id for job in face.run(vendor, lambda each: each.list_jobs())] == [there.id]
    assert face.run(vendor, lambda each: each.cancel_job(there.id)).vendor_state == "CANCELLING"
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
        return face.run(vendor, lambda each: each.get_job(job_id) if operation == "status" else each.cancel_job(job_id))

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
    for operation in (lambda each: each.get_job(job_id), lambda each: each.cancel_job(job_id)):
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


# --- list


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


# --- cancel


@pytest.mark.parametrize("name", ["revenuebase", "proofy", "apartmentiq"])
def test_cancel_a_running_job(emulator: Emulator, face: Face, name: str) -> None:
    there = emulator.add_job(name, state="running")
    job = face.run(vendor_of(emulator, name), lambda each: each.cancel_job(there.id))
    assert there.cancelled
    assert job.id == there.id
    assert job.vendor_state in ("CANCELLING", "cancelled")


@pytest.mark.parametrize("name", ["revenuebase", "proofy", "apartmentiq"])
def test_cancel_twice_is_no_error(emulator: Emulator, face: Face, name: str) -> None:
    there = emulator.add_job(name, state="running")
    job = face.run(vendor_of(emulator, name), *[lambda each: each.cancel_job(there.id)] * 2)
    assert job.vendor_state.lower() in ("cancelling", "cancelled")


@pytest.mark.parametrize("shape", ["detail", "dict", "message"])
def test_cancel_twice_in_every_shape_of_revenuebases_400(face: Face, shape: Any) -> None:
    with Emulator(rate_limits=False, revenuebase_errors=shape) as emulator:
        there = emulator.add_job("revenuebase", state="cancelled")
        vendor = vendor_of(emulator, "revenuebase")
        assert face.run(vendor, lambda each: each.cancel_job(there.id)).state is JobState.CANCELLED
        done = emulator.add_job("revenuebase")
        with pytest.raises(InvalidRequestError, match=r"not_cancellable|COMPLETED or ERROR"):
            face.run(vendor, lambda each: each.cancel_job(done.id))
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
        face.run(vendor_of(emulator, name), lambda each: each.cancel_job(there.id))


def test_proofy_tells_that_a_job_had_finished(emulator: Emulator, face: Face) -> None:
    """Its DELETE answers 200 to that; to report a paid result as cancelled would be a lie."""
    there = emulator.add_job("proofy")
    job = face.run(vendor_of(emulator, "proofy"), lambda each: each.cancel_job(there.id))
    assert (job.state, job.vendor_state) == (JobState.SUCCEEDED, "ready")


def test_batchcom_cannot_cancel(emulator: Emulator, face: Face) -> None:
    there = emulator.add_job("batchcom", state="running")
    with pytest.raises(UnsupportedOperationError, match=r"Batch\.com's API cannot cancel") as caught:
        face.run(vendor_of(emulator, "batchcom"), lambda each: each.cancel_job(there.id))
    assert caught.value.job_id == there.id
    assert emulator.requests == []


# --- balance and check


@pytest.mark.parametrize(
    ("name", "extra"), [("revenuebase", {}), ("revenuebase", {"api_version": "v1"}), ("proofy", {})]
)
def test_balance(emulator: Emulator, face: Face, name: str, extra: dict[str, str]) -> None:
    emulator.set_credits(name, 4711)
    vendor = vendor_of(emulator, name, extra=extra)
    assert face.run(vendor, lambda each: each.get_balance()) == 4711
    assert "4711" in face.run(vendor, lambda each: each.check())


@pytest.mark.parametrize("name", ["batchcom", "apartmentiq"])
def test_no_balance(emulator: Emulator, face: Face, name: str) -> None:
    assert face.run(vendor_of(emulator, name), lambda each: each.get_balance()) is None
    assert emulator.requests == []


@pytest.mark.parametrize("name", VENDORS)
def test_check(emulator: Emulator, face: Face, name: str) -> None:
    assert "accepts" in face.run(vendor_of(emulator, name), lambda each: each.check())


@pytest.mark.parametrize("name", VENDORS)
def test_check_with_a_wrong_secret(emulator: Emulator, face: Face, name: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        face.run(vendor_of(emulator, name, secret="wrong_secret_0001"), lambda each: each.check())
    assert caught.value.vendor_message
    assert caught.value.retryable is False


@pytest.mark.parametrize("name", VENDORS)
def test_a_login_page_is_not_taken_for_success(emulator: Emulator, face: Face, name: str) -> None:
    """A captive portal answers 200 to everything: the Test button must not be green."""
    from airflow_provider_batchdl.emulator import Fault

    emulator.add_fault(
        Fault("html", operation="list" if name == "batchcom" else "check" if name == "apartmentiq" else "balance")
    )
    with pytest.raises(UnexpectedResponseError):
        face.run(vendor_of(emulator, name), lambda each: each.check())


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


# --- money, permissions, versions


def test_out_of_credits(emulator: Emulator, face: Face, contacts: Path) -> None:
    for name, request, file in (("revenuebase", {}, contacts), ("proofy", EMAILS, None)):
        emulator.set_credits(name, 0)
        with pytest.raises(InsufficientCreditsError, match=r"(?i)credits"):
            face.submit(vendor_of(emulator, name), request, file)
        assert emulator.jobs(name) == []


def test_quota_used_up_fails_at_once(emulator: Emulator, face: Face) -> None:
    emulator.set_quota_exceeded("apartmentiq", True)
    with pytest.raises(QuotaExceededError, match="Trial API quota limit exceeded") as caught:
        face.submit(vendor_of(emulator, "apartmentiq"), REPORT)
    assert caught.value.retryable is False
    assert operations(emulator).count("submit") == 1


def test_somebody_elses_job_with_an_empty_403(emulator: Emulator, face: Face) -> None:
    there = emulator.add_job("apartmentiq")
    there.forbidden = True
    with pytest.raises(PermissionDeniedError) as caught:
        face.run(vendor_of(emulator, "apartmentiq"), lambda each: each.get_job(there.id))
    assert caught.value.vendor_message is None


@pytest.fixture
def retired() -> Iterator[Emulator]:
    with Emulator(rate_limits=False, revenuebase_v1=False) as running:
        yield running


def test_v1_is_warned_about_and_its_end_explained(
    retired: Emulator, face: Face, contacts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        vendor = vendor_of(retired, "revenuebase", extra={"api_version": "v1"})
    assert "2026-07-07" in caplog.text
    for flow in (lambda each: each.list_jobs(), lambda each: each.check()):
        with pytest.raises(InvalidRequestError, match="host and api_version"):
            face.run(vendor, flow)
    with pytest.raises(InvalidRequestError, match="host and api_version"):
        face.submit(vendor, None, contacts)


def test_v2_is_not_warned_about(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    vendor_of(emulator, "revenuebase")
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("name", "version"), [("revenuebase", "v3"), ("batchcom", "latest"), ("batchcom", "2.10/../1")]
)
def test_a_version_that_is_none(emulator: Emulator, name: str, version: str) -> None:
    with pytest.raises(InvalidRequestError, match="api_version"):
        vendor_of(emulator, name, extra={"api_version": version})


def test_batchcom_without_a_project_key(emulator: Emulator, face: Face) -> None:
    with pytest.raises(InvalidRequestError, match='extra "project_key"'):
        face.run(vendor_of(emulator, "batchcom", extra={"project_key": ""}), lambda each: each.check())
