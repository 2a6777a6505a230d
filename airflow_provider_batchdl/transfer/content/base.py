"""Shared base of the content checks: their report, and blocks of one size from chunks of any."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from airflow_provider_batchdl.exceptions import BatchDlError

BLOCK = 128 << 10
"""Bytes checked at once: they fit a core's cache, and no finding depends on how they arrived."""
MOST = 4 << 20
"""Bytes of one record that a check holds; of a file with longer ones it does not count the rest."""
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class ContentReport:
    """The report on a file's content, known at its end.

    Args:
        word: what it adds to `verified_by`; None for nothing.
        rows: records counted; None where the format has no number, or no certain one.
        members: members of a JSON object, for the vendor to judge.
        end: what its end is worth where nothing else proves the bytes. `own`: the format marks its own end, and it is
            there. `open`: the format may end after any line, or what marks the end was not checked: only a second
            reading proves it. `none`: nothing is known of such content.
        error: why the content is not whole or not what it is declared to be; where the bytes are proven, a warning.
    """

    word: str | None = None
    rows: int | None = None
    members: Mapping[str, object] = field(default_factory=dict)
    end: Literal["own", "open", "none"] = "none"
    error: BatchDlError | None = None


class ContentCheck:
    """A check of a file's bytes, in any chunking and in constant memory; this one checks nothing."""

    def __init__(self, report: ContentReport | None = None) -> None:
        self._report = report or ContentReport()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""

    def finish(self) -> ContentReport:
        """The report on all bytes."""
        return self._report


class Blocks(ContentCheck, ABC):
    """A check that works on blocks of `BLOCK` bytes; only the last one is smaller."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = bytearray()
        self._is_first = True
        self._tail = b""
        """The line that has not ended."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        at = 0
        while len(self._waiting) + len(data) - at >= BLOCK:
            end = at + BLOCK - len(self._waiting)
            block = b"".join((self._waiting, memoryview(data)[at:end]))
            self._waiting.clear()
            self._pass_on(block)
            at = end
        self._waiting += memoryview(data)[at:]

    def _flush(self) -> None:
        """Pass on the last block, which may be empty."""
        self._pass_on(bytes(self._waiting))
        self._waiting.clear()

    def _pass_on(self, block: bytes) -> None:
        if self._is_first:
            self._is_first = False
            block = block.removeprefix(BOM)
            self._begin(block)
        self._block(block)

    def _begin(self, first: bytes) -> None:
        """Learn from the first block, which has no byte order mark."""

    def _whole_lines(self, block: bytes) -> bytes:
        """The whole lines of the rest of the last block and this one; the new rest goes to `_tail`."""
        cut = block.rfind(b"\n") + 1
        if not cut:
            self._tail += block
            return b""
        lines = b"".join((self._tail, memoryview(block)[:cut]))
        self._tail = block[cut:]
        return lines

    @abstractmethod
    def _block(self, block: bytes) -> None: ...


class Ends(ContentCheck):
    """A check of a format that has its marks at both ends of the file."""

    KEPT: ClassVar[int]
    """Number of last bytes that are held."""

    def __init__(self) -> None:
        super().__init__()
        self._first = b""
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Hold the first and the last bytes."""
        self._first += data[: 4 - len(self._first)]
        self._size += len(data)
        self._pieces.append(data)
        self._held += len(data)
        while self._held - len(self._pieces[0]) >= self.KEPT:
            self._held -= len(self._pieces.popleft())

    @property
    def _last(self) -> bytes:
        return b"".join(self._pieces)[-self.KEPT :]
