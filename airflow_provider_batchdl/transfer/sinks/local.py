"""Local files: a temporary file beside the target, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from dataclasses import replace

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.parallel.shelf import FileShelf
from airflow_provider_batchdl.transfer.sinks import ScatteredSink, folder, leftovers, partial
from airflow_provider_batchdl.transfer.sinks.errors import already_there, destination_error, ended, special_file
from airflow_provider_batchdl.transfer.sinks.writeback import Writeback
from airflow_provider_batchdl.transfer.state import Mark, boot_id

WORTH_KEEPING = 1 << 20
"""Bytes below which a file is sooner downloaded again than gone on with."""
SYNC_EVERY = 1 << 30
"""Bytes after which they are forced to the disk, to be gone on with after a crash of the machine."""
_REPLAYED = 1 << 20


class LocalSink(ScatteredSink):
    """A `Sink` for one local file.

    Bytes go to a partial file `.<name>.<key>.part` in the target's own folder, so the final rename stays on one file
    system and is atomic (POSIX `rename`). The folder is created where it is missing and left in place by `discard`:
    another task may be about to write into it.

    A symbolic link at the target is replaced by the new file, as `mv` does; the file it pointed to keeps its old
    content. Writing through it would change a file outside the folder the user named. Links among the parent
    folders are followed as usual. An existing file is replaced with a new one under the worker's umask: readers that
    have it open keep the old content, and its old mode and owner are not copied. A FIFO, a device or a socket is not
    replaced, nor is a link to one.

    With `create_only` the file is published by `link`, which never replaces. A file system without hard links is
    asked right before the rename instead, and a warning says so.

    A worker killed outright (SIGKILL) leaves its partial, and beside it, as `….part.json`, what `remember` was told
    (a file worth it only): `kept_sink` with the same key goes on with it. `publish` removes what other tries left for
    the same target (as `leftovers` finds them), and `transfer.sweep` removes the rest. A second writer with the same
    key, while the first is alive, gets a partial of its own, which nobody goes on with.

    Args:
        path: the target.
        uri: its address for people.
        expected_bytes: the whole size in bytes where it is known.
        key: names what is being written, in 16 hex digits; without one, nobody goes on with the partial.
        keep: leave what an earlier try wrote, for `go_on`.
        create_only: do not replace a file that is there at `publish`.
    """

    def __init__(
        self,
        path: str,
        uri: str,
        *,
        expected_bytes: int | None = None,
        key: str | None = None,
        keep: bool = False,
        create_only: bool = False,
    ) -> None:
        self.uri = uri
        self.written = 0
        self.mark: Mark | None = None
        self.landed: tuple[tuple[int, int], ...] = ()
        self._target = path
        self._create_only = create_only
        self._key = key
        self._folder, self._name = os.path.split(path)
        self._temporary = ""
        self._fd: int | None = None
        self._keyed = False
        self._writeback = Writeback()
        self._sealed: os.stat_result | None = None
        if not self._name or os.path.isdir(path):
            raise destination_error(uri, "write", IsADirectoryError(errno.EISDIR, "the destination is a folder"))
        if folder.is_special(path):
            raise special_file(uri)
        try:
            try:
                self._open(key, keep=keep, expected_bytes=expected_bytes)
            except FileNotFoundError:
                # Only now: it is there for all files of a folder but the first.
                os.makedirs(self._folder or ".", exist_ok=True)
                self._open(key, keep=keep, expected_bytes=expected_bytes)
        except OSError as error:
            self.discard()
            raise destination_error(uri, "create the file", error) from error

    def _open(self, key: str | None, *, keep: bool, expected_bytes: int | None) -> None:
        if expected_bytes is not None and expected_bytes >= WORTH_KEEPING:
            folder.check_space(self._folder, expected_bytes)
        if key is not None:
            path = partial.path_of(self._folder, self._name, key)
            self._fd = partial.lock(path)
            if self._fd is not None:
                self._temporary, self._keyed = path, True
                if not keep:
                    partial.remove_state(path)
                    if os.fstat(self._fd).st_size:
                        os.ftruncate(self._fd, 0)
        if self._fd is None:
            self._temporary, self._fd = partial.create(self._folder, self._name)

    def go_on(self) -> bool:
        """Keep what an earlier try left, as far as its note vouches for it. False where there is nothing to keep."""
        fd = self._descriptor()
        # Read again, under the lock: another process may have had the file since it was found.
        mark = Mark.from_json(partial.read_state(self._temporary)) if self._keyed else None
        with self._failing("go on with the partial file"):
            size = os.fstat(fd).st_size
            kept = mark.trusted(size) if mark else 0
            self.landed = mark.beyond(kept, size) if mark and kept else ()
            os.ftruncate(fd, self.landed[-1][1] if self.landed else kept)
            os.lseek(fd, kept, os.SEEK_SET)
            if mark and kept and mark.boot != boot_id():
                # What is kept was on the disk; what follows is this machine's.
                mark = replace(mark, durable=kept, boot=boot_id())
                partial.write_state(self._temporary, mark.to_json())
        self.written, self.mark, self._writeback = kept, mark, Writeback(kept)
        return kept > 0

    def replay(self) -> Iterator[bytes]:
        """All bytes so far, read back in pieces of at most 1 MiB."""
        fd, at = self._descriptor(), 0
        while at < self.written:
            with self._failing("read back"):
                piece = os.pread(fd, min(_REPLAYED, self.written - at), at)
                if not piece:
                    raise OSError(errno.EIO, "the partial file became shorter")
            at += len(piece)
            yield piece

    def is_worth_keeping(self, total: int) -> bool:
        """Whether `remember` would note anything."""
        return self._keyed and total >= WORTH_KEEPING

    def remember(self, mark: Mark) -> None:
        """Note beside the partial of which file it holds the first bytes, for a next try to go on with."""
        if self.is_worth_keeping(mark.total):
            with self._failing("write beside"):
                self.mark = replace(mark, target=self._name, durable=0, boot=boot_id())
                partial.write_state(self._temporary, self.mark.to_json())

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`. Raises `DestinationError` where the file system refuses it."""
        fd = self._descriptor()
        view = memoryview(data).cast("B")
        with self._failing("write"):
            while view:
                count = os.write(fd, view)
                self.written += count
                view = view[count:]
            if self.written >= self._writeback.due:
                self._writeback.follow(fd, self.written)
            if self.mark is not None and self.written - self.mark.durable >= SYNC_EVERY:
                os.fsync(fd)
                self.mark = replace(self.mark, durable=self.written, boot=boot_id())
                partial.write_state(self._temporary, self.mark.to_json())

    def shelf(self) -> FileShelf:
        """Lets several threads put bytes in their places; `reached` is to be told."""
        return FileShelf(self._descriptor())

    def reached(self, at: int, landed: tuple[tuple[int, int], ...]) -> None:
        """Say what is in place: all before `at`, and the intervals of `landed`. Noted for a next try."""
        fd = self._descriptor()
        self.written, self.landed = at, tuple(interval for interval in landed if interval[1] > at)
        with self._failing("write beside"):
            os.lseek(fd, at, os.SEEK_SET)
            if self.mark is not None:
                durable = self.mark.durable
                if at - durable >= SYNC_EVERY:
                    os.fsync(fd)
                    durable = at
                self.mark = replace(self.mark, landed=landed, durable=durable, boot=boot_id())
                partial.write_state(self._temporary, self.mark.to_json())

    def settle(self, at: int) -> None:
        """Keep only what begins the file, `at` bytes."""
        with self._failing("write beside"):
            # The file first: a note without intervals vouches for all bytes of it, and beyond `at` there are holes.
            os.ftruncate(self._descriptor(), at)
        self.reached(at, ())

    def restart(self) -> None:
        """Throw away all bytes so far; begin again at zero."""
        fd = self._descriptor()
        with self._failing("begin again"):
            # The note first: it must never stand beside another file's bytes.
            if self._keyed:
                partial.remove_state(self._temporary)
            os.ftruncate(fd, 0)
            os.lseek(fd, 0, os.SEEK_SET)
        self.written, self.mark, self.landed, self._writeback = 0, None, (), Writeback()

    def seal(self) -> None:
        """Flush to the disk; only the rename is left.

        The lock is held on, unless the process has so many files open that it may run out of descriptors.
        """
        fd = self._descriptor()
        with self._failing("flush"):
            if self._writeback.left(self.written):
                os.ftruncate(fd, self.written)
            os.fsync(fd)
            self._sealed = os.fstat(fd)
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            if 0 < limit // 2 <= fd:
                self._fd = None
                os.close(fd)

    def publish(self) -> None:
        """Flush to the disk, then rename onto the target. A local file has no ETag: returns None."""
        if self._sealed is None:
            self.seal()
        with self._failing("publish"):
            self._lock_again()
            if self.mark is not None:
                # Before the name is free for others: what is beside it then would be theirs.
                partial.remove_state(self._temporary)
            if self._create_only:
                self._create()
            elif folder.is_special(self._target):
                self.discard()
                raise special_file(self.uri)
            else:
                os.replace(self._temporary, self._target)
            self._close()
        folder.sync(self._folder)
        leftovers.remove_unused(self._folder, self._name, self._key)

    def discard(self) -> None:
        """Close and remove the partial file. Never raises; may be called again."""
        if self._fd is not None:
            # While the lock is held: afterwards the name may be another's.
            partial.remove(self._temporary)
        elif self._temporary:
            partial.remove_if_unused(self._temporary)
        self._close()

    def park(self) -> None:
        """Close, and leave the partial for a next try where it could go on with it; else `discard`. Never raises."""
        if self.mark is None:
            self.discard()
        self._close()
        leftovers.noticed(self._folder)

    def _close(self) -> None:
        fd, self._fd, self._temporary, self._sealed = self._fd, None, "", None
        if fd is not None:
            with contextlib.suppress(OSError):
                os.close(fd)

    def _lock_again(self) -> None:
        """Make sure that the sealed file is still ours, where its lock was given up."""
        if self._sealed is None:
            raise ended(self.uri)
        if self._fd is not None:
            return
        self._fd = partial.lock_unchanged(self._temporary, self._sealed)
        if self._fd is None:
            self._temporary = ""  # by now another's
            raise OSError(errno.EBUSY, "another process has taken the partial file")

    def _create(self) -> None:
        try:
            folder.rename_unless_taken(self._temporary, self._target)
        except FileExistsError:
            self.discard()
            raise already_there(self.uri) from None

    def _descriptor(self) -> int:
        if self._fd is None or self._sealed is not None:
            raise ended(self.uri)
        return self._fd

    @contextlib.contextmanager
    def _failing(self, doing: str) -> Iterator[None]:
        try:
            yield
        except DestinationError:
            raise
        except OSError as error:
            self.discard()
            raise destination_error(self.uri, doing, error) from error
