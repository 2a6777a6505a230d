"""What tells Linux that a file is being written from its front to its end: it costs less then, and holds the same.

Left alone, the kernel looks for room on the disk for each page, and writes nothing out before the final ``fsync``,
which then waits for all of it. Both are asked for as the file grows; where a file system cannot do it, nothing happens.
"""

from __future__ import annotations

import contextlib
import ctypes
from functools import cache
from typing import Any

STEP = 8 << 20
"""Bytes that are handed to the disk together."""
AHEAD = 64 << 20
"""Bytes reserved at a time. A killed try holds at most so much room that it has not filled."""
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE: the size of a partial says how far it is
_START = 2  # SYNC_FILE_RANGE_WRITE: leaves every error for `fsync` to tell


class Writeback:
    """Follows one writer through one file. Asks for nothing before `STEP` bytes: small files are not worth it.

    Args:
        at: where the writer begins.
    """

    def __init__(self, at: int = 0) -> None:
        self._started = self._reserved = at
        self.due = at + STEP
        """The byte at which `follow` has something to do."""

    def follow(self, fd: int, at: int) -> None:
        """The writer has come to byte ``at``. Never raises: what is wrong with the disk, the writer is told."""
        _start_writing(fd, self._started, at - self._started)
        self._started, self.due = at, at + STEP
        if self.due > self._reserved:
            _reserve(fd, at, AHEAD)
            self._reserved = at + AHEAD

    def left(self, at: int) -> bool:
        """Whether room is reserved after byte ``at``, which truncating the file to its own size gives back."""
        return self._reserved > at


def _start_writing(fd: int, at: int, count: int) -> None:
    """Waits for no byte to be written, but may for a place in the disk's queue.

    https://man7.org/linux/man-pages/man2/sync_file_range.2.html
    """
    function = _function("sync_file_range", ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    if function is not None:
        function(fd, at, count, _START)


def _reserve(fd: int, at: int, count: int) -> None:
    """Not `os.posix_fallocate`: where the file system cannot do it, that writes the blocks one by one.

    https://man7.org/linux/man-pages/man2/fallocate.2.html
    """
    function = _function("fallocate64", ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if function is not None:
        function(fd, _KEEP_SIZE, at, count)


@cache
def _function(name: str, *arguments: Any) -> Any:
    """A function of the C library that takes a descriptor first; None where there is none of this name."""
    with contextlib.suppress(OSError, AttributeError):
        function = getattr(ctypes.CDLL(None), name)
        function.argtypes = [ctypes.c_int, *arguments]
        return function
    return None
