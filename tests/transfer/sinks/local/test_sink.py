"""Local files: whole or not there, and nothing beside them."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.base import Sink
from airflow_provider_batchdl.transfer.sinks.factory import open_sink, write_small


@pytest.fixture
def fs() -> Any:
    return fsspec.filesystem("file")


def opened(fs: Any, path: Path, **hints: Any) -> Sink:
    return open_sink(fs, str(path), f"file://{path}", **hints)


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.binary(max_size=2000), max_size=8))
def test_exact_bytes(fs: Any, tmp_path: Path, chunks: list[bytes]) -> None:
    target = tmp_path / "a" / "b" / "x.bin"
    target.unlink(missing_ok=True)
    sink = opened(fs, target)
    for number, chunk in enumerate(chunks):
        sink.write(memoryview(chunk) if number % 2 else chunk)
    assert sink.written == sum(map(len, chunks))
    assert not target.exists()
    assert sink.publish() is None
    assert target.read_bytes() == b"".join(chunks)
    assert everything(tmp_path) == ["a", "a/b", "a/b/x.bin"]


def test_restart_and_seal(fs: Any, tmp_path: Path) -> None:
    sink = opened(fs, tmp_path / "x", expected_bytes=3)
    sink.write(b"a long first try")
    sink.restart()
    assert sink.written == 0
    sink.write(b"end")
    sink.finalize()
    assert not (tmp_path / "x").exists()
    with pytest.raises(DestinationError):
        sink.write(b"more")
    sink.publish()
    assert (tmp_path / "x").read_bytes() == b"end"


@pytest.mark.parametrize("sealed", [False, True])
def test_discard_keeps_the_old_file_and_leaves_nothing(fs: Any, tmp_path: Path, sealed: bool) -> None:
    (tmp_path / "x").write_text("old")
    sink = opened(fs, tmp_path / "x")
    sink.write(b"new")
    if sealed:
        sink.finalize()
    sink.discard()
    sink.discard()
    assert everything(tmp_path) == ["x"]
    assert (tmp_path / "x").read_text() == "old"
    for use in (sink.publish, sink.restart, sink.finalize):
        with pytest.raises(DestinationError, match="already published or discarded"):
            use()


def test_discard_after_publish_keeps_the_file(fs: Any, tmp_path: Path) -> None:
    sink = opened(fs, tmp_path / "x")
    sink.publish()
    sink.discard()
    assert (tmp_path / "x").read_bytes() == b""


def test_mode_follows_the_umask(fs: Any, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        sink = opened(fs, tmp_path / "x")
        sink.publish()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


def test_a_link_is_replaced_not_followed(fs: Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("untouched")
    (tmp_path / "x").symlink_to(tmp_path / "elsewhere")
    write_small(fs, str(tmp_path / "x"), "x", b"new")
    assert not (tmp_path / "x").is_symlink()
    assert (tmp_path / "x").read_text() == "new"
    assert (tmp_path / "elsewhere").read_text() == "untouched"


def test_names_of_any_length_the_file_system_takes(fs: Any, tmp_path: Path) -> None:
    name = "ü" * 127 + "x"
    write_small(fs, str(tmp_path / name), "x", b"1")
    assert everything(tmp_path) == [name]
    with pytest.raises(DestinationError, match="Shorten"):
        write_small(fs, str(tmp_path / (name + "y")), "x", b"1")
    assert everything(tmp_path) == [name]


def test_a_folder_is_no_destination(fs: Any, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(DestinationError, match="folder"):
        opened(fs, tmp_path / "x")
    # Another process makes the folder while we download.
    sink = opened(fs, tmp_path / "y")
    (tmp_path / "y").mkdir()
    with pytest.raises(DestinationError, match="folder"):
        sink.publish()
    assert everything(tmp_path) == ["x", "y"]


def test_a_file_in_the_way_of_a_folder(fs: Any, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(DestinationError, match="cannot create"):
        opened(fs, tmp_path / "x" / "y")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(fs: Any, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DestinationError, match="write permission"):
            opened(fs, tmp_path / "x")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_refused_folder(fs: Any, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DestinationError, match="choose another destination") as caught:
        opened(fs, tmp_path / "x")
    assert not caught.value.retryable
    assert everything(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up(fs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = opened(fs, tmp_path / "x")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, sink._fd)  # type: ignore[attr-defined]
    os.close(full)
    with pytest.raises(DestinationError, match="Free some space") as caught:
        sink.write(b"x" * 10)
    assert str(tmp_path / "x") in str(caught.value)
    assert caught.value.retryable  # room may have been made by the next try
    assert everything(tmp_path) == []


def test_a_disk_too_small_from_the_start(fs: Any, tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match="Free some space"):
        opened(fs, tmp_path / "x", expected_bytes=1 << 60)
    assert everything(tmp_path) == []


def test_a_failing_fsync(fs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = opened(fs, tmp_path / "x")

    def refuse(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DestinationError):
        sink.publish()
    assert everything(tmp_path) == []


@pytest.mark.parametrize("system", ["as it is", "refuses", "lacks it"])
def test_a_large_file_is_the_same_whether_the_system_can_start_flushing_it_or_not(
    fs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    if system == "refuses":
        monkeypatch.setattr(os, "posix_fadvise", refuse, raising=False)
    elif system == "lacks it":
        monkeypatch.delattr(os, "posix_fadvise", raising=False)
    piece = os.urandom(3 << 20)
    sink = opened(fs, tmp_path / "x", expected_bytes=21 << 20)
    for _ in range(7):  # more than two flushes
        sink.write(piece)
    sink.restart()
    for _ in range(7):
        sink.write(piece)
    sink.publish()
    assert (tmp_path / "x").read_bytes() == piece * 7


def test_file_addresses(fs: Any, tmp_path: Path) -> None:
    write_small(fs, f"file://{tmp_path}/x y", "x", b"1")
    assert everything(tmp_path) == ["x y"]


@pytest.mark.parametrize("link", [False, True])
def test_a_pipe_is_neither_replaced_nor_written_to(tmp_path: Path, link: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    target = tmp_path / ("link" if link else "pipe")
    if link:
        target.symlink_to("pipe")
    with pytest.raises(DestinationError, match="FIFO") as caught:
        open_sink(fsspec.filesystem("file"), str(target), str(target))
    assert not caught.value.retryable
    assert (tmp_path / "pipe").is_fifo()


def test_a_pipe_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "x"
    sink = open_sink(fsspec.filesystem("file"), str(target), str(target))
    sink.write(b"1")
    os.mkfifo(target)
    with pytest.raises(DestinationError, match="FIFO"):
        sink.publish()
    assert target.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(
    "number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EIO, errno.ENOSPC, errno.EDQUOT]
)
def test_a_file_system_without_fsync(fs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Folders that a virtual machine shares, and some of FUSE, have no such call. What a disk refuses is an error."""

    def refuse(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    sink = opened(fs, tmp_path / "x")
    sink.write(b"1")
    if number in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        sink.publish()
        assert everything(tmp_path) == ["x"]
    else:
        with pytest.raises(DestinationError, match="cannot flush"):
            sink.publish()
        assert everything(tmp_path) == []


IN_ASCII = """
import sys
import fsspec
from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.probe import refuse_unusable
from airflow_provider_batchdl.transfer.sinks.factory import open_sink
fs, path = fsspec.filesystem("file"), sys.argv[1] + "/\\u043e\\u0442\\u0447\\u0451\\u0442.csv"
for step in (lambda: open_sink(fs, path, path), lambda: refuse_unusable(Destination(fs, path, path))):
    try:
        step()
    except DestinationError as error:
        print(error.retryable, "locale" in error.message, "UTF-8" in error.remedy)
"""


def test_a_worker_whose_locale_lacks_the_letters_of_a_name(tmp_path: Path) -> None:
    plain = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    environment = {**plain, "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", IN_ASCII, tmp_path], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["False True True"] * 2, done.stderr
    assert everything(tmp_path) == []
