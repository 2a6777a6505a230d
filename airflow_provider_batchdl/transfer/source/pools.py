"""Pools for urllib3 whose connections enforce a response's framing and read it in large pieces.

The address that a connection really reached is checked before a byte is sent, since a name may resolve to anything. A
request's target is sent as written.
"""

from __future__ import annotations

import socket
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_batchdl.client.targets import is_forbidden, parse_address
from airflow_provider_batchdl.exceptions import UnsafeRedirectError
from airflow_provider_batchdl.transfer.source.framing import FramedResponse, TimedBytes

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Reads of this size are reads of a body; smaller ones (of headers) may want less than the buffer holds.
BODY_READ = 64 << 10
# Seconds that a read of a body may wait for more bytes than it has.
GATHER_SECONDS = 0.25


class _Gathering(TimedBytes):
    """Read many packets or TLS records of a socket at once, to share the cost of the layers above.

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
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
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
        """As `TimedBytes.hurry`, against servers that drip."""
        patience = self._sock.gettimeout()
        self._due = None if patience is None else time.monotonic() + patience

    def relax(self) -> None:
        """As `TimedBytes.relax`."""
        self._due = None

    def close(self) -> None:
        self._file.close()
        super().close()


class _Response(FramedResponse):
    def __init__(self, sock: socket.socket, *args: Any, **arguments: Any) -> None:
        super().__init__(_Gathering(sock), *args, **arguments)


class _FramedConnection(HTTPConnection):
    response_class = _Response

    def _encode_request(self, request: str) -> bytes:
        """Encode the request line: non-ASCII characters of a target are sent as the bytes that were received."""
        return request.encode("utf-8", "surrogateescape")

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3 itself
        sock = self.sock
        response = super().getresponse()
        response.socket_read_from = sock if isinstance(sock, socket.socket) else None  # type: ignore[attr-defined]
        original = response._original_response
        response.framing = getattr(original, "framing", None)  # type: ignore[attr-defined]
        response.fields = getattr(original, "fields", None)  # type: ignore[attr-defined]
        return response


class _FramedTLSConnection(_FramedConnection, HTTPSConnection):
    pass


class _CheckedConnection(_FramedConnection):
    allow_loopback = False

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        address = parse_address(sock.getpeername()[0])
        if address is None or is_forbidden(address, allow_loopback=self.allow_loopback):
            sock.close()
            raise UnsafeRedirectError(f"{self.host} resolves to {address}, where no result can be.")
        return sock


class _CheckedTLSConnection(_CheckedConnection, HTTPSConnection):
    pass


class _LocalConnection(_CheckedConnection):
    allow_loopback = True


class _LocalTLSConnection(_CheckedTLSConnection):
    allow_loopback = True


class _ExactTarget(HTTPConnectionPool):
    """Send the ``target`` given to `urlopen` unchanged.

    urllib3 would resolve dot segments and write escapes in upper case, but a signature covers the exact text.
    """

    def _make_request(
        self, conn: Any, method: str, url: str, *args: Any, target: str | None = None, **arguments: Any
    ) -> urllib3.BaseHTTPResponse:
        return super()._make_request(conn, method, url if target is None else target, *args, **arguments)


class _ExactTLSTarget(_ExactTarget, HTTPSConnectionPool):
    pass


def _pools(plain: type[HTTPConnection], tls: type[HTTPConnection]) -> dict[str, type[HTTPConnectionPool]]:
    return {
        "http": type("_Pool", (_ExactTarget,), {"ConnectionCls": plain}),
        "https": type("_TLSPool", (_ExactTLSTarget,), {"ConnectionCls": tls}),
    }


TO_ANYWHERE = _pools(_LocalConnection, _LocalTLSConnection)
TO_OTHERS = _pools(_CheckedConnection, _CheckedTLSConnection)
TO_PROXIES = _pools(_FramedConnection, _FramedTLSConnection)


@cache
def to_socks_proxies() -> dict[str, type[HTTPConnectionPool]]:
    """The pools for a SOCKS proxy, which needs an optional package."""
    from urllib3.contrib.socks import SOCKSConnection

    plain = type("_SocksConnection", (_FramedConnection, SOCKSConnection), {})
    return _pools(plain, type("_SocksTLSConnection", (plain, HTTPSConnection), {}))
