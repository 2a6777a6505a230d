"""What ends the body of a response, by the rules of RFC 9112 (sections 6 and 7.1), and a reader that holds to them.

``http.client`` takes any number for a length and no transfer coding but exactly "chunked" for one: what it does not
understand it reads until the connection closes, and then a body that was cut looks whole, or chunk sizes stand in it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, HTTPResponse, IncompleteRead
from typing import Any, Literal

from airflow_provider_batchdl.redaction import excerpt

MOST_BYTES = 1 << 62
"""No file has more: a length beyond is nonsense."""
LONGEST_LINE = 1 << 16
HEAD_READ = 32 << 10
"""What a read of a head may take of the body behind it: all of a small one."""

_DIGITS = re.compile(r"[0-9]{1,19}")
_PLAIN_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r?\n")
_FIELD = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*:(.*)", re.DOTALL)


@dataclass(frozen=True)
class Framing:
    """What ends a body.

    Args:
        kind: None where only the end of the connection does, which a cut looks like, too.
        length: its bytes on the wire, where they are declared.
        fault: why the body cannot be told from what carries it; it must not be read then.
    """

    kind: Literal["content-length", "chunked"] | None = None
    length: int | None = None
    fault: str | None = None


def framing_of(transfer_codings: Sequence[str], lengths: Sequence[str]) -> Framing:
    """The framing that a head declares (RFC 9112, section 6.3).

    Args:
        transfer_codings: all lines of ``Transfer-Encoding``.
        lengths: all lines of ``Content-Length``. What is no number counts as none; two numbers are a fault.
    """
    if not transfer_codings and len(lengths) == 1 and _PLAIN_LENGTH.fullmatch(lengths[0]):
        return Framing("content-length", int(lengths[0]))  # as nearly all are, and small files have little time
    codings = [coding.strip(" \t").lower() for line in transfer_codings for coding in line.split(",")]
    # "identity" was a transfer coding once (RFC 2616, section 3.6), and does nothing.
    codings = [coding for coding in codings if coding not in ("", "identity")]
    if codings == ["chunked"]:
        return Framing("chunked")
    if codings:
        return Framing(fault=f"its body is in the transfer coding {excerpt(', '.join(codings), 80)!r}")
    values = {value.strip(" \t") for line in lengths for value in line.split(",")}
    if not values or not all(_DIGITS.fullmatch(value) for value in values):
        return Framing()
    numbers = {int(value) for value in values}
    if len(numbers) > 1:
        return Framing(fault="it declares several lengths of its body")
    length = numbers.pop()
    if length > MOST_BYTES:
        return Framing(fault=f"it declares a length of {length} bytes")
    return Framing("content-length", length)


class TimedBytes(io.RawIOBase):
    """Where a response's bytes come from: reads fail with `TimeoutError` when they took too long together."""

    def hurry(self) -> None:
        """From now on all reads together may take as long as one of them."""

    def relax(self) -> None:
        """Each read has its own time again."""


class _Readable:
    """What ``http.client`` wants of a socket to read a response from."""

    def __init__(self, raw: TimedBytes) -> None:
        self._raw = raw

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._raw, HEAD_READ)


class FramedResponse(HTTPResponse):
    """A response whose head and framing lines come in time, and whose framing is what `framing_of` makes of them.

    Args:
        raw: its bytes; of a body, large reads reach it as they are.
        arguments: ``http.client``'s own.

    Attributes:
        framing: known once the head has been read.
    """

    framing = Framing()

    def __init__(self, raw: TimedBytes, *args: Any, **arguments: Any) -> None:
        self._raw = raw
        raw.hurry()  # until the head is here, however many interim answers come before it
        super().__init__(_Readable(raw), *args, **arguments)  # type: ignore[arg-type]

    def begin(self) -> None:
        """Read the head."""
        super().begin()
        self._raw.relax()
        _restore_lost_lines(self.headers)
        self.framing = framing_of(*(self._take_header(name) for name in ("transfer-encoding", "content-length")))
        # In their plain form: urllib3 reads them once more, in its own way.
        bodiless = self.length == 0 and self.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
        self.chunked = self.framing.kind == "chunked" and not bodiless
        self.chunk_left = None
        self.length = 0 if bodiless else self.framing.length
        if self.chunked:
            self.headers["Transfer-Encoding"] = "chunked"
        elif self.framing.length is not None:
            self.headers["Content-Length"] = str(self.framing.length)
        # Of what cannot be read, nobody knows where it ends.
        self.will_close = self._check_close() or not (self.chunked or self.length is not None)  # type: ignore[attr-defined]

    def _take_header(self, name: str) -> list[str]:
        values = self.headers.get_all(name, [])
        del self.headers[name]
        return values

    def _read_status(self) -> tuple[str, int, str]:
        """The status line of the final answer; others may come before it (RFC 9110, section 15.2)."""
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200 or status == HTTPStatus.SWITCHING_PROTOCOLS:
                return version, status, reason
            while self._line() not in (b"\r\n", b"\n"):
                pass

    def _line(self) -> bytes:
        line = self.fp.readline(LONGEST_LINE + 1)
        if not line.endswith(b"\n"):
            raise HTTPException("a line of the head is cut" if len(line) <= LONGEST_LINE else "a line is too long")
        return bytes(line)

    def _get_chunk_left(self) -> int | None:
        if self.chunk_left:
            return int(self.chunk_left)
        self._raw.hurry()
        try:
            if self.chunk_left == 0 and self.fp.read(2) != b"\r\n":  # the chunk had another size than it said
                self._close_conn()  # type: ignore[attr-defined]
                raise IncompleteRead(b"")
            self.chunk_left = None
            left: int | None = super()._get_chunk_left()  # type: ignore[misc]
        finally:
            self._raw.relax()
        return left

    def _read_next_chunk_size(self) -> int:
        """The next chunk's size; a line that was cut is none, though a number may stand in it."""
        line = self.fp.readline(LONGEST_LINE + 1)
        size = _CHUNK_SIZE.fullmatch(line)
        if size is None:
            self._close_conn()  # type: ignore[attr-defined]
            raise IncompleteRead(b"")
        return int(size[1], 16)


def _restore_lost_lines(headers: HTTPMessage) -> None:
    """Add the header lines behind one that is none: the parser ends there, and takes the rest for a body."""
    rest = headers.get_payload()
    if not isinstance(rest, str) or not rest.strip():
        return
    for line in rest.splitlines():
        field = _FIELD.fullmatch(line)
        if field:
            headers[field[1]] = field[2].strip(" \t")
    headers.set_payload("")
