"""Buffers that hold the bytes of several connections until they are read in the file's order."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from threading import Lock
from typing import TypeAlias

_READ = 1 << 20


class MemoryReorderBuffer:
    """Reorder buffer in memory, for stores that take bytes in order only."""

    def __init__(self) -> None:
        self._pieces: dict[int, bytes] = {}
        self._lock = Lock()

    def put(self, at: int, data: bytes | memoryview) -> None:
        """Store the bytes that start at ``at``."""
        with self._lock:
            self._pieces[at] = bytes(data)

    def take(self, at: int, end: int) -> Iterator[bytes]:
        """Remove and return the bytes from ``at`` to ``end``."""
        while at < end:
            with self._lock:
                piece = self._pieces.pop(at)
            at += len(piece)
            yield piece

    def close(self) -> None:
        """Drop the unread bytes."""
        self._pieces.clear()


class FileReorderBuffer:
    """Reorder buffer in the partial file itself: each byte is written at its offset. Raises `OSError`."""

    def __init__(self, fd: int) -> None:
        self._fd = os.dup(fd)  # a late thread must not write to another file that got the same number

    def put(self, at: int, data: bytes | memoryview) -> None:
        """Write the bytes that start at ``at``."""
        view = memoryview(data)
        while view:
            count = os.pwrite(self._fd, view, at)
            at += count
            view = view[count:]

    def take(self, at: int, end: int) -> Iterator[bytes]:
        """Read the bytes from ``at`` to ``end`` back, from the page cache."""
        return read_back(self._fd, at, end)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)


ReorderBuffer: TypeAlias = FileReorderBuffer | MemoryReorderBuffer
"""Buffer that several threads fill and one thread reads in order; closed once no thread uses it."""


def read_back(fd: int, at: int, end: int) -> Iterator[bytes]:
    """The bytes of a file from ``at`` to ``end``, in pieces of at most 1 MiB. Raises `OSError`."""
    while at < end:
        piece = os.pread(fd, min(_READ, end - at), at)
        if not piece:
            raise OSError(errno.EIO, "the partial file became shorter")
        at += len(piece)
        yield piece
