"""Limits of one answer: seconds, and bytes on the wire, headers and ``1xx`` answers included.

``httpx`` has a time limit for each read, and no other: an answer of a byte a second, or of ``100 Continue`` for ever,
would hold a request without end. ``httpcore`` hands each new connection's stream to its ``trace`` extension
(https://www.encode.io/httpcore/extensions/); there, its reads are limited. What is written is not: a large file may
take as long as it takes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpcore

ANSWER_SECONDS = 120.0
"""Seconds from the first read of an answer to its last."""
# More than any answer's body may be (see `policy`), with its headers and its chunks' sizes.
MOST_BYTES = 64 * 2**20


class AnswerLimitError(Exception):
    """The answer takes too long, or is too large. The caller types it, knowing the request."""


class _Limit:
    """Counts what one connection reads after its last write; takes over the reads and writes of its stream."""

    def __init__(self, stream: httpcore.NetworkStream | httpcore.AsyncNetworkStream, seconds: float) -> None:
        self._stream_read: Any = stream.read
        self._stream_write: Any = stream.write
        self._seconds = seconds
        self._began: float | None = None
        self._bytes = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with self._in_time(timeout) as left:
            return self._count(self._stream_read(max_bytes, left))

    async def aread(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 httpcore's signature
        with self._in_time(timeout) as left:
            return self._count(await self._stream_read(max_bytes, left))

    def write(self, buffer: bytes, timeout: float | None = None) -> Any:
        """The stream's own, which is async or not, from a new start."""
        self._began, self._bytes = None, 0
        return self._stream_write(buffer, timeout)

    @contextmanager
    def _in_time(self, timeout: float | None) -> Iterator[float]:
        """Seconds that the read within may take."""
        now = time.monotonic()
        self._began = self._began or now
        left = self._began + self._seconds - now
        late = AnswerLimitError(f"it did not end within {self._seconds:g} s")
        if left <= 0:
            raise late
        if timeout is not None and timeout <= left:
            yield timeout
            return
        try:
            yield left
        except httpcore.ReadTimeout:
            raise late from None

    def _count(self, data: bytes) -> bytes:
        self._bytes += len(data)
        if self._bytes > MOST_BYTES:
            raise AnswerLimitError(f"it is larger than {MOST_BYTES:,} bytes on the wire")
        return data


def limit(event: str, info: dict[str, Any], seconds: float) -> None:
    """Limit the stream of a connection that was just made, of which ``event`` tells; any other event is ignored."""
    if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
        stream = info["return_value"]
        limited = _Limit(stream, seconds)
        stream.read = limited.aread if isinstance(stream, httpcore.AsyncNetworkStream) else limited.read
        stream.write = limited.write
