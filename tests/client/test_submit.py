"""What each vendor takes as a job, through both clients, against the emulator; what is refused before it is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import InsufficientCreditsError, InvalidRequestError, QuotaExceededError
from airflow_provider_batchdl.jobs import JobState
from tests.client.helpers import EMAILS, EXPORT, REPORT, Face, operations, vendor_of


@pytest.fixture
def contacts_json(tmp_path: Path) -> Path:
    path = tmp_path / "contacts.json"
    path.write_text(json.dumps([{"email": "a@b.example"}]))
    return path


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
    with pytest.raises(InvalidRequestError, match=r"emails has 10,001 items, and may have 10,000; split"):
        face.submit(vendor, {"emails": ["u@b.example"] * 10_001})
    assert operations(emulator) == ["submit"]


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_proofy_submits_a_file(emulator: Emulator, face: Face, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"list{suffix}"
    path.write_text("email\na@b.example\n")
    emulator.world.run_seconds = 600  # so that there is something to cancel, however busy the machine is
    vendor = vendor_of(emulator, "proofy")
    job = face.submit(vendor, None, path)
    assert job.id == f"file:{emulator.jobs('proofy')[0].id}"
    assert emulator.jobs("proofy")[0].input == path.read_bytes()
    # The id of a file's job leads back to the file's addresses.
    assert face.run(vendor, lambda each: each.get_job(job.id)).id == job.id
    assert face.run(vendor, lambda each: each.ensure_cancelled(job.id)).state is JobState.CANCELLED
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
    assert emulator.requests[0].path == f"/batchcom/{version or '2.11'}/profiles/export"


@pytest.mark.parametrize("pasted", [False, True])
def test_apartmentiq_submits_a_report(emulator: Emulator, face: Face, pasted: bool) -> None:
    changes = {"secret": emulator.access_token, "login": None} if pasted else {}
    emulator.world.run_seconds = 600  # the response to the submit has its state
    job = face.submit(vendor_of(emulator, "apartmentiq", **changes), REPORT)
    assert (job.state, job.vendor_state) == (JobState.RUNNING, "submitted")
    assert emulator.jobs("apartmentiq")[0].input == REPORT
    assert operations(emulator) == (["submit"] if pasted else ["token", "submit"])


@pytest.mark.parametrize(
    ("name", "request_", "file", "message"),
    [
        ("revenuebase", {}, None, "takes a file"),
        ("revenuebase", {}, "x.txt", r"takes a file of \.csv or \.json, and not \.txt"),
        ("revenuebase", {}, "folder.csv/x", "and not one without a suffix"),
        ("revenuebase", {"metadta": True}, "x.csv", "did you mean 'metadata'"),
        ("revenuebase", {"metadata": "maybe"}, "x.csv", "must be true or false, and is a text, 'maybe'"),
        ("revenuebase", {"columns": ["a"]}, "x.csv", "a query, which 'columns' cannot"),
        ("proofy", {}, None, "emails"),
        ("proofy", {"emails": []}, None, "emails"),
        ("proofy", {"emails": "a@b.example"}, None, "emails"),
        ("proofy", {}, "x.json", r"\.csv or \.txt"),
        ("proofy", EMAILS, "x.csv", "either a file or a request"),
        ("batchcom", {}, None, "export_type is missing"),
        ("batchcom", EXPORT, "x.csv", "no file"),
        ("apartmentiq", {}, None, "report_type and .* and property_ids are missing"),
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
    with pytest.raises(InvalidRequestError, match="property_ids must contain integers"):
        face.submit(vendor_of(emulator, "apartmentiq"), {**REPORT, "property_ids": [2**64]})
    with pytest.raises(InvalidRequestError, match="export_type must be one of"):
        face.submit(vendor_of(emulator, "batchcom"), {"export_type": "SEGMENTS"})


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
