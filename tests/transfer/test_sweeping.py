"""A sweep removes what stopped downloads left, once it is old and nobody uses it."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import fsspec

from airflow_provider_batchdl.transfer.sinks import open_sink
from airflow_provider_batchdl.transfer.sweeping import sweep
from tests.transfer.conftest import left_in
from tests.transfer.partials import KEY, OTHER, begun


def test_removes_what_is_old_and_unused(tmp_path: Path) -> None:
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


def test_other_stores() -> None:
    fs = fsspec.filesystem("memory")
    sink = open_sink(fs, "/sweep/x.csv", "memory://sweep/x.csv")
    sink.write(b"1")
    sink.seal()
    fs.pipe_file("/sweep/kept.csv", b"1")
    assert sweep(fs, "/sweep") == []
    assert len(sweep(fs, "/sweep", older_than=timedelta(seconds=-60))) == 1
    assert fs.find("/sweep") == ["/sweep/kept.csv"]
    fs.rm("/sweep", recursive=True)
