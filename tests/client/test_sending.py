"""When a submit's bytes go: whoever keeps a journal of submits is told right before, and not sooner."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.client import AsyncBatchClient, BatchClient
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    DestinationError,
    RateLimitedError,
    SubmitUncertainError,
    VendorUnavailableError,
)
from tests.client.helpers import REQUESTS, VENDORS, Face, both_faces, operations, submission, vendor_at, vendor_of  # noqa: F401 the fixture
from tests.support.raw_server import serving


@dataclass
class Journal:
    """Notes what the vendor had heard when it was told."""

    emulator: Emulator | None = None
    refuses: BatchDlError | None = None
    told: list[Any] = field(default_factory=list)

    def sending(self) -> None:
        self.told.append(operations(self.emulator) if self.emulator else "sending")
        if self.refuses:
            raise self.refuses

    def turned_away(self) -> None:
        self.told.append("turned away")


def submit(face: Face, vendor: Any, journal: Journal, file: Path | None = None) -> Any:
    what = submission(REQUESTS[vendor.name], file if vendor.name == "revenuebase" else None)

    async def asubmit() -> Any:
        async with AsyncBatchClient(vendor) as client:
            return await client.run(vendor.submit_once(what), journal=journal)

    if face.kind == "async":
        return asyncio.run(asubmit())
    with BatchClient(vendor) as client:
        return client.run(vendor.submit_once(what), journal=journal)


@pytest.mark.parametrize("name", VENDORS)
def test_it_is_told_after_the_token_and_before_the_submit(
    emulator: Emulator, face: Face, name: str, contacts: Path
) -> None:
    journal = Journal(emulator)
    submit(face, vendor_of(emulator, name), journal, contacts)
    assert journal.told == [["token"] if name == "apartmentiq" else []]


@pytest.mark.parametrize("name", VENDORS)
def test_what_it_refuses_is_not_sent(emulator: Emulator, face: Face, name: str, contacts: Path) -> None:
    journal = Journal(refuses=DestinationError("the store is down"))
    with pytest.raises(DestinationError):
        submit(face, vendor_of(emulator, name), journal, contacts)
    assert not {"submit", "list"} & set(operations(emulator))
    assert len(journal.told) == 1


@pytest.mark.parametrize("name", ["revenuebase", "apartmentiq"])
def test_it_is_not_told_where_nothing_is_sent(emulator: Emulator, face: Face, name: str, tmp_path: Path) -> None:
    journal = Journal()
    emulator.add_fault(Fault("status", operation="token", status=400, times=9))
    with pytest.raises(BatchDlError):
        submit(face, vendor_of(emulator, name), journal, tmp_path / "missing.csv")
    nowhere = vendor_at("http://127.0.0.1:9", "batchcom")
    with pytest.raises(VendorUnavailableError):
        submit(face, nowhere, journal)
    assert journal.told == []


def test_it_is_told_of_being_turned_away_before_the_pause(emulator: Emulator, face: Face) -> None:
    emulator.add_fault(Fault("status", operation="submit", status=429, times=2))
    journal = Journal()
    submit(face, vendor_of(emulator, "proofy"), journal)
    assert journal.told == ["sending", "turned away"] * 2 + ["sending"]


def test_other_requests_are_none_of_its_business(emulator: Emulator, face: Face) -> None:
    emulator.add_fault(Fault("reset", operation="submit", processed=True))
    journal = Journal()
    submit(face, vendor_of(emulator, "apartmentiq"), journal)
    assert operations(emulator) == ["token", "submit", "list"]
    assert journal.told == ["sending"]


def test_a_limit_that_is_used_up_is_not_sent(emulator: Emulator, face: Face) -> None:
    vendor = vendor_of(emulator, "proofy", extra={"rate_limit": "1/3600"})
    journal = Journal()
    face.run(vendor, lambda each: each.get_balance())
    with pytest.raises(RateLimitedError):
        submit(face, vendor, journal)
    assert journal.told == []


ANSWER = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def test_an_answer_before_the_whole_file_was_sent_is_no_uncertainty(face: Face, tmp_path: Path) -> None:
    """The vendor has no whole request, so it has no job."""
    large = tmp_path / "large.csv"
    large.write_bytes(b"a@b.example\n" * 2_000_000)
    with serving(lambda connection: connection.sendall(ANSWER)) as url, pytest.raises(VendorUnavailableError) as caught:
        submit(face, vendor_at(url.rstrip("/"), "revenuebase"), Journal(), large)
    assert not caught.value.maybe_processed


def test_the_same_after_the_whole_file_is(emulator: Emulator, face: Face, contacts: Path) -> None:
    emulator.add_fault(Fault("status", operation="submit", status=500))
    with pytest.raises(SubmitUncertainError):
        submit(face, vendor_of(emulator, "revenuebase"), Journal(), contacts)
