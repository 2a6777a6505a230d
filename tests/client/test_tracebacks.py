"""No frame behind an error holds a key: error reporters show the locals of each."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.transfer import job_download
from airflow_provider_batchdl.vendors import vendor_class
from airflow_provider_batchdl.vendors.account import Account
from tests.client.helpers import REQUESTS, VENDORS, Face, both_faces, vendor_of  # noqa: F401 the fixture


def shown(error: BaseException | None) -> Iterator[tuple[str, str]]:
    """All that a reporter may show of an error and of what it came from, hidden or not, with its place."""
    while error is not None:
        yield "error", f"{error!r} {error} {error.args!r} {error.__dict__!r}"
        for frame, line in traceback.walk_tb(error.__traceback__):
            if "/tests/" in frame.f_code.co_filename:
                continue
            place = f"{frame.f_code.co_filename}:{line}"
            for name, value in frame.f_locals.items():
                yield f"{place} {name}", repr(value)
        error = error.__cause__ or error.__context__


def assert_shows_no_secret(error: BaseException, *secrets: str) -> None:
    found = [(place, text) for place, text in shown(error) for secret in secrets if secret in text]
    assert not found


FAULTS = [
    Fault("reset", times=99),
    Fault("status", status=401, times=99),
    Fault("status", status=500, times=99, body="no"),
    Fault("status", status=200, times=99, body="no json"),
    Fault("redirect", location="https://elsewhere.example/?token=0123456789abcdef0123"),
]


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind}-{fault.status}")
def test_a_request_that_fails(emulator: Emulator, face: Face, name: str, fault: Fault) -> None:
    vendor = vendor_of(emulator, name)
    emulator.add_fault(fault)
    with pytest.raises(BatchDlError) as caught:
        face.run(
            vendor, lambda each: each.get_job("ed49987b-6539-4e9e-8a63-2bcd811ef0ec" if name == "apartmentiq" else "7")
        )
    tokens = [asked.headers.get("authorization", "").rpartition(" ")[2] for asked in emulator.requests]
    secrets = [str(vendor.account.secret), "0123456789abcdef0123", *filter(None, tokens)]
    assert_shows_no_secret(caught.value, *secrets)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind}-{fault.status}")
def test_no_coroutine_of_the_sync_client_keeps_its_variables(emulator: Emulator, fault: Fault) -> None:
    """Requests have the credentials in their headers, which their representation does not show; a reporter may."""
    vendor = vendor_of(emulator, "batchcom")
    emulator.add_fault(fault)
    with BatchClient(vendor, single_try=2.0) as client, pytest.raises(BatchDlError) as caught:
        client.run(vendor.get_job("7"))
    error: BaseException | None = caught.value
    frames = 0
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_flags & inspect.CO_COROUTINE:
                frames += 1
                assert frame.f_locals == {}
        error = error.__cause__ or error.__context__
    assert frames


def test_a_submit_that_fails(emulator: Emulator, face: Face) -> None:
    vendor = vendor_of(emulator, "proofy")
    emulator.add_fault(Fault("status", status=500, times=99))
    with pytest.raises(BatchDlError) as caught:
        face.submit(vendor, REQUESTS["proofy"])
    assert_shows_no_secret(caught.value, str(vendor.account.secret))


def test_a_vendor_that_cannot_be_reached(face: Face) -> None:
    account = Account("http://127.0.0.1:9", "a-key-that-nobody-may-see")
    with pytest.raises(BatchDlError) as caught:
        face.run(vendor_class("proofy")(account), lambda each: each.get_balance())
    assert_shows_no_secret(caught.value, str(account.secret))


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("proxied", [False, True])
def test_a_download_that_fails(emulator: Emulator, name: str, proxied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = vendor_of(emulator, name)
    there = emulator.add_job(name)
    emulator.add_fault(Fault("status", operation="download", status=403, times=99))
    if proxied:
        monkeypatch.setenv("http_proxy", "http://me:proxy-password-1@127.0.0.1:9")
        monkeypatch.setenv("no_proxy", "")
    with BatchClient(vendor, single_try=2.0) as client, pytest.raises(BatchDlError) as caught:
        job_download.fetch(client, there.id, max_bytes=1 << 20)
    assert_shows_no_secret(caught.value, str(vendor.account.secret), "proxy-password-1", "X-Amz-Signature=0")


def test_what_still_runs_is_left_alone() -> None:
    from airflow_provider_batchdl._redaction.tracebacks import emptied_frames

    def suspended() -> Iterator[int]:
        try:
            yield 1
        except ValueError as error:
            kept.append(error)
            yield 2
            yield 3

    kept: list[Any] = []
    flow: Any = suspended()
    next(flow)
    assert flow.throw(ValueError("x")) == 2
    with pytest.raises(ValueError, match="x"), emptied_frames():
        raise kept[0]
    assert next(flow) == 3


def test_a_job_is_shown_without_its_files_links() -> None:
    from airflow_provider_batchdl.jobs import ResultFile
    from airflow_provider_batchdl.triggers.events import job_to_event as event_of

    file = ResultFile("https://bucket.example/k?X-Amz-Signature=0123456789abcdef")
    facts = event_of(Job("7", JobState.SUCCEEDED, "SUCCESS", files=(file,)))
    assert facts["files"][0]["id"] == "https://bucket.example/k?X-Amz-Signature=***"
