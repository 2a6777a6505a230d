"""The folder `.batchdl` of partials beside local files: when it is there, whose it is, and what else is in it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink, resumable_sink
from airflow_provider_batchdl.transfer.state import WORK_FOLDER, partial_key
from tests.transfer.conftest import left_in
from tests.transfer.partials import KEY, MIB, OTHER, begun, kept

RECORD = f"{WORK_FOLDER}/{'0123456789abcdef' * 2}.json"


def publish(path: Path, key: str | None = KEY) -> None:
    sink = LocalSink(str(path), str(path), expected_bytes=3, key=key)
    sink.write(b"abc")
    sink.publish()


def test_a_folder_of_results_is_never_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    listdir = os.listdir

    def listing(path: Any) -> list[str]:
        listed.append(Path(path).name)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", listing)
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # two hundred of them would be most of the test
    (tmp_path / RECORD).parent.mkdir()
    (tmp_path / RECORD).write_text("{}")  # so that the folder stays, and is listed
    for number in range(100):
        assert resumable_sink(f"{tmp_path}/", "", partial_key(number)) is None
        publish(tmp_path / f"{number}.csv", partial_key(number))
    assert set(listed) == {WORK_FOLDER}
    assert len(left_in(tmp_path)) == 101


def test_it_is_there_while_it_has_a_partial(tmp_path: Path) -> None:
    first, second = begun(tmp_path / "x.csv"), begun(tmp_path / "y.csv")
    assert [path.name for path in tmp_path.iterdir()] == [WORK_FOLDER]
    first.publish()
    assert (tmp_path / WORK_FOLDER).exists()
    second.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_records_of_jobs_stay(tmp_path: Path) -> None:
    (tmp_path / RECORD).parent.mkdir()
    publish(tmp_path / RECORD, None)  # as `write_small` does: its own partial is beside it, not one folder below
    begun(tmp_path / "x.csv").suspend()
    publish(tmp_path / "x.csv", OTHER)
    begun(tmp_path / "y.csv").discard()
    assert left_in(tmp_path) == [RECORD, "x.csv"]
    assert (tmp_path / RECORD).read_text() == "abc"


@pytest.mark.parametrize("key", [KEY, None])
def test_a_first_file_removes_what_earlier_tries_left(tmp_path: Path, key: str | None) -> None:
    (tmp_path / WORK_FOLDER).mkdir()
    for left in (f".x.csv.{OTHER}.part", f".x.csv.{'0' * 16}.part.json", f".y.csv.{OTHER}.part"):
        (tmp_path / WORK_FOLDER / left).touch()
    publish(tmp_path / "x.csv", key)
    assert left_in(tmp_path) == [f"{WORK_FOLDER}/.y.csv.{OTHER}.part", "x.csv"]


def test_what_a_live_writer_holds_stays(tmp_path: Path) -> None:
    live = LocalSink(str(tmp_path / "x.csv"), "x.csv", key=OTHER)
    live.write(b"live")
    publish(tmp_path / "x.csv")
    live.publish()
    assert (tmp_path / "x.csv").read_bytes() == b"live"


def test_missing_folders_are_made_for_the_first_file(tmp_path: Path) -> None:
    for name in ("x.csv", "y.csv"):
        publish(tmp_path / "a" / "b" / name)
    assert left_in(tmp_path) == ["a/b/x.csv", "a/b/y.csv"]


@pytest.mark.parametrize("whose", ["link", "another user's"])
def test_one_that_others_control_is_not_used(tmp_path: Path, whose: str) -> None:
    """Who owns the folder could put another file in the partial's place before it is published."""
    elsewhere, target = tmp_path / "elsewhere", tmp_path / "out/x.csv"
    for folder in (elsewhere, target.parent):
        folder.mkdir()
    if whose == "link":
        (target.parent / WORK_FOLDER).symlink_to(elsewhere)
    else:
        (target.parent / WORK_FOLDER).mkdir()
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder away")
        os.chown(target.parent / WORK_FOLDER, 12345, 12345)
    begun(target).suspend()
    assert left_in(tmp_path) == [f"out/.x.csv.{KEY}.part", f"out/.x.csv.{KEY}.part.json"]
    sink = kept(target)
    assert sink is not None
    assert sink.written == MIB
    sink.publish()
    assert left_in(tmp_path) == ["out/x.csv"]


def test_many_writers_that_come_and_go_do_not_take_it_from_each_other(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            for number in range(50):
                publish(tmp_path / f"{writer}-{number}.csv", partial_key(writer, number))
        except BaseException as error:  # noqa: BLE001  shown below
            errors.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(list(tmp_path.iterdir())) == 200


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_umask_for_files_takes_no_right_to_the_folder(tmp_path: Path) -> None:
    before = os.umask(0o137)
    try:
        publish(tmp_path / "x.csv")
    finally:
        os.umask(before)
    assert left_in(tmp_path) == ["x.csv"]
    assert (tmp_path / "x.csv").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_became_read_only_is_refused_before_a_byte_is_written(tmp_path: Path) -> None:
    begun(tmp_path / "x.csv").suspend()
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DestinationError, match="write permission"):
            LocalSink(str(tmp_path / "y.csv"), "y.csv", key=KEY)
    finally:
        tmp_path.chmod(0o700)
