"""A download that goes on with what an earlier try left on the local disk."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import BatchDlError, DestinationError, TransferError, VendorUnavailableError
from airflow_provider_batchdl.transfer.job_download import download
from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink
from airflow_provider_batchdl.transfer.state import PartialRecord, partial_key
from tests.transfer.conftest import ClientFor, left_in, local
from tests.transfer.partials import MIB


@pytest.fixture
def large(emulator: Emulator) -> Any:
    return emulator.add_job("apartmentiq", result=ResultSpec(bytes=8 * MIB, format="csv"), state="succeeded")


def _stopped_at(size: int, client: Any, job_id: str, target: Path) -> None:
    write = LocalSink.write

    def interrupted(self: LocalSink, data: bytes) -> None:
        write(self, data)
        if self.written > size:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LocalSink, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            download(client, job_id, local(target))
    assert len(left_in(target.parent)) == 2


def test_a_signal_leaves_the_partial_for_the_next_try(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, large: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time-out or a polite end of the worker is not worth less than a kill."""
    write = LocalSink.write

    def interrupted(self: LocalSink, data: bytes) -> None:
        write(self, data)
        if self.written > 3 * MIB:
            raise KeyboardInterrupt

    client, target = client_for("apartmentiq"), tmp_path / "x.csv"
    with monkeypatch.context() as patched:
        patched.setattr(LocalSink, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            download(client, large.id, local(target))
    assert len(left_in(tmp_path)) == 2
    # The source cannot be reached: what an earlier try left stays.
    emulator.add_fault(Fault("status", operation="store", status=503, times=5))
    with pytest.raises(VendorUnavailableError):
        download(client, large.id, local(target))
    assert len(left_in(tmp_path)) == 2
    since = len(emulator.requests)
    landing = download(client, large.id, local(target))
    assert landing.resumed == 1
    assert sum(request.bytes_sent for request in emulator.requests[since:]) < 6 * MIB
    assert hashlib.sha256(target.read_bytes()).hexdigest() == landing.files[0].sha256 == large.files()[0].sha256
    assert left_in(tmp_path) == ["x.csv"]


@pytest.mark.parametrize("fault", ["ignore_range", "wrong_range", "weak_etag", "html"])
def test_an_odd_answer_to_the_rest_begins_again(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, large: Any, fault: Any
) -> None:
    client, target = client_for("apartmentiq"), tmp_path / "x.csv"
    _stopped_at(3 * MIB, client, large.id, target)
    emulator.add_fault(Fault(fault, operation="store"))
    try:
        landing = download(client, large.id, local(target))
    except BatchDlError:
        assert fault == "html"
        assert left_in(tmp_path) == []
        return
    assert hashlib.sha256(target.read_bytes()).hexdigest() == landing.files[0].sha256 == large.files()[0].sha256
    assert left_in(tmp_path) == ["x.csv"]


def test_a_declared_checksum_is_checked_over_both_tries(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, large: Any
) -> None:
    client, target = client_for("apartmentiq"), tmp_path / "x.csv"
    emulator.add_fault(Fault("checksum", operation="store"))
    _stopped_at(3 * MIB, client, large.id, target)
    landing = download(client, large.id, local(target))
    assert landing.resumed == 1
    assert {"md5", "sha256"} <= set(landing.verified_by)


def test_a_partial_that_was_tampered_with_is_found_by_the_checksum(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, large: Any
) -> None:
    client, target = client_for("apartmentiq"), tmp_path / "x.csv"
    emulator.add_fault(Fault("checksum", operation="store"))
    _stopped_at(3 * MIB, client, large.id, target)
    [part] = tmp_path.rglob(".*.part")
    with part.open("r+b") as file:
        file.seek(MIB)
        file.write(b"7")
    landing = download(client, large.id, local(target))
    assert hashlib.sha256(target.read_bytes()).hexdigest() == landing.files[0].sha256 == large.files()[0].sha256


def test_what_was_stopped_does_not_replace_what_appeared(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, large: Any
) -> None:
    client = client_for("apartmentiq")
    target = tmp_path / download(client, large.id, local(tmp_path, folder=True)).files[0].uri
    target.unlink()
    _stopped_at(3 * MIB, client, large.id, target)
    target.write_text("another writer's")
    since = len(emulator.requests)
    with pytest.raises(DestinationError, match="exists already"):
        download(client, large.id, local(tmp_path, folder=True), if_exists="error")
    assert "store" not in [request.operation for request in emulator.requests[since:]]
    assert left_in(tmp_path) == [target.name]
    assert target.read_text() == "another writer's"


def test_a_failure_of_its_own_leaves_nothing(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, large: Any
) -> None:
    emulator.add_fault(Fault("cut", operation="store", after_bytes=3 * MIB))
    emulator.add_fault(Fault("cut", operation="store", after_bytes=0, times=20))
    with pytest.raises(TransferError):
        download(client_for("apartmentiq"), large.id, local(tmp_path / "x.csv"))
    assert left_in(tmp_path) == []


def test_a_partial_begun_under_another_name_is_not_published_as_that(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    """A try at one name was killed; the next wants the folder, and so the vendor's own name."""
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=3_000_000, format="csv"), state="succeeded")
    vendor = client_for("apartmentiq").vendor
    key = partial_key(vendor.name, vendor.account.base_url, job.id, None)
    sink = LocalSink(str(tmp_path / "mine.csv"), "", key=key)
    sink.write(bytes(1_000_000))
    sink.remember(PartialRecord('"etag"', 3_000_000, "theirs.csv"))
    sink.suspend()
    assert len(left_in(tmp_path)) == 2
    landing = download(client_for("apartmentiq"), job.id, local(tmp_path, folder=True))
    assert not (tmp_path / "mine.csv").exists()
    assert left_in(tmp_path) == [landing.files[0].uri.rpartition("/")[2]]
