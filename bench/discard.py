"""An S3 store that takes every object and keeps none, for less CPU than any client spends on sending.

Run as ``python discard.py LISTENER [CERTIFICATE KEY]``: LISTENER is the number of a descriptor that listens. On plain
connections Linux drops a body in the kernel (MSG_TRUNC on TCP), without a copy; over TLS it is decrypted and forgotten.
"""

from __future__ import annotations

import re
import socket
import socketserver
import ssl
import sys
from collections.abc import Callable

PIECE = 1 << 20
ETAG = '"0123456789abcdef0123456789abcdef"'


class Body:
    """One connection's bytes: lines are read, all else is dropped."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._held = b""
        self._scrap = bytearray(PIECE)
        tls = isinstance(sock, ssl.SSLSocket)
        self._drop: Callable[[int], int] = (
            (lambda count: sock.recv_into(self._scrap, min(count, PIECE)))
            if tls
            else (lambda count: sock.recv_into(self._scrap, min(count, PIECE), socket.MSG_TRUNC))
        )

    def line(self) -> bytes:
        """The next line, without its end; empty at the connection's end too."""
        while b"\r\n" not in self._held:
            more = self._sock.recv(4096)
            if not more:
                raise ConnectionError
            self._held += more
        found, _, self._held = self._held.partition(b"\r\n")
        return found

    def skip(self, count: int) -> None:
        """Drop ``count`` bytes."""
        taken = min(count, len(self._held))
        self._held = self._held[taken:]
        count -= taken
        while count:
            dropped = self._drop(count)
            if not dropped:
                raise ConnectionError
            count -= dropped

    def skip_chunks(self) -> None:
        """Drop a chunked body and its trailers."""
        while size := int(self.line().partition(b";")[0], 16):
            self.skip(size + 2)
        while self.line():
            pass


class Store(socketserver.BaseRequestHandler):
    """Answers as S3 does to PutObject and the multipart calls."""

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = Body(self.request)
        try:
            while True:
                self.answer(body)
        except (OSError, ValueError):
            return

    def answer(self, body: Body) -> None:
        method, target, _ = body.line().decode().split(" ", 2)
        headers = {}
        while line := body.line().decode():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self.request.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in headers.get("transfer-encoding", ""):
            body.skip_chunks()
        else:
            body.skip(int(headers.get("content-length", 0)))
        status, text = self.result(method, target)
        self.request.sendall(
            f"HTTP/1.1 {status}\r\nETag: {ETAG}\r\nContent-Type: application/xml\r\n"
            f"Content-Length: {len(text)}\r\n\r\n{text}".encode()
        )

    def result(self, method: str, target: str) -> tuple[str, str]:
        if method == "POST" and re.search(r"[?&]uploads\b", target):
            return "200 OK", _xml("InitiateMultipartUploadResult", "<UploadId>upload</UploadId>")
        if method == "POST":
            return "200 OK", _xml("CompleteMultipartUploadResult", f"<ETag>{ETAG}</ETag>")
        if method == "PUT":
            return "200 OK", ""
        if method == "DELETE":
            return "204 No Content", ""
        return "404 Not Found", ""  # nothing is ever kept


def _xml(name: str, inside: str) -> str:
    names = "<Bucket>bench</Bucket><Key>object</Key>"
    return f'<?xml version="1.0"?><{name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{names}{inside}</{name}>'


class Server(socketserver.ThreadingTCPServer):
    """A thread for each connection; the client's pool keeps few."""

    daemon_threads = True

    def __init__(self, listening: int, tls: tuple[str, str] | None) -> None:
        super().__init__(("127.0.0.1", 0), Store, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=listening)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if tls else None
        if self._context and tls:
            self._context.load_cert_chain(*tls)

    def finish_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        if self._context is None:
            return super().finish_request(request, client_address)
        try:
            secured = self._context.wrap_socket(request, server_side=True)
        except OSError:
            return None
        with secured:
            return super().finish_request(secured, client_address)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    Server(int(arguments[0]), (arguments[1], arguments[2]) if len(arguments) == 3 else None).serve_forever()
