"""Bytes that can be read from any offset without being held in memory."""

from __future__ import annotations

import base64
import hashlib
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

CHUNK = 256 * 1024
"""Bytes per piece of a body."""
_LINES_PER_MARK = 1024


class Content(ABC):
    """A file's bytes: their number, their type and a reader from any offset.

    Attributes:
        size: number of bytes.
        content_type: media type.
    """

    size: int
    content_type: str = "application/octet-stream"

    @abstractmethod
    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of ``[start, stop)`` in pieces of at most a few hundred KiB."""

    def _digest(self, name: str) -> bytes:
        digest = hashlib.new(name, usedforsecurity=False)
        for piece in self.chunks():
            digest.update(piece)
        return digest.digest()

    @cached_property
    def sha256(self) -> str:
        """SHA-256 in hexadecimal, computed once by streaming."""
        return self._digest("sha256").hex()

    @cached_property
    def _md5(self) -> bytes:
        return self._digest("md5")

    @cached_property
    def lines(self) -> Lines:
        """The lines, read once."""
        return Lines(self)

    @cached_property
    def _packed(self) -> dict[int, bytes]:
        return {}

    def packed(self, wbits: int) -> bytes:
        """The bytes, deflated in the format that zlib calls by this number; made once, and held in memory."""
        if wbits not in self._packed:
            packer = zlib.compressobj(wbits=wbits)
            self._packed[wbits] = b"".join([*map(packer.compress, self.chunks()), packer.flush()])
        return self._packed[wbits]

    def checksum_headers(self, *, whole: bool) -> list[tuple[str, str]]:
        """Return headers that declare the content's true checksums.

        Args:
            whole: the answer carries all of the content. ``Content-MD5`` speaks of the message's body and is left out
                of a partial answer; ``x-amz-checksum-sha256`` speaks of the object.
        """
        headers = [("x-amz-checksum-sha256", base64.b64encode(bytes.fromhex(self.sha256)).decode())]
        if whole:
            headers.append(("content-md5", base64.b64encode(self._md5).decode()))
        return headers


class BytesContent(Content):
    """Content that fits in memory."""

    def __init__(self, data: bytes, content_type: str) -> None:
        self._data = data
        self.size = len(data)
        self.content_type = content_type

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of ``[start, stop)``."""
        stop = self.size if stop is None else stop
        for offset in range(start, stop, CHUNK):
            yield self._data[offset : min(offset + CHUNK, stop)]


class FileContent(Content):
    """Content in a file of the emulator's spool."""

    def __init__(self, path: Path, content_type: str) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.content_type = content_type

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of ``[start, stop)``."""
        left = (self.size if stop is None else stop) - start
        with self.path.open("rb") as file:
            file.seek(start)
            while left > 0:
                piece = file.read(min(CHUNK, left))
                if not piece:
                    return
                left -= len(piece)
                yield piece


class BitFlippedContent(Content):
    """Another content with the lowest bit of one byte turned over."""

    def __init__(self, original: Content, at_byte: int) -> None:
        self._original = original
        self._at = min(at_byte, original.size - 1)
        self.size = original.size
        self.content_type = original.content_type

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of ``[start, stop)``, the wrong one included."""
        offset = start
        for piece in self._original.chunks(start, stop):
            if offset <= self._at < offset + len(piece):
                wrong = bytearray(piece)
                wrong[self._at - offset] ^= 1
                yield bytes(wrong)
            else:
                yield piece
            offset += len(piece)


class Lines:
    """Lines of a content, and where they end. It remembers every thousandth end only.

    Attributes:
        count: number of lines; a last one without a line break is one, too.
    """

    def __init__(self, content: Content) -> None:
        self._marks = [0]
        self._content = content
        self.count = offset = 0
        last = b"\n"
        for piece in content.chunks():
            for end in _ends(piece, piece.count(b"\n")):
                self.count += 1
                if self.count % _LINES_PER_MARK == 0:
                    self._marks.append(offset + end)
            offset += len(piece)
            last = piece[-1:] or last
        self.count += last != b"\n"

    def end_of(self, number: int) -> int:
        """Return the offset behind the first ``number`` lines."""
        mark, left = divmod(min(number, self.count), _LINES_PER_MARK)
        offset = self._marks[mark]
        for piece in self._content.chunks(offset) if left else ():
            found = piece.count(b"\n")
            if found >= left:
                *_, end = _ends(piece, left)
                return offset + end
            left -= found
            offset += len(piece)
        return self._content.size if left else offset


def _ends(piece: bytes, count: int) -> Iterator[int]:
    """Yield the offsets behind the first ``count`` line breaks."""
    end = 0
    for _ in range(count):
        end = piece.index(b"\n", end) + 1
        yield end
