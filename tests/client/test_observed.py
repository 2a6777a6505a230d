"""What is told of a request that is sent again: whose it was, which, and why."""

from __future__ import annotations

import socket

import httpx
import pytest

from airflow_provider_batchdl.client import policy
from airflow_provider_batchdl.client.retry_events import Retry
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import BatchDlError, VendorUnavailableError
from tests.client.helpers import Face, both_faces, vendor_at, vendor_of  # noqa: F401 the fixture


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault("status", status=429, retry_after=0), "rate_limited"),
        (Fault("status", status=500), "server_error"),
        (Fault("status", status=503, retry_after=0), "server_error"),
        (Fault("status", status=408), "server_error"),
        (Fault("reset"), "dropped"),
        (Fault("cut", after_bytes=3), "dropped"),
        (Fault("stall", seconds=20, before_headers=True), "timeout"),
    ],
    ids=lambda each: each if isinstance(each, str) else f"{each.kind}-{each.status or ''}",
)
def test_each_reason_has_its_word(
    emulator: Emulator, face: Face, retries: list[Retry], monkeypatch: pytest.MonkeyPatch, fault: Fault, reason: str
) -> None:
    if reason == "timeout":
        monkeypatch.setattr(policy, "TIMEOUT", httpx.Timeout(10.0, read=2.0))
    emulator.add_fault(fault)
    assert face.run(vendor_of(emulator, "proofy"), lambda each: each.get_balance()) is not None
    told = Retry("proofy", "balance", reason)  # type: ignore[arg-type]
    # A machine that stands still for longer than the time-out is one more that does not answer.
    assert set(retries) == {told} if reason == "timeout" else retries == [told]


def test_a_host_that_does_not_answer_is_a_connection_that_could_not_be_made(face: Face, retries: list[Retry]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        vendor = vendor_at(f"http://127.0.0.1:{taken.getsockname()[1]}", "revenuebase")
        with pytest.raises(VendorUnavailableError):
            face.run(vendor, lambda each: each.get_balance())
    assert set(retries) == {Retry("revenuebase", "balance", "connect")}
    assert len(retries) == policy.ATTEMPTS - 1


def test_what_is_not_sent_again_is_not_told(emulator: Emulator, face: Face, retries: list[Retry]) -> None:
    emulator.add_fault(Fault("status", status=401))
    with pytest.raises(BatchDlError):
        face.run(vendor_of(emulator, "proofy"), lambda each: each.get_balance())
    assert retries == []
