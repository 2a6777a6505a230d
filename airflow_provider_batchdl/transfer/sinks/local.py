"""Local files: a temporary file beside the target, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator

from airflow_provider_batchdl.transfer.sinks.errors import destination_error, ended

_CREATE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_AFFIX = len(".") + len(".0123456789abcdef.part")


class LocalSink:
    """A `Sink` for one local file.

    Bytes go to `.<name>.<random>.part` in the target's own folder, so the final rename stays on one file system and
    is atomic (POSIX `rename`). The folder is created where it is missing and left in place by `discard`: another
    task may be about to write into it.

    A symbolic link at the target is replaced by the new file, as `mv` does; the file it pointed to keeps its old
    content. Writing through it would change a file outside the folder the user named. Links among the parent
    folders are followed as usual. An existing file is replaced with a new one under the worker's umask: readers that
    have it open keep the old content, and its old mode and owner are not copied.

    A worker killed outright (SIGKILL) leaves its `.part` file; it is never mistaken for a result and may be deleted.
    """

    def __init__(self, path: str, uri: str, *, expected_bytes: int | None = None) -> None:
        self.uri = uri
        self.written = 0
        self._target = path
        self._folder, name = os.path.split(path)
        if not name or os.path.isdir(path):
            raise destination_error(uri, "write", IsADirectoryError(errno.EISDIR, "the destination is a folder"))
        # The name only helps a person to see whose the file is; it is cut where the whole would pass 255 bytes.
        stem = os.fsdecode(os.fsencode(name)[: 255 - _AFFIX])
        self._temporary = os.path.join(self._folder, f".{stem}.{secrets.token_hex(8)}.part")
        self._fd: int | None = None
        self._sealed = False
        try:
            os.makedirs(self._folder or ".", exist_ok=True)
            self._check_space(expected_bytes)
            self._fd = os.open(self._temporary, _CREATE, 0o666)
        except OSError as error:
            raise destination_error(uri, "create the file", error) from error

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`. Raises `DestinationError` where the file system refuses it."""
        fd = self._descriptor()
        view = memoryview(data).cast("B")
        with self._failing("write"):
            while view:
                count = os.write(fd, view)
                self.written += count
                view = view[count:]

    def restart(self) -> None:
        """Throw away all bytes so far; begin again at zero."""
        fd = self._descriptor()
        with self._failing("begin again"):
            os.ftruncate(fd, 0)
            os.lseek(fd, 0, os.SEEK_SET)
        self.written = 0

    def seal(self) -> None:
        """Flush to the disk and close; only the rename is left."""
        fd = self._descriptor()
        with self._failing("flush"):
            os.fsync(fd)
            self._fd = None
            os.close(fd)
        self._sealed = True

    def publish(self) -> None:
        """Flush to the disk, then rename onto the target. A local file has no ETag: returns None."""
        if not self._sealed:
            self.seal()
        self._sealed = False
        with self._failing("publish"):
            os.replace(self._temporary, self._target)
        # From here the result is visible and whole; a folder that cannot be synced (some network file systems
        # refuse) only means that the rename may not survive a power cut.
        with contextlib.suppress(OSError):
            folder = os.open(self._folder or ".", os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        """Close and remove the temporary file. Never raises; may be called again."""
        fd, self._fd, self._sealed = self._fd, None, False
        if fd is not None:
            with contextlib.suppress(OSError):
                os.close(fd)
        with contextlib.suppress(OSError):
            os.unlink(self._temporary)

    def _descriptor(self) -> int:
        if self._fd is None:
            raise ended(self.uri)
        return self._fd

    @contextlib.contextmanager
    def _failing(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.discard()
            raise destination_error(self.uri, doing, error) from error

    def _check_space(self, expected_bytes: int | None) -> None:
        """Fail before 100 GB were fetched rather than after. Quotas are not seen here; `write` meets those."""
        if not expected_bytes or not hasattr(os, "statvfs"):
            return
        space = os.statvfs(self._folder or ".")
        # Some network and FUSE file systems report nothing at all.
        if space.f_blocks and space.f_bavail * space.f_frsize < expected_bytes:
            free = space.f_bavail * space.f_frsize
            raise OSError(errno.ENOSPC, f"{expected_bytes} bytes are needed, {free} are free")
