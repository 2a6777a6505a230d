"""What a local file needs of its folder: room before it is written, and its name once it is whole."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from airflow_provider_batchdl.redaction import get_logger

log = get_logger(__name__)

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


def check_space(folder: str, wanted: int) -> None:
    """Fail before 100 GB were fetched rather than after. Quotas are not seen here; writing meets those.

    Args:
        folder: an existing one; empty for the working folder.
        wanted: bytes.

    Raises:
        OSError: `ENOSPC`, so many are not free.
    """
    if not hasattr(os, "statvfs"):
        return
    space = os.statvfs(folder or ".")
    # Some network and FUSE file systems report nothing at all.
    if space.f_blocks and space.f_bavail * space.f_frsize < wanted:
        free = space.f_bavail * space.f_frsize
        raise OSError(errno.ENOSPC, f"{wanted} bytes are needed, {free} are free")


def rename_unless_taken(path: str, target: str) -> None:
    """Give the file at `path` the name `target` instead. Raises `FileExistsError` where that is taken, or `OSError`."""
    try:
        os.link(path, target)
        os.unlink(path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        log.warning("The file system has no hard links: a file that appears at %s in this moment is replaced.", target)
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "something is there") from None
        os.replace(path, target)


def is_special(path: str) -> bool:
    """Whether `path` leads to something that is neither a file nor a folder: a FIFO, a device, a socket."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def sync(folder: str) -> None:
    """Make the names in `folder` survive a power cut. Never raises: some network file systems refuse.

    By then the result is visible and whole.
    """
    with contextlib.suppress(OSError):
        fd = os.open(folder or ".", os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
