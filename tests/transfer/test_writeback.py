"""Room that is reserved ahead of a local file, and what is written out behind: neither may be seen in the result."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_provider_batchdl.transfer.sinks import writeback
from airflow_provider_batchdl.transfer.sinks.local import LocalSink

PIECE = os.urandom(1 << 20)
MIB = 20  # two steps and a half
BLOCK = 512  # the unit of `st_blocks`


def filled(target: Path) -> LocalSink:
    sink = LocalSink(str(target), str(target), key="0123456789abcdef")
    for _ in range(MIB):
        sink.write(PIECE)
    return sink


def test_a_published_file_holds_no_more_room_than_it_needs(tmp_path: Path) -> None:
    sink = filled(tmp_path / "result.bin")
    sink.publish()
    status = (tmp_path / "result.bin").stat()
    assert status.st_size == MIB << 20
    assert status.st_blocks * BLOCK < status.st_size + (1 << 20)
    assert (tmp_path / "result.bin").read_bytes() == PIECE * MIB


def test_reserved_room_does_not_count_as_bytes_that_came(tmp_path: Path) -> None:
    sink = filled(tmp_path / "result.bin")
    (part,) = tmp_path.glob(".*.part")
    assert part.stat().st_size == sink.written == MIB << 20
    sink.restart()
    assert part.stat().st_size == part.stat().st_blocks == 0
    sink.discard()


@pytest.mark.parametrize("missing", ["sync_file_range", "fallocate64"])
def test_a_system_without_these_calls_writes_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    found = writeback._function
    monkeypatch.setattr(writeback, "_function", lambda name, *types: None if name == missing else found(name, *types))
    filled(tmp_path / "result.bin").publish()
    assert (tmp_path / "result.bin").read_bytes() == PIECE * MIB


def test_a_name_that_the_c_library_does_not_have_is_none() -> None:
    assert writeback._function("no_such_function") is None
