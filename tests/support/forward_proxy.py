"""Forward proxies on loopback, as a cluster has them at its edge: by HTTP (RFC 9110, section 7.7, and CONNECT) and by
SOCKS5 (RFC 1928, RFC 1929).

A proxy knows names that no resolver here does, and leads them to servers on loopback.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

from tests.support.running import running

Address = tuple[str, int]


@dataclass
class ForwardProxy:
    """A proxy that runs.

    Args:
        username: who may use it; empty for anybody.
        password: of that user.
        names: where it leads each host; other names are refused, and addresses are what they are.
        asked: the targets of requests as they came: URLs of plain ones, ``host:port`` of tunnels.
        seen: the heads of requests as they came, in clear: of a tunnel, what asks for it.
        refused: how many came without the credentials.
    """

    username: str = ""
    password: str = ""
    names: dict[str, Address] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    seen: list[bytes] = field(default_factory=list)
    refused: int = 0
    port: int = 0

    def url(self, scheme: str = "http", userinfo: str = "") -> str:
        """Its URL, with credentials as they are to be written there."""
        return f"{scheme}://{userinfo}{'@' * bool(userinfo)}127.0.0.1:{self.port}"

    def leads_to(self, host: str, port: int) -> Address | None:
        """Where it connects to; None for a name that it does not know."""
        return self.names.get(host) or ((host, port) if host == "127.0.0.1" else None)

    def allows(self, authorization: bytes) -> bool:
        """Whether a ``Proxy-Authorization`` is the right one."""
        right = base64.b64encode(f"{self.username}:{self.password}".encode())
        allowed = not self.username or authorization == b"Basic " + right
        self.refused += not allowed
        return allowed


def pump(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either side ends."""

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                sink.sendall(piece)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    back = threading.Thread(target=carry, args=(other, one), daemon=True)
    back.start()
    carry(one, other)
    back.join(10)


class _Handler(StreamRequestHandler):
    server: Any

    @property
    def proxy(self) -> ForwardProxy:
        proxy: ForwardProxy = self.server.proxy
        return proxy


class _HttpHandler(_Handler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self._handle()

    def _handle(self) -> None:
        request_line = self.rfile.readline()
        fields: list[bytes] = []
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            fields.append(line)
        if not request_line:
            return
        self.proxy.seen.append(request_line + b"".join(fields))
        method, target, _ = request_line.split(b" ")
        named = {name.lower(): value.strip() for name, _, value in (each.partition(b":") for each in fields)}
        if not self.proxy.allows(named.get(b"proxy-authorization", b"")):
            self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        self.proxy.asked.append(target.decode("latin-1"))
        authority, slash, rest = (target if method == b"CONNECT" else target.partition(b"://")[2]).partition(b"/")
        host, _, port = authority.decode().partition(":")
        there = self.proxy.leads_to(host, int(port or 80))
        if there is None:
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(there, timeout=30) as server:
            if method == b"CONNECT":
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                kept = [each for each in fields if not each.lower().startswith((b"proxy-", b"connection:"))]
                head = b"%s %s%s HTTP/1.1\r\n" % (method, slash or b"/", rest)
                server.sendall(head + b"".join(kept) + b"Connection: close\r\n\r\n")
                server.sendall(self.rfile.read(int(named.get(b"content-length", 0))))
                status, _, following = server.recv(1 << 16).partition(b"\r\n")
                self.connection.sendall(status + b"\r\nConnection: close\r\n" + following)
            pump(self.connection, server)


class _SocksHandler(_Handler):
    def handle(self) -> None:
        with contextlib.suppress(OSError, struct.error):
            self._handle()

    def _handle(self) -> None:
        _, count = self.rfile.read(2)
        methods = self.rfile.read(count)
        wanted = 2 if self.proxy.username else 0
        self.wfile.write(bytes([5, wanted if wanted in methods else 255]))
        if wanted == 2:
            self.rfile.read(1)
            username, password = (self.rfile.read(self.rfile.read(1)[0]).decode() for _ in range(2))
            allowed = (username, password) == (self.proxy.username, self.proxy.password)
            self.proxy.refused += not allowed
            self.wfile.write(bytes([1, not allowed]))
            if not allowed:
                return
        _, _, _, kind = self.rfile.read(4)
        address = self.rfile.read(4 if kind == 1 else self.rfile.read(1)[0])
        host = socket.inet_ntoa(address) if kind == 1 else address.decode()
        (port,) = struct.unpack("!H", self.rfile.read(2))
        self.proxy.asked.append(f"{host}:{port}")
        there = self.proxy.leads_to(host, port)
        self.wfile.write(bytes([5, 0 if there else 4, 0, 1, 0, 0, 0, 0, 0, 0]))
        if there:
            with socket.create_connection(there, timeout=30) as server:
                pump(self.connection, server)


class _Server(ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    proxy: ForwardProxy

    def __init__(self, handler: type[_Handler], certificate: Path | None) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, *_: object) -> None:
        """A client that ends in the middle, or trusts no one, is none of a test's business."""


@contextlib.contextmanager
def http_proxy(proxy: ForwardProxy, *, certificate: Path | None = None) -> Iterator[ForwardProxy]:
    """``proxy``, which is spoken to by HTTP, or with a certificate by HTTPS."""
    with running(_Server(_HttpHandler, certificate)) as server:
        server.proxy, proxy.port = proxy, server.server_address[1]
        yield proxy


@contextlib.contextmanager
def socks_proxy(proxy: ForwardProxy) -> Iterator[ForwardProxy]:
    """``proxy``, which is spoken to by SOCKS5."""
    with running(_Server(_SocksHandler, None)) as server:
        server.proxy, proxy.port = proxy, server.server_address[1]
        yield proxy


class _TlsHandler(_Handler):
    def handle(self) -> None:
        with contextlib.suppress(OSError), socket.create_connection(self.server.behind, timeout=30) as server:
            pump(self.connection, server)


@contextlib.contextmanager
def tls_front(behind: Address, certificate: Path) -> Iterator[int]:
    """The port of what takes TLS on loopback and hands all that comes to a server that speaks none."""
    server: Any = _Server(_TlsHandler, certificate)
    server.behind = behind
    with running(server):
        yield server.server_address[1]
