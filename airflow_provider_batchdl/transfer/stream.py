"""The body of one answer: bytes as they come, or a typed error where they stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import urllib3
from urllib3.exceptions import HTTPError

from airflow_provider_batchdl.exceptions import TransferError
from airflow_provider_batchdl.transfer.connection import interrupt
from airflow_provider_batchdl.transfer.head import ResponseHead, read_head
from airflow_provider_batchdl.transfer.identity import Identity

# One read takes what has come, at most this much (see `connection`): a read of exactly so much would wait for all of
# it, however slowly it drips.
READ_SIZE = 1 << 20
# Slower than this over a whole minute is a stall that happens to drip.
SLOWEST = 1024
RATE_WINDOW = 60.0

_TIME_IS_UP = (TimeoutError, urllib3.exceptions.TimeoutError)


class InterruptedTransferError(TransferError):
    """The bytes stopped coming; the same request may go on where they stopped."""


class StalledTransferError(InterruptedTransferError):
    """The connection is there, and nothing comes, or too little."""


class ResultStream:
    """The body of one response, from ``start`` on.

    Args:
        response: the response, its body not read yet.
        url: what it answers, for the file's name. May hold a signature: never log it.
        start: the byte of the file at which the body starts.
        identity: the file; what the response says of it, where left out.
        head: the response's head, where it has been read.
    """

    def __init__(
        self,
        response: urllib3.BaseHTTPResponse,
        url: str,
        start: int,
        identity: Identity | None = None,
        head: ResponseHead | None = None,
    ) -> None:
        self._response = response
        self.url = url
        self.start = start
        self.head = head or read_head(response)
        self.identity = identity or self.head.identity
        self.status = self.head.status
        self.headers = dict(self.head.headers)
        self.coding = ", ".join(self.head.codings)
        """The content codings to be undone; empty for none."""
        if self.head.framing.length == 0:
            self.keep_coding()  # an empty file is empty however it is packed
        self._last: ResultStream | None = None

    def keep_coding(self) -> None:
        """The file is of its coding itself: its bytes are those on the wire."""
        self.coding = ""
        self.headers.pop("content-encoding", None)

    def ended_with(self, last: ResultStream) -> None:
        """The file that this answer began has come to its end by another one."""
        self._last = last
        if self.identity.total is None and not self.coding:
            self.identity = replace(self.identity, total=last.identity.total)

    @property
    def framing(self) -> str | None:
        """What shows that the file's end is its end: ``chunked``, ``content-length``, or None where nothing does.

        Of a file that came in several answers, the size that is known of it, else the framing of the last of them.
        """
        if self.identity.total is not None and not self.coding:
            return "content-length"
        return (self._last or self).head.framing.kind

    def __iter__(self) -> Iterator[bytes]:
        """The body's bytes as they come.

        Raises:
            InterruptedTransferError: they ended early, stopped, or came too slowly.
        """
        return self.chunks(lambda: READ_SIZE)

    def chunks(self, room: Callable[[], int]) -> Iterator[bytes]:
        """The same, each chunk no larger than there is room for when it is asked for; the end where there is none."""
        began, window_bytes = time.monotonic(), 0
        try:
            while chunk := self._response.read1(min(room(), READ_SIZE), decode_content=False):
                yield chunk
                window_bytes += len(chunk)
                elapsed = time.monotonic() - began
                if elapsed > RATE_WINDOW:
                    if window_bytes < SLOWEST * elapsed:
                        raise StalledTransferError(f"Only {window_bytes} bytes came in {elapsed:.0f} s.")
                    began, window_bytes = time.monotonic(), 0
        except (HTTPError, OSError) as error:
            kind = StalledTransferError if isinstance(error, _TIME_IS_UP) else InterruptedTransferError
            raise kind(f"The connection broke: {type(error).__name__}.") from None

    def close(self) -> None:
        """Close the connection: a response that was not read to its end cannot be used again."""
        self._response.close()

    def interrupt(self) -> None:
        """End a read that waits in another thread, with an error there."""
        interrupt(self._response)


def why_from_zero(before: ResultStream, now: ResultStream) -> str:
    """Why ``now`` does not go on where ``before`` broke, for people."""
    if before.coding:
        return "it comes compressed, and such a stream has no second half"
    if before.identity.validator is None:
        return "the source does not say whether it still has the same file"
    if now.identity != before.identity:
        return "the source has another file now"
    return "the source does not serve the rest alone"


def read_small(response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
    """What comes of a response's body within a minute, at most ``limit`` bytes; of a broken one what came before."""
    due, pieces, left = time.monotonic() + RATE_WINDOW, [], limit
    try:
        while left > 0 and time.monotonic() < due and (piece := response.read1(left, decode_content=False)):
            pieces.append(piece)
            left -= len(piece)
    except (HTTPError, OSError):
        pass  # what came of it has to do
    finally:
        response.close()
    return b"".join(pieces)
