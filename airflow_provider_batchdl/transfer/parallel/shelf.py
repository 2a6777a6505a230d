"""Where bytes of several connections wait until it is their turn to be read, in the file's order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from threading import Lock
from typing import Protocol

_READ = 1 << 20


class Shelf(Protocol):
    """Takes bytes from any thread; one thread reads them. Raises `OSError`."""

    ahead: int | None
    """How many bytes it takes before they are read; None for any number."""

    def put(self, at: int, data: bytes | memoryview) -> None:
        """Keep the bytes that begin at ``at``."""

    def take(self, at: int, end: int) -> Iterator[bytes]:
        """The bytes from ``at`` to ``end``, all of which have been put."""

    def close(self) -> None:
        """No thread uses it any more."""


class MemoryShelf:
    """In memory, for stores that take bytes in their order only.

    Args:
        ahead: the most bytes that it holds.
    """

    def __init__(self, ahead: int) -> None:
        self.ahead: int | None = ahead
        self._pieces: dict[int, bytes] = {}
        self._lock = Lock()

    def put(self, at: int, data: bytes | memoryview) -> None:
        """Keep the bytes that begin at ``at``."""
        with self._lock:
            self._pieces[at] = bytes(data)

    def take(self, at: int, end: int) -> Iterator[bytes]:
        """The bytes from ``at`` to ``end``, which are given away."""
        while at < end:
            with self._lock:
                piece = self._pieces.pop(at)
            at += len(piece)
            yield piece

    def close(self) -> None:
        """Forget what nobody read."""
        self._pieces.clear()


class FileShelf:
    """In the partial file itself, each byte where it belongs; what is read stays.

    Args:
        fd: the file, open for reading and writing. A descriptor of our own is used: were a thread late, it would
            write to no other file that has been given the same number.
    """

    ahead: int | None = None

    def __init__(self, fd: int) -> None:
        self._fd = os.dup(fd)

    def put(self, at: int, data: bytes | memoryview) -> None:
        """Write the bytes that begin at ``at``."""
        view = memoryview(data)
        while view:
            count = os.pwrite(self._fd, view, at)
            at += count
            view = view[count:]

    def take(self, at: int, end: int) -> Iterator[bytes]:
        """The bytes from ``at`` to ``end``, out of the page cache."""
        while at < end:
            piece = os.pread(self._fd, min(_READ, end - at), at)
            if not piece:
                raise OSError("the partial file became shorter")
            at += len(piece)
            yield piece

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)
