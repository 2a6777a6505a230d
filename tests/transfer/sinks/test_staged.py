"""Any fsspec store without a sink of its own: a sibling object, then a move."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import fsspec
import pytest
from fsspec.implementations.dirfs import DirFileSystem

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.errors import clean
from airflow_provider_batchdl.transfer.sinks.factory import open_sink, write_small
from airflow_provider_batchdl.transfer.sinks.staged import StagedSink

LARGE = b"x" * (3 << 20)
"""More than is held back until it is published."""


def test_clean_hides_secrets() -> None:
    text = clean("s3://key:secret@b/x failed: https://h.example/a?sig=abc&se=1 and 'http://h/b?x=y'")
    assert text == "s3://key:***@b/x failed: https://h.example/a?*** and 'http://h/b?***'"


class TestOtherStores:
    @pytest.fixture(params=["memory", "dirfs"])
    def fs(self, request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Any]:
        if request.param == "dirfs":
            yield DirFileSystem(str(tmp_path), fsspec.filesystem("file"))
            return
        memory = fsspec.filesystem("memory")
        root = f"/{uuid.uuid4().hex}"
        yield DirFileSystemByPrefix(memory, root)
        memory.rm(root, recursive=True) if memory.exists(root) else None

    def test_whole_or_nothing(self, fs: Any) -> None:
        for hello in (b"hello ", LARGE):
            sink = open_sink(fs, "a/x.csv", "any://a/x.csv")
            sink.write(hello)
            sink.write(memoryview(b"world"))
            assert not fs.exists("a/x.csv")
            sink.finalize()
            assert not fs.exists("a/x.csv")
            sink.publish()
            sink.discard()
            assert fs.cat_file("a/x.csv") == hello + b"world"
            fs.rm_file("a/x.csv")
        write_small(fs, "a/x.csv", "any://a/x.csv", b"")
        assert fs.cat_file("a/x.csv") == b""
        assert [name.rpartition("/")[2] for name in fs.ls("a", detail=False)] == ["x.csv"]

    def test_overwrites(self, fs: Any) -> None:
        write_small(fs, "a/[x]*.csv", "any://a", b"old, longer")
        write_small(fs, "a/[x]*.csv", "any://a", b"new")
        assert fs.cat_file("a/[x]*.csv") == b"new"

    @pytest.mark.parametrize("finalized", [False, True])
    def test_discard_and_restart(self, fs: Any, finalized: bool) -> None:
        sink = open_sink(fs, "a/x.csv", "any://a/x.csv")
        sink.write(LARGE)
        sink.restart()
        assert sink.written == 0
        sink.write(LARGE)
        if finalized:
            sink.finalize()
        sink.discard()
        sink.discard()
        assert fs.ls("a", detail=False) == []
        with pytest.raises(DestinationError):
            sink.publish()

    def test_a_short_object_is_not_published(self, fs: Any) -> None:
        sink = open_sink(fs, "a/x.csv", "any://a/x.csv")
        assert isinstance(sink, StagedSink)
        assert sink._upload is not None
        sink._upload._written = 1
        sink.write(b"one")
        with pytest.raises(DestinationError, match="3 of 4 bytes"):
            sink.publish()
        assert fs.ls("a", detail=False) == []

    def test_no_object_named(self, fs: Any) -> None:
        with pytest.raises(DestinationError, match="names no object"):
            open_sink(fs, "a/", "any://a/")

    def test_a_store_that_removes_without_rm_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As adlfs 2025.8 does, which has only `rm`."""
        memory, root = fsspec.filesystem("memory"), f"/{uuid.uuid4().hex}"
        fs = DirFileSystemByPrefix(memory, root)
        remove = type(fs).rm_file

        def refuse(self: Any, path: str) -> None:
            raise NotImplementedError

        monkeypatch.setattr(type(fs), "rm_file", refuse)
        monkeypatch.setattr(type(fs), "rm", lambda self, path, **_: remove(self, path))
        sink = open_sink(fs, "a/x.csv", "any://a/x.csv")
        sink.write(LARGE)
        sink.discard()
        assert fs.ls("a", detail=False) == []
        write_small(fs, "a/x.csv", "any://a/x.csv", b"two")
        assert [name.rpartition("/")[2] for name in fs.ls("a", detail=False)] == ["x.csv"]
        memory.rm(root, recursive=True)


class DirFileSystemByPrefix:
    """A memory file system under a prefix, without a move of its own (`DirFileSystem` has one)."""

    def __new__(cls, fs: Any, root: str) -> Any:
        from fsspec.spec import AbstractFileSystem

        class Prefixed(AbstractFileSystem):  # type: ignore[misc]
            cachable = False

            def _at(self, path: str) -> str:
                return f"{root}/{path.strip('/')}"

            def _open(self, path: str, mode: str = "rb", **_: Any) -> Any:
                return fs.open(self._at(path), mode)

            def makedirs(self, path: str, exist_ok: bool = False) -> None:
                fs.makedirs(self._at(path), exist_ok=exist_ok)

            def info(self, path: str, **_: Any) -> Any:
                return fs.info(self._at(path))

            def ls(self, path: str, detail: bool = True, **_: Any) -> Any:
                return fs.ls(self._at(path), detail=detail)

            def cp_file(self, path1: str, path2: str, **_: Any) -> None:
                fs.cp_file(self._at(path1), self._at(path2))

            def rm_file(self, path: str) -> None:
                fs.rm_file(self._at(path))

        return Prefixed()
