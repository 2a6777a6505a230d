"""Not contenders: what this machine can do at best, in Python, with nothing else to do."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from bench.contenders import Order, Work
from bench.contenders.source import MIB


def sockets(order: Order) -> Work:
    """Receive the file and forget it, by ``connections`` sockets (1), the file's bytes divided among them."""
    connected = _connector(order)
    many = order.get("connections", 1)
    share = order["bytes"] // many

    def receive(number: int) -> None:
        scrap = bytearray(MIB)
        with connected(order["base"]) as sock:
            span = f"bytes={number * share}-{(number + 1) * share - 1}"
            sock.sendall(f"GET /{order['file']} HTTP/1.1\r\nHost: bench\r\nRange: {span}\r\n\r\n".encode())
            received = 0
            while received < share:
                count = sock.recv_into(scrap)
                if not count:
                    raise ConnectionError("the source ended early")
                received += count

    def work() -> None:
        with ThreadPoolExecutor(many) as threads:
            list(threads.map(receive, range(many)))

    return work


def sending(order: Order) -> Work:
    """Send the file's size from memory to the store, as one object."""
    block, connected = os.urandom(MIB), _connector(order)

    def work() -> None:
        with connected(order["s3"]) as sock:
            sock.sendall(f"PUT /bench/object HTTP/1.1\r\nContent-Length: {order['bytes']}\r\n\r\n".encode())
            for _ in range(order["bytes"] // MIB):
                sock.sendall(block)
            if not sock.recv(MIB).startswith(b"HTTP/1.1 200"):
                raise ConnectionError("the store did not take it")

    return work


def _connector(order: Order) -> Callable[[str], socket.socket]:
    """Opens a connection to a URL's host, secured where the order has a certificate."""
    context = ssl.create_default_context(cafile=order["certificate"]) if order.get("certificate") else None

    def connected(url: str) -> socket.socket:
        parts = urlsplit(url)
        plain = socket.create_connection((str(parts.hostname), int(parts.port or 80)))
        return context.wrap_socket(plain, server_hostname=str(parts.hostname)) if context else plain

    return connected


def disk(order: Order) -> Work:
    """Write the file's size from memory, then `fsync` where ``flush`` is ordered."""
    block = os.urandom(MIB)

    def work() -> None:
        descriptor = os.open(order["target"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for _ in range(order["bytes"] // MIB):
            os.write(descriptor, block)
        if order["flush"]:
            os.fsync(descriptor)
        os.close(descriptor)

    return work


def hashlib_sha256(order: Order) -> Work:
    """SHA-256 of the file's size, in pieces of 1 MiB from memory."""
    block = os.urandom(MIB)

    def work() -> None:
        digest = hashlib.sha256()
        for _ in range(order["bytes"] // MIB):
            digest.update(block)

    return work
