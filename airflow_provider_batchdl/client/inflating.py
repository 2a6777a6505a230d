"""Bounded decompression, a piece at a time: gzip and deflate (RFC 1950 to 1952), and others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

LARGEST_PIECE = 2**20


class Decompressor(Protocol):
    """Interface of `zlib.decompressobj`, `bz2.BZ2Decompressor` and others like them."""

    @property
    def eof(self) -> bool:
        """True once the compressed data has ended."""

    @property
    def unused_data(self) -> bytes:
        """Input after its end."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most `max_length` bytes of what `data` holds."""


class Inflater:
    """Decompresses what is fed to it.

    Args:
        start: makes a decoder; each member of a gzip file needs one of its own.
    """

    def __init__(self, start: Callable[[], Decompressor]) -> None:
        self._start = start
        self._decoder = start()

    @property
    def ended(self) -> bool:
        """True if the last member is whole."""
        return self._decoder.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decompress ``data``, in pieces of at most 1 MiB.

        Raises:
            zlib.error: it is not compressed in this format; another library raises its own error.
        """
        more = False
        while data or more:
            if self._decoder.eof:  # gzip allows one member after another, and blocks that are filled up
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._decoder = self._start()
            piece = self._decoder.decompress(data, LARGEST_PIECE)
            # zlib gives back what it has not taken yet, since enough came out; the others keep it.
            data = getattr(self._decoder, "unconsumed_tail", b"") or self._decoder.unused_data
            more = len(piece) == LARGEST_PIECE and not self._decoder.eof  # the decoder may hold more of it
            if piece:
                yield piece
