"""What is told of a download that goes on: whose it was, and why it had to."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_batchdl.client.retry_events import Retry
from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.transfer.job_download import download
from airflow_provider_batchdl.transfer.parallel import scaling
from airflow_provider_batchdl.transfer.source import connection
from tests.transfer.conftest import ClientFor, local

SIZE = 3_000_000
CUT = Fault("cut", operation="store", after_bytes=SIZE // 3)


@pytest.mark.parametrize(
    ("faults", "reasons"),
    [
        ([CUT], ["dropped"]),
        ([Fault("stall", operation="store", after_bytes=SIZE // 3, seconds=20)], ["stalled"]),
        ([Fault("stall", operation="store", before_headers=True, seconds=20)], ["timeout"]),
        ([Fault("reset", operation="store")], ["dropped"]),
        ([Fault("status", operation="store", status=503)], ["server_error"]),
        ([Fault("status", operation="download", status=429, retry_after=0)], ["rate_limited"]),
        ([Fault("status", operation="store", status=429)], ["rate_limited"]),
        ([CUT, Fault("expired_link", operation="store")], ["dropped", "expired_link"]),
    ],
    ids=["cut", "stall", "silence", "reset", "503", "429", "429 of the store", "expired link"],
)
def test_each_reason_has_its_word(
    emulator: Emulator,
    client_for: ClientFor,
    tmp_path: Path,
    retries: list[Retry],
    monkeypatch: pytest.MonkeyPatch,
    faults: list[Fault],
    reasons: list[str],
) -> None:
    if {"stalled", "timeout"} & set(reasons):
        monkeypatch.setattr(connection, "IDLE_TIMEOUT", 2.0)
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=SIZE, format="csv"), state="succeeded")
    for fault in faults:
        emulator.add_fault(fault)
    download(client_for("apartmentiq"), job.id, local(tmp_path / "result.csv"))
    told = [Retry("apartmentiq", "download", reason) for reason in reasons]  # type: ignore[arg-type]
    if {"stalled", "timeout"} & set(reasons):
        # A machine that stands still for longer than the time-out is one more reason of this kind.
        assert set(told) <= set(retries)
        assert {retry.reason for retry in retries} <= {"stalled", "timeout"}
    else:
        assert retries == told


def test_the_parts_of_a_file_tell_theirs(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, retries: list[Retry], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several connections for one file, each of which retries on its own."""
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=60_000_000, format="csv"), state="succeeded")
    monkeypatch.setattr(scaling, "SOURCE_BOUND", 0.0)  # on a busy machine the source is not what is waited for
    emulator.set_speed(16 * 2**20)  # of each connection: so several are worth it
    emulator.add_fault(Fault("cut", operation="store", after_bytes=4_000_000, times=2))
    landing = download(client_for("apartmentiq"), job.id, local(tmp_path / "result.csv"))
    assert len([each for each in emulator.requests if each.operation == "store" and "range" in each.headers]) > 2
    assert {retry.reason for retry in retries} == {"dropped"}
    assert len(retries) == landing.resumed
