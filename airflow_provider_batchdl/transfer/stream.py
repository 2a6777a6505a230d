"""The body of one answer: bytes as they come, or a typed error where they stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import urllib3
from urllib3.exceptions import HTTPError

from airflow_provider_batchdl.exceptions import TransferError
from airflow_provider_batchdl.transfer.connection import interrupt
from airflow_provider_batchdl.transfer.decoding import is_coded
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
    """

    def __init__(
        self,
        response: urllib3.BaseHTTPResponse,
        url: str,
        start: int,
        identity: Identity,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._response = response
        self.url = url
        self.start = start
        self.identity = identity
        self.status = response.status
        self.headers = lower(response.headers) if headers is None else headers

    @property
    def coding(self) -> str:
        """The content coding of the body; empty for none."""
        coding = self.headers.get("content-encoding", "")
        return coding if is_coded(coding) else ""

    @property
    def framing(self) -> str | None:
        """What tells the body's end: ``chunked``, ``content-length``, or None where only the connection's end does."""
        if self.headers.get("transfer-encoding", "").lower().endswith("chunked"):
            return "chunked"
        return "content-length" if "content-length" in self.headers else None

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


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    """``headers`` with lower-case names."""
    return {name.lower(): value for name, value in headers.items()}
