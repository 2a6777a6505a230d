"""A whole result: names, parts, manifests, refusals."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import (
    JobCancelledError,
    JobFailedError,
    ResultNotReadyError,
    ResultTooLargeError,
    UnexpectedResponseError,
)
from airflow_provider_batchdl.jobs import Landing
from airflow_provider_batchdl.transfer.job_download import download, fetch
from tests.transfer.conftest import ClientFor, left_in, local

VENDORS = ["revenuebase", "proofy", "batchcom", "apartmentiq"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_result_lands_as_it_was_served(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, vendor: str
) -> None:
    job = emulator.add_job(vendor, result=ResultSpec(bytes=300_000), state="succeeded")
    landing = download(client_for(vendor), job.id, local(tmp_path, folder=True))
    (served,), (landed,) = job.files(), landing.files
    content = Path(landed.uri).read_bytes()
    assert hashlib.sha256(content).hexdigest() == served.sha256 == landed.sha256
    assert landing.bytes == landed.bytes == len(content) == served.size
    assert left_in(tmp_path) == [landed.source_name]
    assert "nothing" not in landing.verified_by


def test_every_part_is_landed_and_the_manifest_tells_of_them(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    job = emulator.add_job("batchcom", result=ResultSpec(bytes=90_000, format="jsonl", parts=3), state="succeeded")
    landing = download(client_for("batchcom"), job.id, local(tmp_path, folder=True))
    assert [file.part for file in landing.files] == [1, 2, 3]
    assert [file.sha256 for file in landing.files] == [file.sha256 for file in job.files()]
    names = [f"{job.id}-part-000{part}.json" for part in (1, 2, 3)]
    assert left_in(tmp_path) == sorted(["_manifest.json", *names])
    assert Landing.from_dict(json.loads((tmp_path / "_manifest.json").read_text())) == landing


def test_parts_of_a_named_object_carry_its_name(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    job = emulator.add_job("batchcom", result=ResultSpec(bytes=9_000, format="jsonl", parts=2), state="succeeded")
    download(client_for("batchcom"), job.id, local(tmp_path / "export.jsonl"))
    assert left_in(tmp_path) == ["export-part-0001.jsonl", "export-part-0002.jsonl", "export_manifest.json"]


def test_nothing_is_visible_when_the_last_part_cannot_be_had(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    job = emulator.add_job("batchcom", result=ResultSpec(bytes=9_000, format="jsonl", parts=3), state="succeeded")
    emulator.add_fault(Fault("html", operation="store", after=2, times=20))
    with pytest.raises(UnexpectedResponseError):
        download(client_for("batchcom"), job.id, local(tmp_path, folder=True))
    assert left_in(tmp_path) == []


def test_a_manifest_is_written_beside_a_single_file_on_request(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
    download(client_for("apartmentiq"), job.id, local(tmp_path / "report.csv"), manifest=True)
    assert left_in(tmp_path) == ["report.csv", "report_manifest.json"]


def test_objects_named_after_days_have_a_manifest_each(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    for day in ("2026.11.28", "2026.11.29"):
        job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=900, format="csv"), state="succeeded")
        download(client_for("apartmentiq"), job.id, local(tmp_path / f"{day}.csv"), manifest=True)
    days = ("2026.11.28.csv", "2026.11.28_manifest.json", "2026.11.29.csv", "2026.11.29_manifest.json")
    assert left_in(tmp_path) == list(days)


def test_a_job_that_has_no_results_is_not_asked_for_them(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    client = client_for("revenuebase")
    running = emulator.add_job("revenuebase", result=ResultSpec(bytes=9_000))
    running.hold("PROCESSING")
    failed = emulator.add_job("revenuebase", result=ResultSpec(bytes=9_000))
    failed.fail("no such column")
    for job, error in ((running, ResultNotReadyError), (failed, JobFailedError)):
        with pytest.raises(error):
            download(client, job.id, local(tmp_path, folder=True))
    assert "download" not in [request.operation for request in emulator.requests]
    assert left_in(tmp_path) == []


def test_a_cancelled_jobs_partial_result_is_landed_only_on_request(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    client = client_for("revenuebase")
    job = emulator.add_job("revenuebase", result=ResultSpec(bytes=9_000))
    job.cancel()
    with pytest.raises(JobCancelledError):
        download(client, job.id, local(tmp_path, folder=True))
    landing = download(client, job.id, local(tmp_path, folder=True), accept_partial=True)
    assert landing.files[0].sha256 == job.files()[0].sha256


def test_proofys_early_download_is_read_and_refused(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    job = emulator.add_job("proofy", result=ResultSpec(bytes=9_000), state="succeeded")
    early = json.dumps({"list": [], "status": "processing"})
    emulator.add_fault(
        Fault("status", operation="download", status=200, body=early, content_type="application/json", times=9)
    )
    with pytest.raises(ResultNotReadyError, match="processing"):
        download(client_for("proofy"), job.id, local(tmp_path, folder=True))
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ("attachment; filename*=UTF-8''..%2F..%2Fevil.csv", "evil.csv"),
        ('attachment; filename="C:\\\\Windows\\\\system.ini"', "system.ini"),
    ],
)
def test_a_hostile_file_name_stays_in_the_folder(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, disposition: str, name: str
) -> None:
    job = emulator.add_job("revenuebase", state="succeeded", result=ResultSpec(bytes=900, format="csv"))
    emulator.add_fault(
        Fault(
            "status",
            operation="download",
            status=200,
            body="email,status\na@example.com,Valid\n",
            content_type="text/csv",
            headers={"Content-Disposition": disposition},
        )
    )
    inner = tmp_path / "a" / "b"
    landing = download(client_for("revenuebase"), job.id, local(inner, folder=True))
    assert Path(landing.files[0].uri).parent == inner
    assert left_in(tmp_path) == [f"a/b/{name}"]


def test_a_result_too_large_is_refused_before_it_is_read(emulator: Emulator, client_for: ClientFor) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=512 * 2**20, format="csv"), state="succeeded")
    with pytest.raises(ResultTooLargeError, match="destination"):
        fetch(client_for("apartmentiq"), job.id, max_bytes=10_000)
    assert sum(request.bytes_sent for request in emulator.requests if request.operation == "store") < 64 * 2**20


def test_a_result_of_unknown_length_is_refused_once_it_passes_the_limit(
    emulator: Emulator, client_for: ClientFor
) -> None:
    job = emulator.add_job("revenuebase", result=ResultSpec(bytes=512 * 2**20, format="csv"), state="succeeded")
    with pytest.raises(ResultTooLargeError):
        fetch(client_for("revenuebase"), job.id, max_bytes=10_000)
    assert sum(request.bytes_sent for request in emulator.requests if request.operation == "download") < 64 * 2**20


@pytest.mark.parametrize("result_format", ["csv", "jsonl"])
def test_small_results_are_parsed(emulator: Emulator, client_for: ClientFor, result_format: str) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=5_000, format=result_format), state="succeeded")
    rows = fetch(client_for("apartmentiq"), job.id, max_bytes=10_000)
    assert isinstance(rows, list)
    assert all(isinstance(row, dict) for row in rows)


def test_the_rows_of_several_parts_become_one_list(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    job = emulator.add_job("batchcom", result=ResultSpec(bytes=9_000, format="jsonl", parts=3), state="succeeded")
    client = client_for("batchcom")
    rows = fetch(client, job.id, max_bytes=100_000)
    landing = download(client, job.id, local(tmp_path, folder=True))
    assert isinstance(rows, list)
    assert len(rows) == sum(file.rows or 0 for file in landing.files)
