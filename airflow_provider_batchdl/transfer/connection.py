"""Connections for bulk bytes: urllib3, which reads at half the CPU cost of the next best that Airflow ships with.

Before a byte is sent, the address that a connection really reached is checked, since a name may resolve to anything.
"""

from __future__ import annotations

import socket
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_batchdl.client.policy import ssl_context
from airflow_provider_batchdl.exceptions import UnsafeRedirectError
from airflow_provider_batchdl.transfer.redirects import is_forbidden, parse_address

CONNECT_TIMEOUT = 10.0
IDLE_TIMEOUT = 60.0


class _CheckedConnection(HTTPConnection):
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


class _CheckedPool(HTTPConnectionPool):
    ConnectionCls = _CheckedConnection


class _CheckedTLSPool(HTTPSConnectionPool):
    ConnectionCls = _CheckedTLSConnection


class _LocalPool(HTTPConnectionPool):
    ConnectionCls = _LocalConnection


class _LocalTLSPool(HTTPSConnectionPool):
    ConnectionCls = _LocalTLSConnection


class Connections:
    """The connection pools of one transfer. Close it after use.

    Args:
        allow_loopback: whether a link may lead to this machine.
    """

    def __init__(self, *, allow_loopback: bool) -> None:
        self._direct = urllib3.PoolManager(ssl_context=ssl_context(), timeout=_timeout(), retries=False)
        self._direct.pool_classes_by_scheme = (
            {"http": _LocalPool, "https": _LocalTLSPool}
            if allow_loopback
            else {"http": _CheckedPool, "https": _CheckedTLSPool}
        )
        self._proxied: dict[str, urllib3.ProxyManager] = {}

    def for_url(self, url: str) -> urllib3.PoolManager:
        """The pool for ``url``: direct, or through the proxy that the environment names for it."""
        parts = urlsplit(url)
        proxies = getproxies()
        proxy = proxies.get(parts.scheme) or proxies.get("all")
        if not proxy or proxy_bypass(parts.hostname or ""):
            return self._direct
        if proxy not in self._proxied:
            address = proxy if "://" in proxy else f"http://{proxy}"
            self._proxied[proxy] = urllib3.ProxyManager(
                address,
                ssl_context=ssl_context(),
                timeout=_timeout(),
                retries=False,
                proxy_headers=_proxy_auth(address),
            )
        return self._proxied[proxy]

    def close(self) -> None:
        """Close every connection."""
        for manager in (self._direct, *self._proxied.values()):
            manager.clear()


def _timeout() -> urllib3.Timeout:
    # No total: a result may take hours. A read that brings nothing for a minute is given up.
    return urllib3.Timeout(connect=CONNECT_TIMEOUT, read=IDLE_TIMEOUT)


def _proxy_auth(proxy: str) -> dict[str, str] | None:
    auth = urllib3.util.parse_url(proxy).auth
    return urllib3.make_headers(proxy_basic_auth=auth) if auth else None
