"""Read a response from its socket in large pieces, with one time-out for several reads where that is due."""

from __future__ import annotations

import io
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Reads of this size are reads of a body; smaller ones (of headers) may want less than the buffer holds.
BODY_READ = 64 << 10
# Seconds that a read of a body may wait for more bytes than it has.
GATHER_SECONDS = 0.25


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

    def readable(self) -> bool:
        """True: it is read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read into ``buffer``; a small one is filled with what is there. Returns the number of bytes."""
        view = memoryview(buffer)
        if len(view) < BODY_READ:
            return self._receive(view)
        taken = self._receive(view)
        return self._gather(view, taken) if 0 < taken < len(view) else taken

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
        if self._due is not None:
            return self._receive_in_time(view, self._due)
        # Without a size, an SSLSocket would compute it for every record.
        return self._sock.recv_into(view, len(view))

    def _receive_in_time(self, view: memoryview, due: float) -> int:
        patience, left = self._sock.gettimeout(), due - time.monotonic()
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
