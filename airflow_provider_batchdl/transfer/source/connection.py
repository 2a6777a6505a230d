"""Connections for bulk bytes, by urllib3: half the CPU of the next fastest library that Airflow ships with.

They enforce a response's framing, and send a request's target as written. The address that a connection really reached
is checked before a byte is sent, since a name may resolve to anything.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, finalize

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_batchdl.client.environment import Proxies, Proxy, ssl_context
from airflow_provider_batchdl.client.targets import check_resolved, is_forbidden, parse_address
from airflow_provider_batchdl.exceptions import UnsafeRedirectError
from airflow_provider_batchdl.transfer.source.framing import FramedResponse

if TYPE_CHECKING:
    from airflow_provider_batchdl.client import BatchClient

CONNECT_TIMEOUT = 10.0
IDLE_TIMEOUT = 60.0
MOST_IDLE = 32  # connections for each host that stay open between two uses; there may be more at once
_NONE = urllib3.Retry.from_int(False, redirect=False)  # what urllib3 would make of a False, for each request
# Origin and target of a URL (RFC 3986, appendix B).
_URL = re.compile(r"(https?://[^/?#]+)([^#\x00-\x1f\x7f]*)(?:#.*)?", re.IGNORECASE | re.DOTALL)


class _FramedConnection(HTTPConnection):
    response_class = FramedResponse

    def _encode_request(self, request: str) -> bytes:
        """Encode the request line: non-ASCII characters of a target are sent as the bytes that were received."""
        return request.encode("utf-8", "surrogateescape")

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3 itself
        sock = self.sock
        response = super().getresponse()
        response.socket_read_from = sock if isinstance(sock, socket.socket) else None  # type: ignore[attr-defined]
        return response


class _CheckedConnection(_FramedConnection):
    allow_loopback = False

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        address = parse_address(sock.getpeername()[0])
        if address is None or is_forbidden(address, allow_loopback=self.allow_loopback):
            sock.close()
            raise UnsafeRedirectError(f"{self.host} resolves to {address}, where no result can be.")
        return sock


class _LocalConnection(_CheckedConnection):
    allow_loopback = True


class _ExactTarget(HTTPConnectionPool):
    """Send the ``target`` given to `urlopen` unchanged.

    urllib3 would resolve dot segments and write escapes in upper case, but a signature covers the exact text.
    """

    def _make_request(
        self, conn: Any, method: str, url: str, *args: Any, target: str | None = None, **arguments: Any
    ) -> urllib3.BaseHTTPResponse:
        return super()._make_request(conn, method, url if target is None else target, *args, **arguments)


@cache
def _pools(connection: type[HTTPConnection]) -> dict[str, type[HTTPConnectionPool]]:
    """The pools of such connections, by scheme: urllib3 has classes of their own for TLS."""
    over_tls = type(f"{connection.__name__}TLS", (connection, HTTPSConnection), {})
    return {
        "http": type("_Pool", (_ExactTarget,), {"ConnectionCls": connection}),
        "https": type("_TLSPool", (_ExactTarget, HTTPSConnectionPool), {"ConnectionCls": over_tls}),
    }


@cache
def _socks_pools() -> dict[str, type[HTTPConnectionPool]]:
    """The pools for a SOCKS proxy, which needs an optional package."""
    from urllib3.contrib.socks import SOCKSConnection

    return _pools(type("_SocksConnection", (_FramedConnection, SOCKSConnection), {}))


def cut(sock: socket.socket) -> None:
    """Wake a thread that blocks on ``sock``, with an error there."""
    with contextlib.suppress(OSError):
        # Not the TLS socket's own method: that drops the cipher, and the reader would get encrypted bytes.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Connections:
    """Connection pools. Close it after use.

    Args:
        allow_loopback: whether a link may lead to this machine.

    Raises:
        WorkerEnvironmentError: the CA bundle that the environment names cannot be used.
    """

    def __init__(self, *, allow_loopback: bool) -> None:
        self._allow_loopback = allow_loopback
        # No total: a result may take hours. A read without a byte for a minute fails.
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=IDLE_TIMEOUT)
        self._options: dict[str, Any] = {
            "maxsize": MOST_IDLE, "ssl_context": ssl_context(), "timeout": timeout, "retries": False,
        }  # fmt: skip
        self._direct = urllib3.PoolManager(**self._options)
        self._direct.pool_classes_by_scheme = _pools(_LocalConnection if allow_loopback else _CheckedConnection)
        self._last: tuple[str, HTTPConnectionPool | None] = "", None
        self._proxied: dict[Proxy, urllib3.PoolManager] = {}
        self._proxies = Proxies.from_environment()  # once: reading it costs a small file a tenth of its time

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Send one request; no redirect is followed, nothing is retried, and the body is not read yet.

        The target is sent as it is written in ``url``, without the fragment; only a blank, which would end it, is
        escaped.

        Raises:
            urllib3.exceptions.HTTPError: there is no response.
            OSError: likewise.
            ValueError: the URL is invalid.
            WorkerEnvironmentError: the proxy that the environment names is invalid.
        """
        found = _URL.fullmatch(url)
        if found is None:
            raise ValueError("not an http or https URL")
        origin, target = found[1], found[2].replace(" ", "%20")
        target = target if target.startswith("/") else f"/{target}"
        last, pool = self._last
        options: dict[str, Any] = {
            "headers": headers, "body": body, "redirect": False, "retries": _NONE, "preload_content": False,
            "decode_content": False,
        }  # fmt: skip
        if pool is not None and origin == last:
            return pool.urlopen(method, "/", target=target, **options)
        manager = self.for_url(url)
        if isinstance(manager, urllib3.ProxyManager):
            absolute = "" if urlsplit(origin).scheme == "https" else origin
            return manager.urlopen(method, f"{origin}/", target=f"{absolute}{target}", **options)
        # The manager takes any URL, but finding its pool costs a small file more than writing it. Only the pool of the
        # last origin is remembered: the manager closes pools that were not used for a long time.
        pool = manager.connection_from_url(origin)
        self._last = origin, pool
        return pool.urlopen(method, "/", target=target, **options)

    def for_url(self, url: str) -> urllib3.PoolManager:
        """The pool manager for ``url``: direct, or through the proxy that the environment names."""
        proxy = self._proxies.proxy_for(url)
        if proxy is None:
            return self._direct
        # The address that the proxy connects to is not visible here.
        check_resolved(urlsplit(url).hostname or "", allow_loopback=self._allow_loopback)
        if proxy not in self._proxied:
            self._proxied[proxy] = self._through(proxy)
        return self._proxied[proxy]

    def _through(self, proxy: Proxy) -> urllib3.PoolManager:
        if proxy.scheme == "socks5":
            from urllib3.contrib.socks import SOCKSProxyManager

            # The name goes to the proxy, which resolves it: "h". So does httpx's.
            url = proxy.url.replace("socks5", "socks5h")
            who = (proxy.username, proxy.password) if proxy.has_credentials else (None, None)
            manager: urllib3.PoolManager = SOCKSProxyManager(url, *who, **self._options)
            manager.pool_classes_by_scheme = _socks_pools()
            return manager
        headers = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else None
        tls = self._options["ssl_context"] if proxy.scheme == "https" else None
        manager = urllib3.ProxyManager(proxy.url, proxy_headers=headers, proxy_ssl_context=tls, **self._options)
        manager.pool_classes_by_scheme = _pools(_FramedConnection)
        return manager

    def close(self) -> None:
        """Close every connection."""
        self._last = "", None
        for manager in (self._direct, *self._proxied.values()):
            manager.clear()


_of_client: WeakKeyDictionary[BatchClient, Connections] = WeakKeyDictionary()


def connections_of(client: BatchClient, *, allow_loopback: bool) -> Connections:
    """The connections for all result files of one client: a new connection costs more than a small file.

    They are closed with the client, or when it is garbage-collected.
    """
    connections = _of_client.get(client)
    if connections is None:
        connections = _of_client[client] = Connections(allow_loopback=allow_loopback)
        client.at_close(connections.close)
        finalize(client, connections.close)
    return connections
