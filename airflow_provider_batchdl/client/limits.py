"""Limits of one answer: seconds, and bytes on the wire, headers and ``1xx`` answers included.

``httpx`` has a time limit for each read, and no other: an answer of a byte a second, or of ``100 Continue`` for ever,
would hold a request without end. ``httpcore`` hands each new connection's stream to its ``trace`` extension
(https://www.encode.io/httpcore/extensions/); there, its reads are limited. What is written is not: a large file may
take as long as it takes.
"""

from __future__ import annotations

import time
from typing import Any

import httpcore

ANSWER_SECONDS = 120.0
"""Seconds from the first read of an answer to its last."""
# More than any answer's body may be (see `policy`), with its headers and its chunks' sizes.
MOST_BYTES = 64 * 2**20


class AnswerLimitError(Exception):
    """The answer takes too long, or is too large. The caller types it, knowing the request."""


class _Limit:
    """Counts what one connection reads after its last write.

    Args:
        stream: the connection's stream, whose reads it takes over.
        seconds: how long an answer may take.
    """

    def __init__(self, stream: httpcore.NetworkStream | httpcore.AsyncNetworkStream, seconds: float) -> None:
        self._read: Any = stream.read
        self._write: Any = stream.write
        self._seconds = seconds
        self._began: float | None = None
        self._bytes = 0

    def _begin(self) -> None:
        self._began, self._bytes = None, 0

    def _left(self, timeout: float | None) -> float:
        """Seconds that the next read may take."""
        now = time.monotonic()
        self._began = self._began or now
        left = self._began + self._seconds - now
        if left <= 0:
            raise self._late()
        return left if timeout is None else min(timeout, left)

    def _late(self) -> AnswerLimitError:
        return AnswerLimitError(f"it did not end within {self._seconds:g} s")

    def _count(self, data: bytes) -> bytes:
        self._bytes += len(data)
        if self._bytes > MOST_BYTES:
            raise AnswerLimitError(f"it is larger than {MOST_BYTES:,} bytes on the wire")
        return data


class _SyncLimit(_Limit):
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._left(timeout)
        try:
            return self._count(self._read(max_bytes, left))
        except httpcore.ReadTimeout:
            if left != timeout:
                raise self._late() from None
            raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._begin()
        self._write(buffer, timeout)


class _AsyncLimit(_Limit):
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 httpcore's signature
        left = self._left(timeout)
        try:
            return self._count(await self._read(max_bytes, left))
        except httpcore.ReadTimeout:
            if left != timeout:
                raise self._late() from None
            raise

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self._begin()
        await self._write(buffer, timeout)


def limit(event: str, info: dict[str, Any], seconds: float, *, is_async: bool) -> None:
    """Limit the stream of a connection that was just made; any other event is ignored.

    Args:
        event: the event's name, as ``httpcore`` reports it.
        info: what it says of the event.
        seconds: how long an answer may take.
        is_async: which of the two clients it is.
    """
    if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
        stream = info["return_value"]
        limited = (_AsyncLimit if is_async else _SyncLimit)(stream, seconds)
        stream.read, stream.write = limited.read, limited.write
