"""Partial files on the local disk: whose they are, what they can be trusted with, when they go."""

from __future__ import annotations

import fcntl
import hashlib
import os
import resource
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import BatchDlError, DestinationError, TransferError, VendorUnavailableError
from airflow_provider_batchdl.transfer import state
from airflow_provider_batchdl.transfer.landing import download
from airflow_provider_batchdl.transfer.sinks import local as local_module
from airflow_provider_batchdl.transfer.sinks import open_kept, open_sink
from airflow_provider_batchdl.transfer.sinks.kept import kept_sink
from airflow_provider_batchdl.transfer.sinks.local import LocalSink
from airflow_provider_batchdl.transfer.state import Mark, boot_id, partial_key
from airflow_provider_batchdl.transfer.sweeping import sweep
from tests.transfer.conftest import ClientFor, left_in, local

MIB = 2**20
KEY, OTHER = partial_key("job"), partial_key("another")
MARK = Mark('"etag"', 4 * MIB, "x.csv", {"content-type": "text/csv"})


def begun(path: Path, data: bytes = b"x" * MIB, key: str = KEY, **arguments: Any) -> LocalSink:
    sink = LocalSink(str(path), str(path), key=key, **arguments)
    sink.remember(MARK)
    sink.write(data)
    return sink


def kept(path: Path, key: str = KEY) -> LocalSink | None:
    return kept_sink(str(path), str(path), key)


class TestMark:
    def test_survives_as_json(self) -> None:
        mark = replace(MARK, target="ü", durable=3, boot="b")
        assert Mark.from_json(mark.to_json()) == mark

    @pytest.mark.parametrize(
        "data",
        [b"", b"{", b"[]", b"1", b"{}", MARK.to_json()[:-5], MARK.to_json().replace(b'"version": 1', b'"version": 2')]
        + [MARK.to_json().replace(b"4194304", wrong) for wrong in (b'"4"', b"4.5", b"null", b"true")]
        + [MARK.to_json().replace(b'"durable": 0', b'"surplus": 0')],
    )
    def test_what_is_damaged_is_none(self, data: bytes) -> None:
        assert Mark.from_json(data) is None

    def test_after_a_crash_of_the_machine_only_synced_bytes_count(self) -> None:
        assert replace(MARK, boot=boot_id() or "b", durable=5).trusted(100) == (100 if boot_id() else 5)
        assert replace(MARK, boot="an earlier start", durable=5).trusted(100) == 5
        assert replace(MARK, boot="an earlier start", durable=200).trusted(100) == 100
        assert MARK.trusted(100) == 0

    def test_a_byte_is_left_to_ask_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(state, "boot_id", lambda: "b")
        assert replace(MARK, boot="b").trusted(5 * MIB) == 4 * MIB - 1
        assert replace(MARK, boot="b", total=0).trusted(0) == 0


def test_what_was_stopped_is_found_and_gone_on_with(tmp_path: Path) -> None:
    begun(tmp_path / "x.csv", b"abc" * MIB).park()
    assert len(left_in(tmp_path)) == 2
    sink = kept(tmp_path / "x.csv")
    assert sink is not None
    assert sink.mark is not None
    assert (sink.written, sink.mark.validator, sink.mark.headers) == (3 * MIB, MARK.validator, MARK.headers)
    assert b"".join(sink.replay()) == b"abc" * MIB
    sink.write(b"end")
    sink.publish()
    assert (tmp_path / "x.csv").read_bytes() == b"abc" * MIB + b"end"
    assert left_in(tmp_path) == ["x.csv"]


def test_in_a_folder_it_is_found_by_its_key(tmp_path: Path) -> None:
    begun(tmp_path / "x.csv").park()
    begun(tmp_path / "y.csv", key=OTHER).park()
    sink = open_kept(fsspec.filesystem("file"), f"{tmp_path}/", f"file://{tmp_path}/", OTHER)
    assert sink is not None
    assert sink.uri == f"file://{tmp_path}/y.csv"
    sink.discard()
    assert len(left_in(tmp_path)) == 2


@pytest.mark.parametrize("damage", ["no state", "torn state", "no partial", "other target", "climbing", "empty"])
def test_what_cannot_be_trusted_is_not_gone_on_with(tmp_path: Path, damage: str) -> None:
    begun(tmp_path / "x.csv").park()
    [part] = tmp_path.glob(".*.part")
    note = Path(f"{part}.json")
    match damage:
        case "no state":
            note.unlink()
        case "torn state":
            os.truncate(note, 20)
        case "no partial":
            part.unlink()
        case "other target":
            note.write_bytes(note.read_bytes().replace(b'"target": "x.csv"', b'"target": "y.csv"'))
        case "climbing":
            note.write_bytes(note.read_bytes().replace(b'"target": "x.csv"', b'"target": "../x.csv"'))
        case "empty":
            os.truncate(part, 0)
    assert kept(tmp_path / "x.csv") is None
    assert kept_sink(f"{tmp_path}/", "", KEY) is None
    sink = LocalSink(str(tmp_path / "x.csv"), "x", key=KEY)
    sink.write(b"new")
    sink.publish()
    assert (tmp_path / "x.csv").read_bytes() == b"new"
    assert left_in(tmp_path) == ["x.csv"]


def test_a_kill_while_the_state_is_written_leaves_the_one_before(tmp_path: Path) -> None:
    begun(tmp_path / "x.csv").park()
    [part] = tmp_path.glob(".*.part")
    Path(f"{part}.json.new").write_bytes(b'{"versi')
    sink = kept(tmp_path / "x.csv")
    assert sink is not None
    sink.publish()
    assert left_in(tmp_path) == ["x.csv"]
    Path(f"{part}.json.new").write_bytes(b'{"versi')  # of which nothing else is left
    assert sweep(fsspec.filesystem("file"), str(tmp_path), older_than=timedelta(seconds=-60)) == [str(part)]
    assert left_in(tmp_path) == ["x.csv"]


def test_a_second_writer_has_a_file_of_its_own(tmp_path: Path) -> None:
    first = begun(tmp_path / "x.csv", b"1" * MIB)
    assert kept(tmp_path / "x.csv") is None
    second = begun(tmp_path / "x.csv", b"2" * MIB)
    assert second.mark is None
    second.publish()
    assert (tmp_path / "x.csv").read_bytes() == b"2" * MIB
    first.publish()  # its partial was in use, so the other did not clean it up
    assert (tmp_path / "x.csv").read_bytes() == b"1" * MIB
    assert left_in(tmp_path) == ["x.csv"]


def test_success_removes_what_earlier_tries_left(tmp_path: Path) -> None:
    begun(tmp_path / "x.csv").park()
    begun(tmp_path / "y.csv").park()
    (tmp_path / f".x.csv.{'0' * 16}.part").write_bytes(b"an older version's")
    (tmp_path / ".x.csv.part").write_bytes(b"somebody else's")
    begun(tmp_path / "x.csv", key=OTHER).publish()
    assert left_in(tmp_path) == [".x.csv.part", f".y.csv.{KEY}.part", f".y.csv.{KEY}.part.json", "x.csv"]


def test_the_second_name_of_a_result_is_not_written_to(tmp_path: Path) -> None:
    """A kill between `link` and `unlink` leaves the result with two names."""
    (tmp_path / "x.csv").write_text("whole")
    os.link(tmp_path / "x.csv", tmp_path / f".x.csv.{KEY}.part")
    sink = begun(tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == "whole"
    sink.discard()
    os.link(tmp_path / "x.csv", tmp_path / f".x.csv.{OTHER}.part")
    begun(tmp_path / "x.csv").publish()
    assert left_in(tmp_path) == ["x.csv"]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("old")
    (tmp_path / f".x.csv.{KEY}.part").symlink_to(tmp_path / "precious")
    begun(tmp_path / "x.csv").publish()
    assert (tmp_path / "precious").read_text() == "old"
    assert (tmp_path / "x.csv").stat().st_size == MIB


def test_without_locks_nothing_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: Any) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    sink = begun(tmp_path / "x.csv")
    assert sink.mark is None
    assert len(left_in(tmp_path)) == 1
    sink.publish()
    assert left_in(tmp_path) == ["x.csv"]


@pytest.mark.parametrize("taken", [False, True])
def test_short_of_descriptors_a_sealed_file_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2, 2))
    sink = begun(tmp_path / "x.csv")
    sink.seal()
    assert sink._fd is None
    if not taken:
        sink.publish()
        assert (tmp_path / "x.csv").stat().st_size == MIB
        assert left_in(tmp_path) == ["x.csv"]
        return
    other = kept(tmp_path / "x.csv")
    assert other is not None
    with pytest.raises(DestinationError, match="another process") as caught:
        sink.publish()
    assert caught.value.retryable
    sink.discard()
    other.write(b"more")
    other.publish()
    assert (tmp_path / "x.csv").stat().st_size == MIB + 4


@pytest.mark.parametrize("step", ["ftruncate", "open"])
def test_a_kill_while_islands_are_given_up_leaves_no_holes_that_count_as_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    sink = begun(tmp_path / "x.csv")
    shelf = sink.shelf()
    sink.reached(MIB, ((0, MIB), (3 * MIB, 3 * MIB + 9)))
    shelf.put(3 * MIB, b"an island")
    shelf.close()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, step, killed)
        with pytest.raises(KeyboardInterrupt):
            sink.settle(MIB)
    sink.park()
    again = kept(tmp_path / "x.csv")
    assert again is not None
    assert again.written == MIB
    assert b"".join(again.replay()) == b"x" * MIB
    again.discard()


def test_beginning_again_forgets_what_was_noted(tmp_path: Path) -> None:
    sink = begun(tmp_path / "x.csv")
    sink.restart()
    sink.write(b"z" * MIB)
    sink.park()
    assert kept(tmp_path / "x.csv") is None
    assert left_in(tmp_path) == []


def test_bytes_are_forced_to_the_disk_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_module, "SYNC_EVERY", 2 * MIB)
    sink = begun(tmp_path / "x.csv", b"")
    for _ in range(3):
        sink.write(b"x" * MIB)
    sink.park()
    for module in (state, local_module):
        monkeypatch.setattr(module, "boot_id", lambda: "after a crash")
    again = kept(tmp_path / "x.csv")
    assert again is not None
    assert again.written == 2 * MIB
    again.write(b"y" * 5)
    again.park()
    # What was written since the crash is this machine's own.
    once_more = kept(tmp_path / "x.csv")
    assert once_more is not None
    assert once_more.written == 2 * MIB + 5
    once_more.discard()


@pytest.fixture
def large(emulator: Emulator) -> Any:
    return emulator.add_job("apartmentiq", result=ResultSpec(bytes=8 * MIB, format="csv"), state="succeeded")


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
    [part] = tmp_path.glob(".*.part")
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


class TestSweep:
    def test_removes_what_is_old_and_unused(self, tmp_path: Path) -> None:
        (tmp_path / "sub").mkdir()
        begun(tmp_path / "sub/old.csv").park()
        begun(tmp_path / "new.csv", key=OTHER).park()
        running = begun(tmp_path / "running.csv")
        for path in [*tmp_path.glob("sub/.*"), *tmp_path.glob(".running*")]:
            os.utime(path, (0, 0))
        (tmp_path / "result.csv").write_text("whole")
        os.utime(tmp_path / "result.csv", (0, 0))
        fs = fsspec.filesystem("file")
        assert sweep(fs, str(tmp_path)) == [str(tmp_path / f"sub/.old.csv.{KEY}.part")]
        assert not list((tmp_path / "sub").iterdir())
        assert len(left_in(tmp_path)) == 5
        running.publish()
        assert len(sweep(fs, f"{tmp_path}/", older_than=timedelta(seconds=-60))) == 1
        assert left_in(tmp_path) == ["result.csv", "running.csv"]

    def test_other_stores(self) -> None:
        fs = fsspec.filesystem("memory")
        sink = open_sink(fs, "/sweep/x.csv", "memory://sweep/x.csv")
        sink.write(b"1")
        sink.seal()
        fs.pipe_file("/sweep/kept.csv", b"1")
        assert sweep(fs, "/sweep") == []
        assert len(sweep(fs, "/sweep", older_than=timedelta(seconds=-60))) == 1
        assert fs.find("/sweep") == ["/sweep/kept.csv"]
        fs.rm("/sweep", recursive=True)


def test_a_partial_begun_under_another_name_is_not_published_as_that(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    """A try at one name was killed; the next wants the folder, and so the vendor's own name."""
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=3_000_000, format="csv"), state="succeeded")
    vendor = client_for("apartmentiq").vendor
    key = partial_key(vendor.name, vendor.account.base_url, job.id, None)
    sink = LocalSink(str(tmp_path / "mine.csv"), "", key=key)
    sink.write(bytes(1_000_000))
    sink.remember(Mark('"etag"', 3_000_000, "theirs.csv"))
    sink.park()
    assert len(left_in(tmp_path)) == 2
    landing = download(client_for("apartmentiq"), job.id, local(tmp_path, folder=True))
    assert not (tmp_path / "mine.csv").exists()
    assert left_in(tmp_path) == [landing.files[0].uri.rpartition("/")[2]]
