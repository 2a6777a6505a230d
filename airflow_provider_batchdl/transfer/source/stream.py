"""The body of a response: its bytes, or a typed error where they stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

import httpx
import urllib3
from urllib3.exceptions import HTTPError

from airflow_provider_batchdl._redaction.redactor import remember_link
from airflow_provider_batchdl.exceptions import BatchDlError, TransferError
from airflow_provider_batchdl.transfer.source.connection import cut
from airflow_provider_batchdl.transfer.source.decoding import decoded
from airflow_provider_batchdl.transfer.source.head import Identity, ResponseHead

# A read returns what has arrived, at most this much (see `GatheredBytes`).
READ_SIZE = 1 << 20
# Bytes a second; a slower minute counts as a stall.
SLOWEST = 1024
RATE_WINDOW = 60.0
LARGEST_ERROR_BODY = 64 * 1024

_TIME_IS_UP = (TimeoutError, urllib3.exceptions.TimeoutError)


class InterruptedTransferError(TransferError):
    """The response was cut; a range request can resume it."""


class StalledTransferError(InterruptedTransferError):
    """The connection is open, but no bytes arrive, or too few."""


class ResultStream:
    """The body of one response, which starts at a byte of the file; its URL may hold a signature: never log it."""

    def __init__(
        self,
        response: urllib3.BaseHTTPResponse,
        url: str,
        head: ResponseHead,
        start: int = 0,
        identity: Identity | None = None,
    ) -> None:
        self._response = response
        self.url = url
        self.head = head
        self.start = start
        self.identity = identity or head.identity
        self.status = self.head.status
        self.headers = dict(self.head.headers)
        self.coding = ", ".join(self.head.codings)
        """The content codings to decode; empty for none."""
        if self.head.framing.length == 0:
            self._decode_only(())  # an empty file is empty in every coding
        self._last: ResultStream | None = None

    def keep_coding(self) -> None:
        """Do not undo the first coding: the stored file itself is of it, and so are its checksums."""
        self._decode_only(self.head.codings[1:])
        self.headers.pop("x-goog-stored-content-encoding", None)

    def _decode_only(self, codings: Sequence[str]) -> None:
        self.coding = self.headers["content-encoding"] = ", ".join(codings)
        if not codings:
            del self.headers["content-encoding"]

    def ended_at(self, size: int) -> None:
        """Note that a 416 said that the file ends after so many bytes."""
        self.identity = replace(self.identity, total=size)

    def ended_with(self, last: ResultStream) -> None:
        """Note the response that brought the end of the file that this one began."""
        self._last = last
        if self.identity.total is None and not self.coding:
            self.identity = replace(self.identity, total=last.identity.total)

    @property
    def framing(self) -> str | None:
        """The framing that proves the file's end: ``chunked``, ``content-length``, or None.

        For a file of several responses its known size: a last part that does not say that nothing follows it
        (``bytes 40-99/*``) proves nothing.
        """
        if self.identity.total is not None and not self.coding:
            return "content-length"
        return None if (self._last or self).start else self.head.framing.kind

    def __iter__(self) -> Iterator[bytes]:
        """Read the body's bytes as they arrive.

        Raises:
            InterruptedTransferError: they ended early, stopped, or were too slow.
        """
        return self.chunks(lambda: READ_SIZE)

    def chunks(self, room: Callable[[], int]) -> Iterator[bytes]:
        """The body's bytes as they arrive, each chunk at most ``room()`` bytes; ends where that is 0."""
        began, window_bytes = time.monotonic(), 0
        try:
            while chunk := self._response.read1(min(room(), READ_SIZE), decode_content=False):
                yield chunk
                window_bytes += len(chunk)
                elapsed = time.monotonic() - began
                if elapsed > RATE_WINDOW:
                    if window_bytes < SLOWEST * elapsed:
                        raise StalledTransferError(f"Only {window_bytes} bytes arrived in {elapsed:.0f} s.")
                    began, window_bytes = time.monotonic(), 0
        except (HTTPError, OSError) as error:
            kind = StalledTransferError if isinstance(error, _TIME_IS_UP) else InterruptedTransferError
            raise kind(f"The connection was lost: {type(error).__name__}.") from None

    def close(self) -> None:
        """Close the response; its connection is reused only if it was read to its end."""
        self._response.close()

    def interrupt(self) -> None:
        """Interrupt a read that blocks in another thread, with an error there; closing the socket would not wake it.

        This does not work through an HTTPS proxy: there the read ends with the next bytes, or after `IDLE_TIMEOUT`.
        """
        sock = getattr(self._response, "socket_read_from", None)
        if sock is not None:
            cut(sock)


def why_restarted(before: ResultStream, now: ResultStream) -> str:
    """Reason, for the log, why ``now`` does not resume where ``before`` was interrupted."""
    if before.coding:
        return "compressed responses have no ranges"
    if before.identity.validator is None:
        return "the source has no validator: the file may have changed"
    if now.identity != before.identity:
        return "the file at the source has changed"
    return "the source ignored the range request"


def error_answer(response: urllib3.BaseHTTPResponse, head: ResponseHead, url: str) -> httpx.Response:
    """The response that refuses a download, with its body, which is decoded and may be incomplete.

    Stores and gateways repeat a link's signature or token in the words of their refusal: from now on, those are hidden.
    """
    remember_link(url)
    body = _read_small(response)
    with suppress(BatchDlError):  # it is no such coding, or cut
        body = b"".join(islice(decoded([body], ", ".join(head.codings)), 1))
    coded = ("content-encoding", "content-length", "transfer-encoding")
    headers = [(name.encode(), value.encode("latin-1")) for name, value in head.headers.items() if name not in coded]
    return httpx.Response(head.status, headers=headers, content=body)


def _read_small(response: urllib3.BaseHTTPResponse) -> bytes:
    """Read at most `LARGEST_ERROR_BODY` of a response's body within a minute; of an interrupted one what arrived."""
    due, body = time.monotonic() + RATE_WINDOW, b""
    try:
        while (left := LARGEST_ERROR_BODY - len(body)) and time.monotonic() < due:
            piece = response.read1(left, decode_content=False)
            if not piece:
                break
            body += piece
    except (HTTPError, OSError):
        pass  # what arrived is enough
    finally:
        response.close()
    return body
