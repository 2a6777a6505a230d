"""Plain HTTP/1.1 connections that carry the parts of one upload.

`http.client` hands a body to the socket as it is; aiohttp, as botocore uses it, copies it, hashes it and cuts it small.
It also logs no address, and these hold signatures.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING

from airflow_provider_batchdl.transfer.sinks.s3.part import Part
from airflow_provider_batchdl.transfer.sinks.s3.presign import SignedPart
from airflow_provider_batchdl.transfer.source.connection import cut

if TYPE_CHECKING:
    import ssl

PIECE = 1 << 20
"""Bytes handed over at a time: the time limit holds for each piece."""
LARGEST_ANSWER = 64 << 10
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9.]+)\s*</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")


class StoppedError(Exception):
    """The upload is being given up."""


@dataclass(frozen=True)
class Answer:
    """The store's answer to one part.

    Args:
        status: the HTTP status.
        headers: by lower-case name.
        body: its beginning; empty where all is well.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The error code of S3's XML, else the status."""
        found = _CODE.search(self.body)
        return found[1].decode() if found else str(self.status)

    @property
    def message(self) -> str:
        """The error message of S3's XML, if any."""
        found = _MESSAGE.search(self.body)
        return found[1].decode(errors="replace") if found else ""


class Connections:
    """The connections to one host; each carries one part at a time and is reused for the next. Thread-safe.

    Args:
        tls: what to trust; None for plain HTTP.
        timeouts: seconds for connecting, and for each read and write.
    """

    def __init__(self, tls: ssl.SSLContext | None, timeouts: tuple[float, float]) -> None:
        self._tls = tls
        self._connect_seconds, self._io_seconds = timeouts
        self._lock = threading.Lock()
        self._idle: list[HTTPConnection] = []
        self._busy: set[HTTPConnection] = set()
        self._stopped = False

    def put(self, part: SignedPart, body: Part) -> Answer:
        """Send `body`.

        Raises:
            StoppedError: `stop` was called.
            OSError: the connection could not be made, broke, or stood still.
            HTTPException: what came is no HTTP.
        """
        while True:
            connection, used = self._take(part)
            try:
                answer = self._exchange(connection, part, body)
            except (OSError, HTTPException):
                self._give_back(connection, again=False)
                # The store may have closed what lay idle; that says nothing of the part.
                if used and not self._stopped:
                    continue
                raise
            except BaseException:
                self._give_back(connection, again=False)
                raise
            self._give_back(connection, again=connection.sock is not None and answer.status < 300)
            return answer

    def stop(self) -> None:
        """End what is under way, with an error there, and let nothing begin."""
        with self._lock:
            self._stopped = True
            busy = list(self._busy)
        for connection in busy:
            sock = connection.sock
            if sock is not None:
                cut(sock)
        self.close()

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self, part: SignedPart) -> tuple[HTTPConnection, bool]:
        with self._lock:
            if self._stopped:
                raise StoppedError
            used = bool(self._idle)
            connection = self._idle.pop() if used else self._new(part)
            self._busy.add(connection)
        return connection, used

    def _new(self, part: SignedPart) -> HTTPConnection:
        if part.https:
            return HTTPSConnection(part.host, part.port, timeout=self._connect_seconds, context=self._tls)
        return HTTPConnection(part.host, part.port, timeout=self._connect_seconds)

    def _give_back(self, connection: HTTPConnection, *, again: bool) -> None:
        with self._lock:
            self._busy.discard(connection)
            if again and not self._stopped:
                self._idle.append(connection)
                return
        connection.close()

    def _exchange(self, connection: HTTPConnection, part: SignedPart, body: Part) -> Answer:
        if connection.sock is None:
            connection.connect()
            _limit(connection.sock, self._io_seconds)
        headers = {"Content-Length": str(body.size), **part.headers}
        # A store that refuses answers and closes while the body is still on its way: read what it said.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request("PUT", part.target, body=self._pieces(body), headers=headers)
        with connection.getresponse() as response:
            said = response.read(LARGEST_ANSWER)
            if not response.isclosed():
                connection.close()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, said)

    def _pieces(self, body: Part) -> Iterator[memoryview]:
        for piece in body.pieces(PIECE):
            if self._stopped:
                raise StoppedError
            yield piece


def _limit(sock: socket.socket | None, seconds: float) -> None:
    """Let each read and write take that long."""
    if sock is not None:
        sock.settimeout(seconds)
