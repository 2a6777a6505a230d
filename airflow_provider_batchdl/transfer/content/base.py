"""What all content checks share: what they say at the end, and blocks of one size whatever the network's chunks are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

from airflow_provider_batchdl.exceptions import BatchDlError

BLOCK = 128 << 10
"""Bytes checked in one go: they fit a core's cache, and nothing that is found depends on how they arrived."""
MOST = 4 << 20
"""Bytes of one record that a check holds; of a file with longer ones it does not count the rest."""
MOST_STORED = 8 << 10
"""Bytes of an unfinished line that are worth storing for another process to resume with."""
BOM = b"\xef\xbb\xbf"

End = Literal["own", "open", "none"]
"""`own`: the format marks its own end, and it is there. `open`: the format may end after any line, or what marks the
end was not checked: only a second reading proves it. `none`: nothing is known of such content."""


@dataclass(frozen=True)
class Look:
    """What a file's content says of itself, known at its end.

    Args:
        word: what it adds to `verified_by`; None for nothing.
        rows: records counted; None where the format does not tell, or not for certain.
        members: members of a JSON object, for the vendor to judge.
        end: what its end is worth where nothing else proves the bytes.
        error: why the content is not whole or not what it is declared to be; where the bytes are proven, a warning.
    """

    word: str | None = None
    rows: int | None = None
    members: Mapping[str, object] = field(default_factory=dict)
    end: End = "none"
    error: BatchDlError | None = None


class ContentCheck(Protocol):
    """Sees a file's bytes in their order, in any chunking and in constant memory."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""

    def finish(self) -> Look:
        """What they say, now that there are no more."""


class Blocks(ABC):
    """A check that works on blocks of `BLOCK` bytes; only the last one is smaller."""

    STATE: ClassVar[tuple[str, ...]] = ()
    """Attributes that another process needs to resume, plain JSON each; none where that is not possible."""

    def __init__(self) -> None:
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

    def snapshot(self) -> dict[str, Any] | None:
        """The state as small JSON, which holds the beginning of a record; None where there is none."""
        if cut := self._waiting.rfind(b"\n") + 1:
            self._pass_on(bytes(self._waiting[:cut]))
            del self._waiting[:cut]
        line = self._tail + self._waiting
        if self._is_first or not self.STATE or len(line) > MOST_STORED:
            return None
        return {"line": line.hex(), **{name: getattr(self, name) for name in self.STATE}}

    def restore(self, state: dict[str, Any]) -> None:
        """Resume with what `snapshot` returned."""
        for name in self.STATE:
            setattr(self, name, state[name])
        self._waiting[:] = bytes.fromhex(state["line"])
        self._is_first = False

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
        """The whole lines of what is left of the last block and this one; the rest is kept in `_tail`."""
        cut = block.rfind(b"\n") + 1
        if not cut:
            self._tail += block
            return b""
        lines = b"".join((self._tail, memoryview(block)[:cut]))
        self._tail = block[cut:]
        return lines

    @abstractmethod
    def _block(self, block: bytes) -> None:
        """Take the next block."""

    @abstractmethod
    def finish(self) -> Look:
        """What the bytes say, now that there are no more."""


class Unlooked:
    """Content of which only the first bytes are looked at, if at all."""

    def __init__(self, look: Look | None = None) -> None:
        self._look = look or Look()

    def feed(self, data: bytes) -> None:
        """Nothing to do."""

    def finish(self) -> Look:
        """What is known of such content from its beginning."""
        return self._look
