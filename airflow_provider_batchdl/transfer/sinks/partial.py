"""Partial files on a local disk: their names, and the lock that says whose they are.

A partial `.<name>.<key>.part` has one writer, who holds an exclusive `flock` on it; the kernel drops the lock with
the process, however that ends. Whoever gets the lock may go on with the file or remove it. The lock counts only
while the name still leads to the locked file: a publication renames it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat

_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
STATE = ".json"
"""Added to a partial's name: the state beside it."""
DRAFT = STATE + ".new"
"""The same: a state that is being written."""
PARTIAL = re.compile(r"(?P<partial>\.(?P<name>.+)\.(?P<key>[0-9a-f]{16})\.part)(\.json(\.new)?)?", re.DOTALL)
"""Names of partials and of what is beside them."""
LARGEST_STATE = 64 << 10
_AFFIX = len(".") + len(".0123456789abcdef.part") + len(DRAFT)


def path_of(folder: str, name: str, key: str) -> str:
    """The partial of the file `name`; the name only helps a person to see whose it is, and is cut to fit 255 bytes."""
    return os.path.join(folder, f".{cut(name)}.{key}.part")


def lock(path: str) -> int | None:
    """The partial at `path`, created where it is missing, locked.

    Returns:
        A descriptor; None where another process has it, it is not this user's, or the file system has no locks.

    Raises:
        OSError: it cannot be created.
    """
    for _ in range(8):
        try:
            fd = os.open(path, _FLAGS | os.O_CREAT, 0o666)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.ELOOP):
                return None
            raise
        held = False
        try:
            if not _locked(fd):
                if not os.fstat(fd).st_size and not _locks_work(fd):
                    os.unlink(path)
                return None
            held = _is_ours(fd, path)
            if held:
                return fd
            if _is_second_name(path):
                os.unlink(path)
        finally:
            if not held:
                os.close(fd)
    return None


def lock_existing(path: str) -> int | None:
    """As `lock`, but None where nothing is at `path`."""
    try:
        fd = os.open(path, _FLAGS)
    except OSError:
        return None
    if _locked(fd) and _is_ours(fd, path):
        return fd
    os.close(fd)
    return None


def lock_unchanged(path: str, before: os.stat_result) -> int | None:
    """As `lock_existing`, but None where the file is another than `before`, or was written to since."""
    fd = lock_existing(path)
    if fd is None:
        return None
    now = os.fstat(fd)
    if (now.st_ino, now.st_size, now.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns):
        return fd
    os.close(fd)
    return None


def create(folder: str, name: str) -> tuple[str, int]:
    """A partial under a random name, which nobody goes on with. Raises `OSError`."""
    path = path_of(folder, name, secrets.token_hex(8))
    fd = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
    _locked(fd)
    return path, fd


def read_state(path: str) -> bytes:
    """The state beside the partial at `path`; empty where there is none."""
    try:
        fd = os.open(path + STATE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return b""
    with os.fdopen(fd, "rb") as file:
        return file.read(LARGEST_STATE) if os.fstat(fd).st_uid == os.geteuid() else b""


def write_state(path: str, data: bytes) -> None:
    """Replace the state beside the partial at `path`: a kill leaves the old one or the new. Raises `OSError`."""
    fd = os.open(path + DRAFT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
    os.replace(path + DRAFT, path + STATE)


def remove_state(path: str) -> None:
    """Remove the state beside the partial at `path`: without it the bytes mean nothing. Raises `OSError`."""
    for each in (path + STATE, path + DRAFT):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(each)


def remove(path: str) -> None:
    """Remove a partial and its state. Never raises."""
    for each in (path + STATE, path + DRAFT, path):
        with contextlib.suppress(OSError):
            os.unlink(each)


def remove_if_unused(path: str) -> bool:
    """Remove a partial unless a process holds it; its state alone if that is all there is. Never raises."""
    fd = lock_existing(path)
    if fd is not None or _is_second_name(path):
        remove(path)
    elif os.path.lexists(path):
        return False
    else:
        # Not what is at `path` by now: that is a writer's who has come meanwhile.
        with contextlib.suppress(OSError):
            remove_state(path)
    if fd is not None:
        os.close(fd)
    return True


def cut(name: str) -> str:
    """`name` as far as it stands in a partial's own."""
    return os.fsdecode(os.fsencode(name)[: 255 - _AFFIX])


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _locks_work(fd: int) -> bool:
    """Whether the file system has locks at all: another's is no failure of it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def _is_second_name(path: str) -> bool:
    """Whether a kill between the two steps of a create-only publication left this name: the result has the other."""
    with contextlib.suppress(OSError):
        status = os.lstat(path)
        return stat.S_ISREG(status.st_mode) and status.st_nlink > 1 and status.st_uid == os.geteuid()
    return False


def _is_ours(fd: int, path: str) -> bool:
    """Whether the locked file is still the one at `path`, has no other name, and is this user's."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_uid != os.geteuid():
        return False
    try:
        return os.path.samestat(status, os.lstat(path))
    except OSError:
        return False
