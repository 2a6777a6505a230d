"""Framing of a response's body by RFC 9112 (sections 6 and 7.1), and a reader that enforces it.

``http.client`` accepts any number as a length, and only exactly "chunked" as a transfer coding: everything else it
reads until the connection closes, and then a truncated body looks complete, or contains chunk sizes. It parses a head
with ``email``, which takes what follows an invalid line, or a cut one, for a body, and costs a small file a fourteenth
of its time.
"""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, HTTPResponse, IncompleteRead, UnknownProtocol
from typing import Any, Literal

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl.transfer.source.gathering import GatheredBytes

MOST_BYTES = 1 << 62
"""Largest length that is accepted."""
LONGEST_LINE = 1 << 16
MOST_LINES = 100
"""Lines of header fields that are accepted; as many as ``http.client`` does."""
HEAD_READ = 32 << 10
"""Buffer size for reading a head; also holds the body of a small response."""

_OF_CONNECTION = frozenset({"connection", "keep-alive", "proxy-connection"})  # what `_check_close` reads
_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_DIGITS = re.compile(r"[0-9]{1,19}")
_PLAIN_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r?\n")
_FIELD = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*:(.*)", re.DOTALL)


@dataclass(frozen=True)
class Framing:
    """The framing of a body.

    Args:
        kind: what ends the body; None for the end of the connection, which a truncation looks like, too.
        length: its declared bytes on the wire; None for none.
        fault: why the framing is ambiguous, and the body must not be read; None for no reason.
    """

    kind: Literal["content-length", "chunked"] | None = None
    length: int | None = None
    fault: str | None = None


def framing_of(transfer_codings: Sequence[str], lengths: Sequence[str]) -> Framing:
    """The framing that a head declares (RFC 9112, section 6.3).

    Args:
        transfer_codings: all lines of ``Transfer-Encoding``.
        lengths: all lines of ``Content-Length``. What is not a number is ignored; two numbers are a fault.
    """
    if not transfer_codings and len(lengths) == 1 and _PLAIN_LENGTH.fullmatch(lengths[0]):
        return Framing("content-length", int(lengths[0]))  # the usual case, fast for small files
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


class _Readable:
    """The part of a socket that ``http.client`` needs to read a response."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._raw, HEAD_READ)


class FramedResponse(HTTPResponse):
    """A response with a time-out for its head and chunk lines, and the framing of `framing_of`.

    Args:
        sock: the connection's socket; of a body, large reads reach it as they are.
        arguments: ``http.client``'s own.

    Attributes:
        framing: known once the head has been read.
        fields: names and values of the head, likewise. ``headers`` has only those that ``http.client`` and urllib3 read
            themselves: each field there is copied four times on its way up.
    """

    framing = Framing()
    fields: Sequence[tuple[str, str]] = ()

    def __init__(self, sock: socket.socket, *args: Any, **arguments: Any) -> None:
        self._raw = raw = GatheredBytes(sock)
        raw.hurry()  # until the head is read, after any number of interim responses
        super().__init__(_Readable(raw), *args, **arguments)  # type: ignore[arg-type]

    def begin(self) -> None:
        """Read the head.

        Raises:
            HTTPException: it is none, or the stream ends within it: a redirect would lead to half of an address.
        """
        version, status, self.reason = self._read_status()
        if not version.startswith(("HTTP/1.", "HTTP/0.9")):
            raise UnknownProtocol(version)
        self.version = 10 if version in ("HTTP/1.0", "HTTP/0.9") else 11
        self.code = self.status = status
        lines: dict[str, list[str]] = {"transfer-encoding": [], "content-length": []}
        self.headers = self.msg = HTTPMessage()
        self.fields = fields = []
        for name, value in self._fields():
            if (lowered := name.lower()) in lines:
                lines[lowered].append(value)
                continue
            fields.append((name, value))
            if lowered in _OF_CONNECTION:
                self.headers.set_raw(name, value)
        self._raw.relax()
        self.framing = framing_of(*lines.values())
        # In their plain form: urllib3 parses them again, in its own way.
        bodiless = status in _BODILESS
        self.chunked = self.framing.kind == "chunked" and not bodiless
        self.chunk_left = None
        self.length = 0 if bodiless else self.framing.length
        if self.chunked:
            fields.append(("Transfer-Encoding", "chunked"))
        elif self.framing.length is not None:
            fields.append(("Content-Length", str(self.framing.length)))
        if self.chunked or self.framing.length is not None:
            self.headers.set_raw(*fields[-1])
        # A body with unknown framing has no known end.
        self.will_close = self._check_close() or not (self.chunked or self.length is not None)  # type: ignore[attr-defined]

    def _fields(self) -> Iterator[tuple[str, str]]:
        """Names and values of the head. A folded line continues a value (RFC 9112, section 5.2); others are skipped."""
        lines: list[str] = []
        for _ in range(MOST_LINES + 1):
            line = self._line().decode("latin-1")
            if line in ("\r\n", "\n"):
                break
            if line[0] in " \t" and lines:
                lines[-1] += line
            else:
                lines.append(line)
        else:
            raise HTTPException(f"the head has more than {MOST_LINES} lines")
        return ((field[1], field[2].strip(" \t\r\n")) for field in map(_FIELD.fullmatch, lines) if field)

    def _read_status(self) -> tuple[str, int, str]:
        """The status line of the final response, after interim ones (RFC 9110, section 15.2)."""
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
            if self.chunk_left == 0 and self.fp.read(2) != b"\r\n":  # the chunk had another size than declared
                self._close_conn()  # type: ignore[attr-defined]
                raise IncompleteRead(b"")
            self.chunk_left = None
            left: int | None = super()._get_chunk_left()  # type: ignore[misc]
        finally:
            self._raw.relax()
        return left

    def _read_next_chunk_size(self) -> int:
        """The next chunk's size; a truncated line is an error, even if it starts with a number."""
        line = self.fp.readline(LONGEST_LINE + 1)
        size = _CHUNK_SIZE.fullmatch(line)
        if size is None:
            self._close_conn()  # type: ignore[attr-defined]
            raise IncompleteRead(b"")
        return int(size[1], 16)
