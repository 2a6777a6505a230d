"""What all content checks share: the protocol, small constant memory, and a look at the first bytes."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal, Protocol

from airflow_provider_batchdl.exceptions import TruncatedDownloadError, UnexpectedResponseError
from airflow_provider_batchdl.transfer.snapshots import COUNT, Field, Resumable, Stateful, buffer, optional

SLICE = 128 << 10
"""Bytes looked at in one go; bounds what a check holds whatever the caller's chunks are."""
HEAD = 256
"""First bytes kept until it is known that they are no page or error document."""

BOM = b"\xef\xbb\xbf"
_MARKUP = re.compile(rb"(?i)\s*<(?:!doctype|html|head|body|\?xml|error|!--)")


Evidence = Literal["strong", "line", "weak", "none"]
"""`strong`: any cut would have shown. `line`: one exactly at a line's end would not. `weak`: nor one inside the last
value, which has no line break behind it; without another proof (length, checksum) take such content for cut. `none`:
nothing is known about the format."""


class ContentCheck(Resumable, Protocol):
    """Watches a download and says at its end whether the content is complete.

    Empty content is never complete. Where the vendor itself declares 0 bytes there is nothing to ask.

    Its snapshot, taken before `finish`, is for a new check of the same format. It can hold the beginning of a record.
    """

    name: str
    """`json`, `jsonl`, `csv`, `gzip`, `zip`, `parquet` or `unknown`."""

    @property
    def evidence(self) -> Evidence:
        """What a passed `finish` is worth; known after it."""

    @property
    def rows(self) -> int | None:
        """Records counted, known after `finish`; None where the format does not tell."""

    def feed(self, data: bytes | memoryview) -> None:
        """Look at the next bytes, in any chunking. May raise what `finish` raises, earlier."""

    def finish(self) -> None:
        """Judge the end.

        Raises:
            TruncatedDownloadError: the content stops before its own end.
            UnexpectedResponseError: it is not what it claims to be.
            ChecksumMismatchError: the format's own checksum does not fit (gzip).
        """


class TextCheck(Stateful, ABC):
    """A check of UTF-8 text: drops the byte order mark and refuses markup before the format's own look."""

    FIELDS: ClassVar[Mapping[str, Field]] = {"_head": optional(buffer(HEAD)), "bytes_seen": COUNT}
    name = "text"

    def __init__(self) -> None:
        self.evidence: Evidence = "strong"
        self._head: bytearray | None = bytearray()
        self.bytes_seen = 0

    def feed(self, data: bytes | memoryview) -> None:
        """Look at the next bytes."""
        for piece in slices(data):
            self.bytes_seen += len(piece)
            if self._head is None:
                self._text(piece)
                continue
            self._head += piece
            if len(self._head) >= HEAD:
                self._open()

    def finish(self) -> None:
        """Judge the end; see `ContentCheck.finish`."""
        if not self.bytes_seen:
            raise TruncatedDownloadError(f"The download is empty; no {self.name} is.")
        if self._head is not None:
            self._open()
        self._end()

    def _open(self) -> None:
        head, self._head = bytes(self._head or b"").removeprefix(BOM), None
        refuse_markup(head, self.name)
        self._text(head)

    @abstractmethod
    def _text(self, piece: bytes) -> None:
        """Look at the next bytes, which begin with neither a byte order mark nor markup."""

    @abstractmethod
    def _end(self) -> None:
        """Judge the end of a file that is not empty."""


def slices(data: bytes | memoryview) -> Iterator[bytes]:
    """`data` in pieces of at most `SLICE` bytes."""
    view = memoryview(data).cast("B")
    for start in range(0, len(view), SLICE):
        yield bytes(view[start : start + SLICE])


def refuse_markup(head: bytes, declared: str) -> None:
    """Raise `UnexpectedResponseError` where `head` begins an HTML page or an XML error document."""
    if _MARKUP.match(head.removeprefix(BOM)):
        raise UnexpectedResponseError(
            f"The download was declared as {declared} but is an HTML or XML document (an error or login page?)."
        )
