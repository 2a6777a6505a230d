"""Undoing gzip and deflate (RFC 1950 to 1952) a piece at a time, however well the data was compressed."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

LARGEST_PIECE = 2**20


class Inflater:
    """Decompresses what is fed to it.

    Args:
        start: makes a decoder; each member of a gzip file needs one of its own.
    """

    def __init__(self, start: Callable[[], zlib._Decompress]) -> None:
        self._start = start
        self._decoder = start()

    @property
    def ended(self) -> bool:
        """Whether the last member is whole."""
        return self._decoder.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What ``data`` holds, in pieces of at most 1 MiB.

        Raises:
            zlib.error: it is not compressed in this way.
        """
        more = False
        while data or more:
            if self._decoder.eof:  # gzip allows one member after another, and blocks that are filled up
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._decoder = self._start()
            piece = self._decoder.decompress(data, LARGEST_PIECE)
            data = self._decoder.unconsumed_tail or self._decoder.unused_data
            more = len(piece) == LARGEST_PIECE and not self._decoder.eof  # the decoder may hold more of it
            if piece:
                yield piece
