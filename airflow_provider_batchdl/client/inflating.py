"""Bounded decompression, a piece at a time: gzip and deflate (RFC 1950 to 1952), and others."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

_NO_TEXT = re.compile(rb"[\0-\x08\x0e-\x1f]")
LARGEST_PIECE = 2**20
MEMBERS = {"gzip": b"\x1f\x8b\x08", "deflate": b"x"}
"""First bytes of another member of a body in this coding."""
ENOUGH = 512
"""Bytes after which text is surely not deflate, which has no magic number."""


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
    """Decompresses what is fed to it, with decoders that ``start`` makes: each member of a gzip file needs its own.

    A further member begins with ``member``; anything else behind one ends the data, as for ``gzip`` and ``requests``.
    With None all is taken for another member.
    """

    def __init__(self, start: Callable[[], Decompressor], member: bytes | None = None) -> None:
        self._start = start
        self._member = member
        self._decoder = start()
        self.has_rest = False
        """True if there was something else behind the last member."""

    @property
    def ended(self) -> bool:
        """True if the last member is whole."""
        return self._decoder.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decompress ``data``, in pieces of at most 1 MiB; the library's own errors pass."""
        more = False
        while data or more:
            if self._decoder.eof:  # gzip allows one member after another, and blocks that are filled up
                data = data.lstrip(b"\0")
                self.has_rest |= self._member is not None and not self._member.startswith(data[: len(self._member)])
                if not data or self.has_rest:
                    return
                self._decoder = self._start()
            piece = self._decoder.decompress(data, LARGEST_PIECE)
            # zlib gives back what it has not taken yet, since enough came out; the others keep it.
            data = getattr(self._decoder, "unconsumed_tail", b"") or self._decoder.unused_data
            more = len(piece) == LARGEST_PIECE and not self._decoder.eof  # the decoder may hold more of it
            if piece:
                yield piece


def decoder_for(first: bytes, coding: str, *, whole: bool) -> Callable[[], zlib._Decompress] | None:
    """Factory of decoders for a body that starts with ``first``; None where it is not of its coding, gzip or deflate.

    "deflate" is zlib's format (RFC 1950) by the standard and what that contains (RFC 1951) by many servers.
    """
    if coding == "gzip":
        return (lambda: zlib.decompressobj(31)) if first.startswith(MEMBERS[coding]) else None
    has_head = int.from_bytes(first[:2], "big") % 31 == 0 and first[0] & 0x0F == 8
    bits = 15 if has_head else -15
    trial = zlib.decompressobj(bits)
    try:
        trial.decompress(first, LARGEST_PIECE)
    except zlib.error:
        return None
    # Text may begin like either: a short body that does not end as deflate is text, except with zlib's usual header, or
    # with bytes that no text has: then it is cut.
    is_no_text = (has_head and first.startswith(b"x")) or _NO_TEXT.search(first)
    is_one = trial.eof or trial.unconsumed_tail or not whole or is_no_text
    return (lambda: zlib.decompressobj(bits)) if is_one else None
