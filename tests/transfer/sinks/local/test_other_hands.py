"""A partial that others touch while its writer is alive: what is published is what was written, or nothing is."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import fsspec
import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.cleanup import sweep
from airflow_provider_batchdl.transfer.sinks.local import partial
from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink
from airflow_provider_batchdl.transfer.state import WORK_FOLDER, PartialRecord
from tests.transfer.conftest import left_in
from tests.transfer.partials import KEY, MIB, RECORD, begun


def removed(path: Path) -> None:
    """Somebody cleans the work folder while the writer is alive."""
    for each in (path.parent / WORK_FOLDER).iterdir():
        each.unlink()


def test_another_writers_half_is_not_published_under_the_name_of_a_partial_that_was_removed(tmp_path: Path) -> None:
    """A try that Airflow has given up lives on; somebody cleans up; the next try has the same name for its partial."""
    target = tmp_path / "x.csv"
    first = begun(target, b"1" * 4 * MIB)
    first.finalize()
    removed(target)
    second = begun(target, b"2" * MIB)
    with pytest.raises(DestinationError, match="removed or replaced") as caught:
        first.publish()
    assert caught.value.retryable
    assert "in the meantime" in str(caught.value)
    assert not target.exists()
    second.write(b"3" * MIB)
    second.publish()
    assert target.read_bytes() == b"2" * MIB + b"3" * MIB
    assert left_in(tmp_path) == ["x.csv"]


def test_a_record_is_not_written_beside_another_writers_bytes(tmp_path: Path) -> None:
    target = tmp_path / "x.csv"
    first = begun(target)
    removed(target)
    second = begun(target, b"2" * MIB)
    theirs = partial.read_state(second._temporary)
    with pytest.raises(DestinationError, match="removed or replaced"):
        first.record_progress(MIB, ((2 * MIB, 3 * MIB),))
    assert partial.read_state(second._temporary) == theirs
    second.publish()
    assert left_in(tmp_path) == ["x.csv"]


def test_a_partial_that_is_gone_ends_the_try_and_leaves_nothing(tmp_path: Path) -> None:
    sink = begun(tmp_path / "x.csv")
    (tmp_path / WORK_FOLDER / f".x.csv.{KEY}.part").unlink()
    with pytest.raises(DestinationError, match="removed or replaced"):
        sink.publish()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("recorded", [False, True])
def test_a_folder_that_is_gone_is_said_with_what_to_do(tmp_path: Path, recorded: bool) -> None:
    folder = tmp_path / "folder"
    sink = LocalSink(str(folder / "x.csv"), "x.csv", key=KEY if recorded else None)
    sink.write(b"1")
    folder.rename(tmp_path / "other")
    with pytest.raises(DestinationError, match="in the meantime") as caught:
        sink.publish()
    assert caught.value.retryable
    assert "bucket" not in str(caught.value)
    assert not folder.exists()


def test_a_backup_by_hard_links_makes_no_partial_a_leftover(tmp_path: Path) -> None:
    """`cp -al` of a folder gives a partial a second name, as a kill at the end of a publication does."""
    sink = begun(tmp_path / "x.csv")
    os.link(tmp_path / WORK_FOLDER / f".x.csv.{KEY}.part", tmp_path / "backup")
    begun(tmp_path / "x.csv", b"2" * MIB, key="f" * 16).publish()
    assert sweep(fsspec.filesystem("file"), str(tmp_path), older_than=timedelta(seconds=-60)) == []
    sink.publish()
    assert (tmp_path / "x.csv").read_bytes() == b"x" * MIB


def test_what_is_published_is_no_failure_because_its_other_name_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Create-only publishes by a link, and then removes the name of the partial."""
    link = os.link

    def link_and_lose(source: str, target: str) -> None:
        link(source, target)
        Path(source).unlink()

    monkeypatch.setattr(os, "link", link_and_lose)
    begun(tmp_path / "x.csv", create_only=True).publish()
    assert left_in(tmp_path) == ["x.csv"]


@pytest.mark.parametrize("link", ["gone", "link"])
def test_a_link_in_the_path_that_leads_nowhere_is_said(tmp_path: Path, link: str) -> None:
    (tmp_path / "link").symlink_to(link)
    with pytest.raises(DestinationError, match=r"link in the (destination's )?path") as caught:
        LocalSink(str(tmp_path / "link/x.csv"), "x.csv")
    assert caught.value.retryable == (link == "gone")  # it may be a file system that is not mounted yet


@pytest.mark.parametrize("name", ["é" * 200, "🎉" * 62 + ".csv", "日" * 75], ids=["two", "four", "three"])
def test_a_name_is_cut_between_characters(tmp_path: Path, name: str) -> None:
    shown = partial.cut(name)
    assert name.startswith(shown)
    shown.encode()
    assert 255 - 4 <= len(partial.path_of("", name, KEY).encode()) + len(partial.DRAFT) <= 255


def test_a_record_of_a_long_name_is_found(tmp_path: Path) -> None:
    name = "é" * 112
    sink = LocalSink(str(tmp_path / name), name, key=KEY)
    sink.remember(PartialRecord(RECORD.validator, 4 * MIB, name))
    sink.write(b"1" * MIB)
    sink.suspend()
    [found] = partial.find(str(tmp_path / WORK_FOLDER), key=None, name=name)
    assert partial.remove_if_unused(found)
