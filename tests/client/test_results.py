"""Asking for results, early, in time, and behind a redirect, through both clients."""

from __future__ import annotations

import httpx
import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import (
    ResultNotReadyError,
    UnexpectedResponseError,
)
from airflow_provider_batchdl.jobs import JobState, ResultFile
from airflow_provider_batchdl.vendors.base import Vendor
from tests.client.helpers import Face, download_request, operations, vendor_of


@pytest.mark.parametrize("name", ["revenuebase", "proofy"])
@pytest.mark.parametrize("extra", [{}, {"api_version": "v1"}])
def test_results_that_stream_from_the_api(emulator: Emulator, face: Face, name: str, extra: dict[str, str]) -> None:
    there = emulator.add_job(name, ResultSpec(bytes=20_000))
    vendor = vendor_of(emulator, name, extra=extra)
    assert len(face.send(vendor, download_request(vendor, there.id)).content) == there.files()[0].size


@pytest.mark.parametrize("name", ["batchcom", "apartmentiq"])
def test_results_behind_a_redirect_are_not_followed_with_credentials(emulator: Emulator, face: Face, name: str) -> None:
    there = emulator.add_job(name)
    vendor = vendor_of(emulator, name)
    job = face.run(vendor, lambda each: each.get_job(there.id))
    (file,) = vendor.result_files(job)
    with pytest.raises(UnexpectedResponseError, match="redirects the download request") as caught:
        face.send(vendor, vendor.result_request(job, file))
    assert "store" not in operations(emulator)
    assert "X-Amz-Algorithm=***" in str(caught.value)


@pytest.mark.parametrize("name", ["revenuebase", "apartmentiq"])
def test_results_before_their_time(emulator: Emulator, face: Face, name: str) -> None:
    there = emulator.add_job(name, state="running")
    vendor = vendor_of(emulator, name)
    with pytest.raises(ResultNotReadyError) as caught:
        face.send(vendor, download_request(vendor, there.id))
    assert caught.value.retryable


def test_batchcoms_conflict_is_a_result_before_its_time(emulator: Emulator, face: Face) -> None:
    there = emulator.add_job("batchcom")
    vendor = vendor_of(emulator, "batchcom")
    job = face.run(vendor, lambda each: each.get_job(there.id))
    there.hold("RUNNING")
    with pytest.raises(ResultNotReadyError):
        face.send(vendor, vendor.result_request(job, job.files[0]))


def test_proofys_early_answer_is_seen_through(emulator: Emulator, face: Face) -> None:
    there = emulator.add_job("proofy", state="running")
    vendor = vendor_of(emulator, "proofy")
    answer = face.send(vendor, download_request(vendor, there.id))
    assert answer.status_code == httpx.codes.OK
    with pytest.raises(ResultNotReadyError, match="'processing'"):
        vendor.check_result(there.id, {"status": answer.json()["status"]})
    vendor.check_result(there.id, {"status": "ready"})
    vendor.check_result(there.id, {})


def test_an_export_without_files_has_none(emulator: Emulator) -> None:
    from airflow_provider_batchdl.jobs import Job

    vendor: Vendor = vendor_of(emulator, "batchcom")
    assert vendor.result_files(Job("export_1", JobState.SUCCEEDED, "SUCCESS")) == ()
    other = vendor_of(emulator, "proofy")
    assert other.result_files(Job("1", JobState.SUCCEEDED, "ready")) == (ResultFile("1"),)
