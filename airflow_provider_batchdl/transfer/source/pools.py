"""Pools for urllib3 whose connections enforce a response's framing.

The address that a connection really reached is checked before a byte is sent, since a name may resolve to anything. A
request's target is sent as written.
"""

from __future__ import annotations

import socket
from functools import cache
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_batchdl.client.targets import is_forbidden, parse_address
from airflow_provider_batchdl.exceptions import UnsafeRedirectError
from airflow_provider_batchdl.transfer.source.framing import FramedResponse


class _FramedConnection(HTTPConnection):
    response_class = FramedResponse

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


def _pools(connection: type[HTTPConnection]) -> dict[str, type[HTTPConnectionPool]]:
    """The pools of such connections, by scheme: urllib3 has classes of their own for TLS."""
    over_tls = type(f"{connection.__name__}TLS", (connection, HTTPSConnection), {})
    return {
        "http": type("_Pool", (_ExactTarget,), {"ConnectionCls": connection}),
        "https": type("_TLSPool", (_ExactTarget, HTTPSConnectionPool), {"ConnectionCls": over_tls}),
    }


TO_ANYWHERE = _pools(_LocalConnection)
TO_OTHERS = _pools(_CheckedConnection)
TO_PROXIES = _pools(_FramedConnection)


@cache
def to_socks_proxies() -> dict[str, type[HTTPConnectionPool]]:
    """The pools for a SOCKS proxy, which needs an optional package."""
    from urllib3.contrib.socks import SOCKSConnection

    return _pools(type("_SocksConnection", (_FramedConnection, SOCKSConnection), {}))
