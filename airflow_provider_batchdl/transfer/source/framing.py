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
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, HTTPResponse, IncompleteRead, UnknownProtocol
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_batchdl._redaction.redactor import excerpt

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MOST_BYTES = 1 << 62
"""Largest length that is accepted."""
LONGEST_LINE = 1 << 16
MOST_LINES = 100
"""Lines of header fields that are accepted; as many as ``http.client`` does."""
HEAD_READ = 32 << 10
"""Buffer size for reading a head; also holds the body of a small response."""
BODY_READ = 64 << 10
"""Reads of this size are reads of a body; smaller ones (of headers) may want less than the buffer holds."""
GATHER_SECONDS = 0.25
"""Seconds that a read of a body may wait for more bytes than it has."""

_OF_CONNECTION = frozenset({"connection", "keep-alive", "proxy-connection"})  # what `_check_close` reads
_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_DIGITS = re.compile(r"[0-9]{1,19}")
_PLAIN_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r?\n")
_FIELD = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*:(.*)", re.DOTALL)


@dataclass(frozen=True)
class Framing:
    """The framing of a body."""

    kind: Literal["content-length", "chunked"] | None = None  # None: it ends with the connection, as a cut one does
    length: int | None = None  # its declared bytes on the wire
    fault: str | None = None  # why the framing is ambiguous, and the body must not be read


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


class GatheredBytes(io.RawIOBase):
    """The bytes of a socket: many packets or TLS records in one read, to share the cost of the layers above.

    A TLS record has 16 KiB, and each trip through ``http.client`` and ``urllib3`` costs as much as decrypting it. A
    read returns when it is full, or with what has arrived after `GATHER_SECONDS`: so a slow server is noticed, and no
    bytes are held back from the partial, where a kill would lose them.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)  # counts as the socket's user until it is closed
        self._error: OSError | None = None
        self._due: float | None = None

    def makefile(self, mode: str) -> io.BufferedReader:
        """All that ``http.client`` needs of a socket to read a response."""
        return io.BufferedReader(self, HEAD_READ)

    def readable(self) -> bool:
        """True: it is read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read into ``buffer``; a small one is filled with what is there. Returns the number of bytes."""
        view = memoryview(buffer)
        taken = self._receive(view)
        return self._gather(view, taken) if len(view) >= BODY_READ and 0 < taken < len(view) else taken

    def _gather(self, view: memoryview, taken: int) -> int:
        """Fill `view` after the first `taken` bytes, for at most `GATHER_SECONDS`. Returns the number of bytes."""
        patience, due = self._sock.gettimeout(), time.monotonic() + GATHER_SECONDS
        self._sock.settimeout(GATHER_SECONDS)
        try:
            while taken < len(view) and time.monotonic() < due:
                more = self._sock.recv_into(view[taken:], len(view) - taken)
                if not more:
                    break  # the end: the next read returns it
                taken += more
        except TimeoutError:
            pass
        except OSError as error:  # return what was read; the next read raises
            self._error = error
            return taken
        self._sock.settimeout(patience)
        return taken

    def _receive(self, view: memoryview) -> int:
        if self._error is not None:
            raise self._error
        if self._due is None:
            # Without a size, an SSLSocket would compute it for every record.
            return self._sock.recv_into(view, len(view))
        patience, left = self._sock.gettimeout(), self._due - time.monotonic()
        if left <= 0:
            raise TimeoutError("the head or a chunk line arrived too slowly")
        self._sock.settimeout(left)
        try:
            return self._sock.recv_into(view, len(view))
        finally:
            self._sock.settimeout(patience)

    def hurry(self) -> None:
        """From now on all reads together must finish within the time-out of one, against servers that drip."""
        patience = self._sock.gettimeout()
        self._due = None if patience is None else time.monotonic() + patience

    def relax(self) -> None:
        """From now on each read has its own time-out again."""
        self._due = None

    def close(self) -> None:
        """Give the socket back; it stays open."""
        self._file.close()
        super().close()


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
        super().__init__(raw, *args, **arguments)  # type: ignore[arg-type]

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
