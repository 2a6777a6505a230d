"""Partial files on a local disk: their folder, their names, and the lock that says whose they are.

The partials of a folder's files are in its subfolder `.batchdl`, which is removed when it is empty: on the same file
system, so that a rename publishes them, and found without listing the folder's files, of which there may be thousands.

A partial `.<name>.<key>.part` has one writer, who holds an exclusive `flock` on it; the kernel drops the lock with
the process, however that ends. Whoever gets the lock may resume or remove the file. The lock counts only while the name
still leads to the locked file: publishing renames it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat

from airflow_provider_batchdl.transfer.state import WORK_FOLDER

_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
STATE = ".json"
"""Suffix of the record beside a partial."""
DRAFT = STATE + ".new"
"""Suffix of a record that is being written."""
PARTIAL = re.compile(r"(?P<partial>\.(?P<name>.+)\.(?P<key>[0-9a-f]{16})\.part)(\.json(\.new)?)?", re.DOTALL)
"""Names of partials and of their records."""
LARGEST_STATE = 64 << 10
_VERSION = ("st_ino", "st_size", "st_mtime_ns")
_AFFIX = len(".") + len(".0123456789abcdef.part") + len(DRAFT)


def work_folder(folder: str) -> str:
    """The folder of the partials of `folder`: its `.batchdl`, if that is a folder of this user, else `folder` itself.

    Whoever owns the folder of a partial could replace the partial.
    """
    path = os.path.join(folder, WORK_FOLDER)
    if os.path.basename(folder) == WORK_FOLDER:
        return folder
    try:
        status = os.lstat(path)
    except OSError:
        return path
    return path if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() else folder


def make_work_folder(folder: str) -> str:
    """As `work_folder`, created if it does not exist. Raises `OSError` where `folder` cannot be written to."""
    if os.path.basename(folder) == WORK_FOLDER:
        return folder
    path = os.path.join(folder, WORK_FOLDER)
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.access(folder or ".", os.W_OK | os.X_OK):  # publishing would fail
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder) from None
        return work_folder(folder)
    if not os.access(path, os.W_OK | os.X_OK):  # the umask is one for files: 0137
        os.chmod(path, stat.S_IRWXU)
    return path


def remove_work_folder(path: str) -> bool:
    """Remove the `.batchdl` at `path` if it is empty. Returns whether it did; never raises."""
    if os.path.basename(path) == WORK_FOLDER:
        with contextlib.suppress(OSError):
            os.rmdir(path)
            return True
    return False


def path_of(folder: str, name: str, key: str) -> str:
    """The partial in `folder` of the file `name`, which is cut to fit 255 bytes: it only helps people."""
    return os.path.join(folder, f".{cut(name)}.{key}.part")


def find(folder: str, *, key: str | None, name: str | None = None) -> list[str]:
    """The partials in `folder` of `key` or of the file `name`, also those of which only the record is left."""
    try:
        matches = [PARTIAL.fullmatch(each) for each in os.listdir(folder or ".")]
    except OSError:
        return []
    shown = None if name is None else cut(name)
    found = {match["partial"] for match in matches if match and (match["key"] == key or match["name"] == shown)}
    return [os.path.join(folder, each) for each in sorted(found)]


def remove_unused(folder: str, name: str, key: str | None) -> None:
    """Remove the partials of the file `name`, and those of `key`, that no process holds. Never raises.

    A killed try may have known the file by another name, since the name can be the response's.
    """
    for path in find(folder, key=key, name=name):
        remove_if_unused(path)


def check_room(folder: str, name: str, key: str | None, wanted: int) -> None:
    """Check the space for so many bytes of the file `name`; what killed tries left of it is removed if it is needed.

    Quotas are not visible here; writing meets those.

    Raises:
        OSError: `ENOSPC`, fewer are free.
    """
    for clean_up in (True, False):
        space = os.statvfs(folder or ".")
        free = space.f_bavail * space.f_frsize
        if free >= wanted or not space.f_blocks:  # some network and FUSE file systems report nothing at all
            return
        if clean_up:
            remove_unused(folder, name, key)
        else:
            raise OSError(errno.ENOSPC, f"{wanted} bytes are needed, {free} are free")


def lock(path: str) -> int | None:
    """Lock the partial at `path`, created where it is missing. Raises `OSError` where it cannot be created.

    Returns:
        A descriptor; None where another process has it, it is not this user's, or the file system has no locks.
    """
    for _ in range(8):
        try:
            fd = os.open(path, _FLAGS | os.O_CREAT, 0o666)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.ELOOP):
                return None
            raise
        is_locked = _flock(fd)
        if is_locked and _is_ours(fd, path):
            return fd
        try:
            made_in_vain = is_locked is None and not os.fstat(fd).st_size
            if made_in_vain or (is_locked and _is_second_name(path)):
                os.unlink(path)
        finally:
            os.close(fd)
        if not is_locked:
            return None
    return None


def lock_existing(path: str, *, second_name: bool = False, unchanged: os.stat_result | None = None) -> int | None:
    """As `lock`, but None where nothing is at `path`, or where the file is no longer as it was when `unchanged`.

    With `second_name`, a name that `link` left is locked, too.
    """
    try:
        fd = os.open(path, _FLAGS)
    except OSError:
        return None
    if _flock(fd) and (_is_ours(fd, path) or (second_name and _is_second_name(path))):
        now = os.fstat(fd)
        if unchanged is None or all(getattr(now, each) == getattr(unchanged, each) for each in _VERSION):
            return fd
    os.close(fd)
    return None


def create(folder: str, name: str) -> tuple[str, int]:
    """Create a partial under a random name, which no try resumes. Raises `OSError`."""
    path = path_of(folder, name, secrets.token_hex(8))
    fd = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
    _flock(fd)
    return path, fd


def read_state(path: str) -> bytes:
    """Read the record beside the partial at `path`; empty where there is none."""
    try:
        fd = os.open(path + STATE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return b""
    with os.fdopen(fd, "rb") as file:
        return file.read(LARGEST_STATE) if os.fstat(fd).st_uid == os.geteuid() else b""


def write_state(path: str, data: bytes) -> None:
    """Replace the record beside the partial at `path`, atomically. Raises `OSError`."""
    fd = os.open(path + DRAFT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
    os.replace(path + DRAFT, path + STATE)


def remove_state(path: str) -> None:
    """Remove the record beside the partial at `path`, which cannot be resumed without it. Raises `OSError`."""
    for suffix in (STATE, DRAFT):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + suffix)


def remove(path: str) -> None:
    """Remove a partial and its record. Never raises."""
    for suffix in (STATE, DRAFT, ""):
        with contextlib.suppress(OSError):
            os.unlink(path + suffix)


def remove_if_unused(path: str) -> bool:
    """Remove a partial unless a process holds it; its record alone if that is all there is. Never raises."""
    fd = lock_existing(path, second_name=True)
    if fd is not None:
        remove(path)
    elif os.path.lexists(path):
        return False
    else:
        # Not what may be at `path` by now: that would be another writer's.
        with contextlib.suppress(OSError):
            remove_state(path)
    if fd is not None:
        os.close(fd)
    return True


def cut(name: str) -> str:
    """`name` as it appears in a partial's own: never ending in half a character, which no store takes in a key."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= 255 - _AFFIX else encoded[: 255 - _AFFIX].decode(errors="ignore")


def leads_to(path: str, fd: int) -> bool:
    """True if `path` is still a name of the open file; where somebody removed it, it may be another writer's."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except OSError:
        return False


def check_name(path: str, fd: int) -> None:
    """Raise `FileNotFoundError` for a partial that somebody removed: its name may be another writer's by now."""
    if not leads_to(path, fd):
        raise FileNotFoundError(errno.ENOENT, "the partial file was removed or replaced", path)


def _flock(fd: int) -> bool | None:
    """Lock the file: False where another process has it, None where the file system has no locks."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if isinstance(error, BlockingIOError) else None
    return True


def _is_second_name(path: str) -> bool:
    """True if a kill between the two steps of a create-only publication left this name: the result has the other."""
    with contextlib.suppress(OSError):
        status = os.lstat(path)
        return stat.S_ISREG(status.st_mode) and status.st_nlink > 1 and status.st_uid == os.geteuid()
    return False


def _is_ours(fd: int, path: str) -> bool:
    """True if the locked file is still the one at `path`, has no other name, and is this user's."""
    status = os.fstat(fd)
    is_single = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    return is_single and status.st_uid == os.geteuid() and leads_to(path, fd)
