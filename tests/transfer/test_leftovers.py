"""What stopped downloads left, in folders of any size: found without listing a large one for each file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.transfer.sinks import leftovers
from airflow_provider_batchdl.transfer.sinks.kept import kept_sink
from airflow_provider_batchdl.transfer.sinks.local import LocalSink
from airflow_provider_batchdl.transfer.state import Mark, partial_key
from tests.transfer.conftest import left_in

MIB = 2**20
KEY, OTHER = partial_key("job"), partial_key("another")
MARK = Mark('"etag"', 4 * MIB, "x.csv")


@pytest.fixture
def looked_through(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many names each listing of a folder brought."""
    counts: list[int] = []
    listdir = os.listdir

    def counting(path: Any) -> list[str]:
        names: list[str] = listdir(path)
        counts.append(len(names))
        return names

    monkeypatch.setattr(os, "listdir", counting)
    monkeypatch.setattr(leftovers, "TRUSTED_SECONDS", float("inf"))  # however slow the disk is
    return counts


def publish(path: Path, key: str | None = KEY) -> None:
    sink = LocalSink(str(path), str(path), expected_bytes=3, key=key)
    sink.write(b"abc")
    sink.publish()


def large(folder: Path) -> Path:
    for number in range(100):
        (folder / f"{number}.csv").touch()
    return folder


def test_a_thousand_files_in_one_folder_do_not_list_it_a_thousand_times(
    tmp_path: Path, looked_through: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # two thousand of them would be most of the test
    for number in range(1000):
        key = partial_key(number)
        assert kept_sink(f"{tmp_path}/", "", key) is None
        publish(tmp_path / f"{number}.csv", key)
    assert len(looked_through) < 150
    assert sum(looked_through) < 30_000
    looked_through.clear()
    assert len(left_in(tmp_path)) == 1000


def test_a_small_folder_is_listed_for_each_file(tmp_path: Path, looked_through: list[int]) -> None:
    for number in range(5):
        (tmp_path / f".{number}.csv.{OTHER}.part").touch()
        publish(tmp_path / f"{number}.csv")
    assert left_in(tmp_path) == [f"{number}.csv" for number in range(5)]


@pytest.mark.parametrize("key", [KEY, None])
def test_a_first_file_removes_what_earlier_tries_left_in_a_large_folder(tmp_path: Path, key: str | None) -> None:
    for left in (f".x.csv.{OTHER}.part", f".x.csv.{'0' * 16}.part.json", f".y.csv.{OTHER}.part"):
        (large(tmp_path) / left).touch()
    publish(tmp_path / "x.csv", key)
    assert [name for name in left_in(tmp_path) if name.endswith((".part", ".json"))] == [f".y.csv.{OTHER}.part"]


def test_what_appears_in_a_large_folder_is_met_by_its_own_next_try_and_removed_by_a_later_one(
    tmp_path: Path, looked_through: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(large(tmp_path) / "x.csv")
    (tmp_path / f".x.csv.{KEY}.part").write_bytes(b"an earlier try's, and longer than the result")
    (tmp_path / f".x.csv.{OTHER}.part").touch()
    looked_through.clear()
    publish(tmp_path / "x.csv")
    assert looked_through == []
    assert (tmp_path / "x.csv").read_bytes() == b"abc"
    assert not (tmp_path / f".x.csv.{KEY}.part").exists()
    monkeypatch.setattr(leftovers, "TRUSTED_SECONDS", 0.0)
    publish(tmp_path / "x.csv")
    assert not [name for name in left_in(tmp_path) if name.startswith(".")]


def test_what_this_process_parks_in_a_large_folder_is_gone_on_with(tmp_path: Path, looked_through: list[int]) -> None:
    publish(large(tmp_path) / "y.csv")
    sink = LocalSink(str(tmp_path / "x.csv"), "x.csv", key=KEY)
    sink.remember(MARK)
    sink.write(b"x" * MIB)
    sink.park()
    kept = kept_sink(f"{tmp_path}/", "", KEY)
    assert kept is not None
    assert kept.written == MIB
    kept.discard()


def test_what_a_live_writer_holds_stays(tmp_path: Path) -> None:
    live = LocalSink(str(large(tmp_path) / "x.csv"), "x.csv", key=OTHER)
    live.write(b"live")
    publish(tmp_path / "x.csv")
    live.publish()
    assert (tmp_path / "x.csv").read_bytes() == b"live"


def test_a_folder_that_is_gone_is_empty() -> None:
    assert leftovers.found("/nowhere/at/all", key=KEY) == []


def test_missing_folders_are_made_for_the_first_file(tmp_path: Path) -> None:
    for name in ("x.csv", "y.csv"):
        publish(tmp_path / "a" / "b" / name)
    assert left_in(tmp_path / "a" / "b") == ["x.csv", "y.csv"]
