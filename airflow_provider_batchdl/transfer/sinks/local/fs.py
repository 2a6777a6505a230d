"""Operations on a local file and its folder: what may be replaced, rename, fsync."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.transfer.sinks.errors import destination_error, special_file

log = get_logger(__name__)

FLUSH_EVERY = 8 << 20
"""Bytes after which `start_flush` is worth a call."""
_NO_FSYNC = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


def flush(fd: int) -> bool:
    """Flush a file to the disk. False where its file system has no such call (some shared folders and FUSE mounts)."""
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_FSYNC:
            raise
        return False
    return True


def start_flush(fd: int, start: int, end: int) -> int:
    """Start writing the bytes from `start` to `end` to the disk, in the background. Returns `end`; never raises.

    Left alone, Linux writes little before the final `fsync`, which then waits for all of it: 12 to 19 % of the time of
    1 GiB on ext4. `POSIX_FADV_DONTNEED` starts the writing (`generic_fadvise` in Linux's mm/fadvise.c).
    """
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(fd, start, end - start, os.POSIX_FADV_DONTNEED)
    return end


def rename_unless_taken(path: str, target: str) -> None:
    """Rename `path` to `target`. Raises `FileExistsError` where that exists, or `OSError`."""
    try:
        os.link(path, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        log.warning(
            "The file system has no hard links: a file that is created at %s right now would be overwritten", target
        )
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "it exists") from None
        os.replace(path, target)
        return
    with contextlib.suppress(OSError):  # it is published; whoever finds the other name removes it
        os.unlink(path)


def refuse_target(path: str, uri: str, *, is_folder: bool = False) -> None:
    """Refuse what no file can replace, or what is no folder where one is meant; nothing need be there.

    Raises:
        DestinationError: a FIFO, a device or a socket, or a link to one; a folder; with `is_folder`, anything else.
    """
    try:
        mode = os.stat(path).st_mode
    except UnicodeEncodeError as error:
        raise destination_error(uri, "write", error) from None
    except (OSError, ValueError):
        return  # nothing is there, or opening it raises what is wrong
    if is_folder:
        if not stat.S_ISDIR(mode):
            raise destination_error(uri, "write", NotADirectoryError(errno.ENOTDIR, "it is no folder"))
    elif stat.S_ISDIR(mode):
        raise destination_error(uri, "write", IsADirectoryError(errno.EISDIR, "the destination is a folder"))
    elif not stat.S_ISREG(mode):
        raise special_file(uri)


def sync(folder: str) -> None:
    """Flush the names in `folder` to the disk. Never raises: some network file systems refuse it.

    By then the result is visible and complete.
    """
    with contextlib.suppress(OSError):
        fd = os.open(folder or ".", os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
