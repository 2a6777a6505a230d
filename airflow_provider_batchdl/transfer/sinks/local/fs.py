"""Operations on the folder of a local file: free space, rename, fsync."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from airflow_provider_batchdl._redaction.redactor import get_logger

log = get_logger(__name__)

FLUSH_EVERY = 8 << 20
"""Bytes after which `start_flush` is worth a call."""
_NO_FSYNC = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


def check_space(folder: str, wanted: int) -> None:
    """Check the free space before a download. Quotas are not visible here; writing meets those.

    Args:
        folder: an existing one; empty for the working folder.
        wanted: bytes.

    Raises:
        OSError: `ENOSPC`, fewer are free.
    """
    if not hasattr(os, "statvfs"):
        return
    space = os.statvfs(folder or ".")
    # Some network and FUSE file systems report nothing at all.
    if space.f_blocks and space.f_bavail * space.f_frsize < wanted:
        free = space.f_bavail * space.f_frsize
        raise OSError(errno.ENOSPC, f"{wanted} bytes are needed, {free} are free")


def flush(fd: int) -> bool:
    """Flush a file to the disk. False where its file system has no such call (some shared folders and FUSE mounts).

    Raises:
        OSError: the disk refused.
    """
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


def mode_of(path: str) -> int:
    """`st_mode` of what is at `path`, or what it links to; 0 where nothing is."""
    try:
        return os.stat(path).st_mode
    except (OSError, ValueError):
        return 0


def is_folder(mode: int) -> bool:
    """True for the mode of a folder."""
    return stat.S_ISDIR(mode)


def is_special(mode: int) -> bool:
    """True for the mode of a FIFO, a device or a socket."""
    return bool(mode) and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


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
