"""A sweep removes what stopped downloads left, once it is old and nobody uses it."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.cleanup import sweep
from airflow_provider_batchdl.transfer.sinks.factory import open_sink
from airflow_provider_batchdl.transfer.state import WORK_FOLDER
from tests.transfer.conftest import left_in
from tests.transfer.partials import KEY, OTHER, begun


def test_removes_what_is_old_and_unused(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    begun(tmp_path / "sub/old.csv").suspend()
    begun(tmp_path / "new.csv", key=OTHER).suspend()
    running = begun(tmp_path / "running.csv")
    for path in [*tmp_path.glob(f"sub/{WORK_FOLDER}/.*"), *tmp_path.glob(f"{WORK_FOLDER}/.running*")]:
        os.utime(path, (0, 0))
    (tmp_path / "result.csv").write_text("whole")
    os.utime(tmp_path / "result.csv", (0, 0))
    fs = fsspec.filesystem("file")
    assert sweep(fs, str(tmp_path)) == [str(tmp_path / f"sub/{WORK_FOLDER}/.old.csv.{KEY}.part")]
    assert not list((tmp_path / "sub").iterdir())
    assert len(left_in(tmp_path)) == 5
    running.publish()
    assert len(sweep(fs, f"{tmp_path}/", older_than=timedelta(seconds=-60))) == 1
    assert left_in(tmp_path) == ["result.csv", "running.csv"]


def test_other_stores() -> None:
    fs = fsspec.filesystem("memory")
    sink = open_sink(fs, "/sweep/x.csv", "memory://sweep/x.csv")
    sink.write(bytes(3 << 20))
    sink.finalize()
    fs.pipe_file("/sweep/kept.csv", b"1")
    assert sweep(fs, "/sweep") == []
    assert len(sweep(fs, "/sweep", older_than=timedelta(seconds=-60))) == 1
    assert fs.find("/sweep") == ["/sweep/kept.csv"]
    fs.rm("/sweep", recursive=True)


def test_records_of_jobs_go_after_a_month(tmp_path: Path) -> None:
    """Before Airflow 3.3 a retry reconnects by them, and a job may take longer than a day."""
    name = "0123456789abcdef" * 2 + ".json"
    (tmp_path / "out/.batchdl").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    days = {
        "out/.batchdl/" + name: 40,
        "out/.batchdl/f" + name[1:]: 20,
        "out/.batchdl/mine.json": 40,
        "other/" + name: 40,
    }
    for path, age in days.items():
        (tmp_path / path).write_text("{}")
        then = time.time() - age * 86_400
        os.utime(tmp_path / path, (then, then))
    fs = fsspec.filesystem("file")
    assert sweep(fs, str(tmp_path)) == [str(tmp_path / "out/.batchdl" / name)]
    assert len(sweep(fs, str(tmp_path), records_older_than=timedelta(days=10))) == 1


def test_records_in_other_stores() -> None:
    fs, name = fsspec.filesystem("memory"), "0123456789abcdef" * 2 + ".json"
    fs.pipe_file(f"/records/.batchdl/{name}", b"{}")
    fs.pipe_file(f"/records/{name}", b"{}")
    assert sweep(fs, "/records", older_than=timedelta(seconds=-60)) == []
    assert sweep(fs, "/records", records_older_than=timedelta(seconds=-60)) == [f"/records/.batchdl/{name}"]
    fs.rm("/records", recursive=True)


class Refusing(MemoryFileSystem):  # type: ignore[misc]
    """A store that does not let one object be removed, and in which another one vanishes."""

    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    def rm_file(self, path: str) -> None:
        if "locked" in path:
            raise PermissionError("Object is WORM protected and cannot be overwritten")
        super().rm_file(path)

    def modified(self, path: str) -> Any:
        if "ended" in path:
            raise FileNotFoundError(path)
        return super().modified(path)


def test_one_that_cannot_be_removed_does_not_keep_the_others() -> None:
    fs = Refusing()
    for name in ("a", "ended", "locked", "z"):
        fs.pipe_file(f"/folder/.{name}.{KEY}.part", b"1")
    with pytest.raises(DestinationError, match=r"\.locked\..*WORM protected"):
        sweep(fs, "/folder", older_than=timedelta(seconds=-60))
    assert fs.find("/folder") == [f"/folder/.{name}.{KEY}.part" for name in ("ended", "locked")]
    fs.store.clear()
