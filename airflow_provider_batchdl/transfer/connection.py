"""Connections for bulk bytes: urllib3, which reads at half the CPU cost of the next best that Airflow ships with.

Before a byte is sent, the address that a connection really reached is checked, since a name may resolve to anything.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakKeyDictionary, finalize

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_batchdl.client.policy import ssl_context
from airflow_provider_batchdl.exceptions import UnsafeRedirectError
from airflow_provider_batchdl.transfer.framing import HEAD_READ, FramedResponse, TimedBytes
from airflow_provider_batchdl.transfer.redirects import check_resolved, is_forbidden, parse_address

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from airflow_provider_batchdl.client import BatchClient

__all__ = ["HEAD_READ", "Connections", "connections_of", "cut", "interrupt"]

CONNECT_TIMEOUT = 10.0
IDLE_TIMEOUT = 60.0
MOST_IDLE = 32  # connections for each host that stay open between two uses; there may be more at once
# Reads of this size are reads of a body; smaller ones (of headers) may want less than the buffer holds.
BODY_READ = 64 << 10
_NONE = urllib3.Retry.from_int(False, redirect=False)  # what urllib3 would make of a False, for each request
# So long a read of a body may wait for more than it has.
GATHER_SECONDS = 0.25
# Origin and target of a URL in which nothing has to be normalised: no user, dot segment or fragment.
_PLAIN_URL = re.compile(r"(https?://[^/?#@\\]+)((?:/(?!\.)[^/?#]*)+(?:\?[^#]*)?)")


class _Gathering(TimedBytes):
    """A socket's bytes, many packets or TLS records to a read, so that what follows is done once for all of them.

    TLS brings 16 KiB at a time, and each trip through ``http.client`` and ``urllib3`` costs as much as decrypting that.
    A read ends when it is full, or with what has come after `GATHER_SECONDS`: a server that drips is seen to drip, and
    of one that stands still nothing is kept back, which a kill in the meantime would lose.
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
        """Fill `view` behind what has been taken, for a while; how much there is then."""
        patience, due = self._sock.gettimeout(), time.monotonic() + GATHER_SECONDS
        self._sock.settimeout(GATHER_SECONDS)
        try:
            while taken < len(view) and time.monotonic() < due:
                more = self._sock.recv_into(view[taken:], len(view) - taken)
                if not more:
                    break  # the end: the next read finds it again
                taken += more
        except TimeoutError:
            pass
        except OSError as error:  # what came before has come; the next read tells
            self._error = error
            return taken
        self._sock.settimeout(patience)
        return taken

    def _receive(self, view: memoryview) -> int:
        if self._error is not None:
            raise self._error
        if self._due is not None:
            return self._receive_in_time(view, self._due)
        # An SSLSocket that is not told how much would find out anew for every record.
        return self._sock.recv_into(view, len(view))

    def _receive_in_time(self, view: memoryview, due: float) -> int:
        patience, left = self._sock.gettimeout(), due - time.monotonic()
        if left <= 0:
            raise TimeoutError("what should come in one go came too slowly")
        self._sock.settimeout(left)
        try:
            return self._sock.recv_into(view, len(view))
        finally:
            self._sock.settimeout(patience)

    def hurry(self) -> None:
        """As `TimedBytes.hurry`: a server that drips must not hold us."""
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

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3 itself
        sock = self.sock
        response = super().getresponse()
        response.socket_read_from = sock if isinstance(sock, socket.socket) else None  # type: ignore[attr-defined]
        response.framing = getattr(response._original_response, "framing", None)  # type: ignore[attr-defined]
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


def _pools(plain: type[HTTPConnection], tls: type[HTTPConnection]) -> dict[str, type[HTTPConnectionPool]]:
    return {
        "http": type("_Pool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("_TLSPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }


_TO_ANYWHERE = _pools(_LocalConnection, _LocalTLSConnection)
_TO_OTHERS = _pools(_CheckedConnection, _CheckedTLSConnection)
_TO_PROXIES = _pools(_FramedConnection, _FramedTLSConnection)


def interrupt(response: urllib3.BaseHTTPResponse) -> None:
    """End a read of ``response`` that waits in another thread; closing a socket does not wake it.

    Through a proxy that is spoken to by TLS nothing can be ended so: the read ends with what comes, or after
    `IDLE_TIMEOUT`.
    """
    sock = getattr(response, "socket_read_from", None)
    if sock is not None:
        cut(sock)


def cut(sock: socket.socket) -> None:
    """Wake whoever waits for ``sock`` in another thread, with an error there."""
    with contextlib.suppress(OSError):
        # Not the TLS socket's own method: that forgets the cipher, and the reader would be given what is encrypted.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Connections:
    """Connection pools. Close it after use.

    Args:
        allow_loopback: whether a link may lead to this machine.
    """

    def __init__(self, *, allow_loopback: bool) -> None:
        self._allow_loopback = allow_loopback
        self._direct = urllib3.PoolManager(
            maxsize=MOST_IDLE, ssl_context=ssl_context(), timeout=_timeout(), retries=False
        )
        self._direct.pool_classes_by_scheme = _TO_ANYWHERE if allow_loopback else _TO_OTHERS
        self._last: tuple[str, HTTPConnectionPool | urllib3.PoolManager] = "", self._direct
        self._proxied: dict[str, urllib3.ProxyManager] = {}
        self._proxies = getproxies()  # once: to read the environment costs a small file a tenth of its time

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> urllib3.BaseHTTPResponse:
        """The response to one request, its body not read yet; no redirect is followed, and nothing is tried again.

        Raises:
            urllib3.exceptions.HTTPError: there is none.
            OSError: likewise.
        """
        pool, target = self._pool_for(url)
        return pool.urlopen(
            method,
            target,
            headers=headers,
            body=body,
            redirect=False,
            retries=_NONE,
            preload_content=False,
            decode_content=False,
        )

    def _pool_for(self, url: str) -> tuple[HTTPConnectionPool | urllib3.PoolManager, str]:
        """What sends a request to ``url``, and what it is to be told.

        The manager takes any URL, but parsing it and looking its pool up costs a small file more than its writing.
        """
        plain = _PLAIN_URL.fullmatch(url)
        origin, target = plain.groups() if plain else ("", url)
        last, pool = self._last
        if plain and origin == last:
            return pool, target
        # Only of the last origin: the manager closes pools that it was not asked for in a long time.
        self._last = "", self._direct
        manager = self.for_url(url)
        if plain is None or manager is not self._direct:
            return manager, url
        pool = manager.connection_from_url(origin)
        self._last = origin, pool
        return pool, target

    def for_url(self, url: str) -> urllib3.PoolManager:
        """The pool for ``url``: direct, or through the proxy that the environment names for it."""
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme) or self._proxies.get("all")
        if not proxy or proxy_bypass(parts.hostname or ""):
            return self._direct
        check_resolved(parts.hostname or "", allow_loopback=self._allow_loopback)  # the proxy's peer cannot be seen
        if proxy not in self._proxied:
            address = proxy if "://" in proxy else f"http://{proxy}"
            self._proxied[proxy] = urllib3.ProxyManager(
                address,
                maxsize=MOST_IDLE,
                ssl_context=ssl_context(),
                timeout=_timeout(),
                retries=False,
                proxy_headers=_proxy_auth(address),
            )
            self._proxied[proxy].pool_classes_by_scheme = _TO_PROXIES
        return self._proxied[proxy]

    def close(self) -> None:
        """Close every connection."""
        self._last = "", self._direct
        for manager in (self._direct, *self._proxied.values()):
            manager.clear()


_of_client: WeakKeyDictionary[BatchClient, Connections] = WeakKeyDictionary()


def connections_of(client: BatchClient, *, allow_loopback: bool) -> Connections:
    """The connections for all result files of one client: a small file costs less than a new connection does.

    They are closed when the client is no more.
    """
    connections = _of_client.get(client)
    if connections is None:
        connections = _of_client[client] = Connections(allow_loopback=allow_loopback)
        finalize(client, connections.close)
    return connections


def _timeout() -> urllib3.Timeout:
    # No total: a result may take hours. A read that brings nothing for a minute is given up.
    return urllib3.Timeout(connect=CONNECT_TIMEOUT, read=IDLE_TIMEOUT)


def _proxy_auth(proxy: str) -> dict[str, str] | None:
    auth = urllib3.util.parse_url(proxy).auth
    return urllib3.make_headers(proxy_basic_auth=auth) if auth else None
