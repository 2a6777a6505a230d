"""Partial files on the local disk: whose they are, what they can be trusted with, when they go."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
from datetime import timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer import state
from airflow_provider_batchdl.transfer.cleanup import sweep
from airflow_provider_batchdl.transfer.sinks.factory import open_resumable
from airflow_provider_batchdl.transfer.sinks.local import sink as local_module
from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink, resumable_sink
from airflow_provider_batchdl.transfer.state import WORK_FOLDER
from tests.transfer.conftest import left_in
from tests.transfer.partials import KEY, MIB, OTHER, RECORD, begun, kept


def test_what_was_stopped_is_found_and_gone_on_with(tmp_path: Path) -> None:
    begun(tmp_path / "x.csv", b"abc" * MIB).suspend()
    assert len(left_in(tmp_path)) == 2
    sink = kept(tmp_path / "x.csv")
    assert sink is not None
    assert sink.partial_record is not None
    assert (sink.written, sink.partial_record.validator, sink.partial_record.headers) == (
        3 * MIB,
        RECORD.validator,
        RECORD.headers,
    )
    assert b"".join(sink.replay()) == b"abc" * MIB
    sink.write(b"end")
    sink.publish()
    assert (tmp_path / "x.csv").read_bytes() == b"abc" * MIB + b"end"
    assert left_in(tmp_path) == ["x.csv"]


def test_in_a_folder_it_is_found_by_its_key(tmp_path: Path) -> None:
    begun(tmp_path / "x.csv").suspend()
    begun(tmp_path / "y.csv", key=OTHER).suspend()
    sink = open_resumable(fsspec.filesystem("file"), f"{tmp_path}/", f"file://{tmp_path}/", OTHER)
    assert sink is not None
    assert sink.uri == f"file://{tmp_path}/y.csv"
    sink.discard()
    assert len(left_in(tmp_path)) == 2


@pytest.mark.parametrize("damage", ["no state", "torn state", "no partial", "other target", "climbing", "empty"])
def test_what_cannot_be_trusted_is_not_gone_on_with(tmp_path: Path, damage: str) -> None:
    begun(tmp_path / "x.csv").suspend()
    [part] = tmp_path.rglob(".*.part")
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
    assert resumable_sink(f"{tmp_path}/", "", KEY) is None
    sink = LocalSink(str(tmp_path / "x.csv"), "x", key=KEY)
    sink.write(b"new")
    sink.publish()
    assert (tmp_path / "x.csv").read_bytes() == b"new"
    assert left_in(tmp_path) == ["x.csv"]


def test_a_kill_while_the_state_is_written_leaves_the_one_before(tmp_path: Path) -> None:
    begun(tmp_path / "x.csv").suspend()
    [part] = tmp_path.rglob(".*.part")
    Path(f"{part}.json.new").write_bytes(b'{"versi')
    sink = kept(tmp_path / "x.csv")
    assert sink is not None
    sink.publish()
    assert left_in(tmp_path) == ["x.csv"]
    part.parent.mkdir()
    Path(f"{part}.json.new").write_bytes(b'{"versi')  # of which nothing else is left
    assert sweep(fsspec.filesystem("file"), str(tmp_path), older_than=timedelta(seconds=-60)) == [str(part)]
    assert not part.parent.exists()
    assert left_in(tmp_path) == ["x.csv"]


def test_a_second_writer_has_a_file_of_its_own(tmp_path: Path) -> None:
    first = begun(tmp_path / "x.csv", b"1" * MIB)
    assert kept(tmp_path / "x.csv") is None
    second = begun(tmp_path / "x.csv", b"2" * MIB)
    assert second.partial_record is None
    second.publish()
    assert (tmp_path / "x.csv").read_bytes() == b"2" * MIB
    first.publish()  # its partial was in use, so the other did not clean it up
    assert (tmp_path / "x.csv").read_bytes() == b"1" * MIB
    assert left_in(tmp_path) == ["x.csv"]


def test_success_removes_what_earlier_tries_left(tmp_path: Path) -> None:
    begun(tmp_path / "x.csv").suspend()
    begun(tmp_path / "y.csv").suspend()
    (tmp_path / WORK_FOLDER / f".x.csv.{'0' * 16}.part").write_bytes(b"an older version's")
    (tmp_path / WORK_FOLDER / ".x.csv.part").write_bytes(b"somebody else's")
    begun(tmp_path / "x.csv", key=OTHER).publish()
    partials = [".x.csv.part", f".y.csv.{KEY}.part", f".y.csv.{KEY}.part.json"]
    assert left_in(tmp_path) == [*(f"{WORK_FOLDER}/{name}" for name in partials), "x.csv"]


def test_the_second_name_of_a_result_is_not_written_to(tmp_path: Path) -> None:
    """A kill between `link` and `unlink` leaves the result with two names."""
    (tmp_path / "x.csv").write_text("whole")
    (tmp_path / WORK_FOLDER).mkdir()
    os.link(tmp_path / "x.csv", tmp_path / WORK_FOLDER / f".x.csv.{KEY}.part")
    sink = begun(tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == "whole"
    sink.discard()
    (tmp_path / WORK_FOLDER).mkdir()
    os.link(tmp_path / "x.csv", tmp_path / WORK_FOLDER / f".x.csv.{OTHER}.part")
    begun(tmp_path / "x.csv").publish()
    assert left_in(tmp_path) == ["x.csv"]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("old")
    (tmp_path / WORK_FOLDER).mkdir()
    (tmp_path / WORK_FOLDER / f".x.csv.{KEY}.part").symlink_to(tmp_path / "precious")
    begun(tmp_path / "x.csv").publish()
    assert (tmp_path / "precious").read_text() == "old"
    assert (tmp_path / "x.csv").stat().st_size == MIB


def test_without_locks_nothing_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: Any) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    sink = begun(tmp_path / "x.csv")
    assert sink.partial_record is None
    assert len(left_in(tmp_path)) == 1
    sink.publish()
    assert left_in(tmp_path) == ["x.csv"]


@pytest.mark.parametrize("taken", [False, True])
def test_short_of_descriptors_a_sealed_file_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2, 2))
    sink = begun(tmp_path / "x.csv")
    sink.finalize()
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
    reorder_buffer = sink.reorder_buffer()
    sink.record_progress(MIB, ((0, MIB), (3 * MIB, 3 * MIB + 9)))
    reorder_buffer.put(3 * MIB, b"an island")
    reorder_buffer.close()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, step, killed)
        with pytest.raises(KeyboardInterrupt):
            sink.truncate(MIB)
    sink.suspend()
    again = kept(tmp_path / "x.csv")
    assert again is not None
    assert again.written == MIB
    assert b"".join(again.replay()) == b"x" * MIB
    again.discard()


def test_beginning_again_forgets_what_was_noted(tmp_path: Path) -> None:
    sink = begun(tmp_path / "x.csv")
    sink.restart()
    sink.write(b"z" * MIB)
    sink.suspend()
    assert kept(tmp_path / "x.csv") is None
    assert left_in(tmp_path) == []


def test_bytes_are_forced_to_the_disk_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_module, "SYNC_EVERY", 2 * MIB)
    sink = begun(tmp_path / "x.csv", b"")
    for _ in range(3):
        sink.write(b"x" * MIB)
    sink.suspend()
    for module in (state, local_module):
        monkeypatch.setattr(module, "boot_id", lambda: "after a crash")
    again = kept(tmp_path / "x.csv")
    assert again is not None
    assert again.written == 2 * MIB
    again.write(b"y" * 5)
    again.suspend()
    # What was written since the crash is this machine's own.
    once_more = kept(tmp_path / "x.csv")
    assert once_more is not None
    assert once_more.written == 2 * MIB + 5
    once_more.discard()


@pytest.mark.parametrize("leftover", ["own", "other job", "alive"])
def test_what_killed_tries_left_of_the_target_is_not_in_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leftover: str
) -> None:
    """A disk of 3 MiB, of which a killed try of the same target, which nobody resumes, has two."""

    def space(path: str) -> os.statvfs_result:
        used = sum(each.stat().st_size for each in tmp_path.rglob("*") if each.is_file())
        return os.statvfs_result((MIB, 1, 3 * MIB, 3 * MIB - used, 3 * MIB - used, 9, 9, 9, 0, 255))

    target = str(tmp_path / "x.csv")
    dead = LocalSink(target, target, key=KEY if leftover == "own" else OTHER)
    dead.write(bytes(2 * MIB))
    if leftover != "alive":
        dead._close()
    monkeypatch.setattr(os, "statvfs", space)
    if leftover == "alive":
        with pytest.raises(DestinationError, match="2097152 bytes are needed"):
            LocalSink(target, target, key=KEY, expected_bytes=2 * MIB)
        dead.publish()
        return
    sink = LocalSink(target, target, key=KEY, expected_bytes=2 * MIB)
    sink.write(bytes(2 * MIB))
    sink.publish()
    assert left_in(tmp_path) == ["x.csv"]


def test_bytes_that_could_not_be_flushed_are_not_trusted_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_module, "SYNC_EVERY", MIB)

    def refuse(fd: int) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", refuse)
    begun(tmp_path / "x.csv", bytes(2 * MIB)).suspend()
    monkeypatch.setattr(state, "boot_id", lambda: "another")
    assert kept(tmp_path / "x.csv") is None
