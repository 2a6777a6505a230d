"""A plain HTTP/1.1 connection that carries parts of an upload.

`http.client` hands a body to the socket as it is; aiohttp, as botocore uses it, copies it, hashes it and cuts it small.
It also logs no address, and these hold signatures.
"""

from __future__ import annotations

import contextlib
import re
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


class PartConnection:
    """The connection that carries one thread's parts, one after another; any other thread may `stop` it.

    Args:
        tls: what to trust; None for plain HTTP.
        timeouts: seconds for connecting, and for each read and write.
    """

    def __init__(self, tls: ssl.SSLContext | None, timeouts: tuple[float, float]) -> None:
        self._tls = tls
        self._connect_seconds, self._io_seconds = timeouts
        self._http: HTTPConnection | None = None
        self._stopped = False

    def put(self, part: SignedPart, body: Part) -> Answer:
        """Send `body`.

        Raises:
            StoppedError: `stop` was called.
            OSError: the connection could not be made, broke, or stood still.
            HTTPException: what came is no HTTP.
        """
        while True:
            used = self._http is not None and self._http.sock is not None
            try:
                answer = self._exchange(part, body)
            except BaseException as error:
                self.close()
                # The store may have closed what lay idle; that says nothing of the part.
                if used and isinstance(error, OSError | HTTPException) and not self._stopped:
                    continue
                raise
            if answer.status >= 300:
                self.close()
            return answer

    def stop(self) -> None:
        """End what is under way, with an error there, and let nothing begin."""
        self._stopped = True
        http = self._http
        if http is not None and (sock := http.sock) is not None:
            cut(sock)

    def close(self) -> None:
        """Close the connection; the next part makes another."""
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def _exchange(self, part: SignedPart, body: Part) -> Answer:
        if self._http is None:
            self._http = self._new(part)
        http = self._http
        if self._stopped:
            raise StoppedError
        if http.sock is None:
            self._connect(http)
        headers = {"Content-Length": str(body.size), **part.headers}
        # A store that refuses answers and closes while the body is still on its way: read what it said.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            http.request("PUT", part.target, body=self._pieces(body), headers=headers)
        with http.getresponse() as response:
            said = response.read(LARGEST_ANSWER)
            if not response.isclosed():
                http.close()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, said)

    def _new(self, part: SignedPart) -> HTTPConnection:
        if part.https:
            return HTTPSConnection(part.host, part.port, timeout=self._connect_seconds, context=self._tls)
        return HTTPConnection(part.host, part.port, timeout=self._connect_seconds)

    def _connect(self, http: HTTPConnection) -> None:
        http.connect()
        http.sock.settimeout(self._io_seconds)

    def _pieces(self, body: Part) -> Iterator[memoryview]:
        for piece in body.pieces(PIECE):
            if self._stopped:
                raise StoppedError
            yield piece
