"""Bounded, safe reading of an HTTP response.

Its body is bounded while it is decoded, and no library acts on its headers before we do.
"""

from __future__ import annotations

import zlib

import httpx

from airflow_provider_batchdl.client.inflating import ENOUGH, MEMBERS, Inflater, decoder_for

# What servers use although `identity` is asked for (RFC 9110, section 8.4.1). Any other word counts as none: what is no
# JSON then is found out by whoever reads it.
_CODINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
_AS_RECEIVED = "batchdl.headers"
_ACTED_ON = (b"location", b"set-cookie")
# These are not true of the body any more, once it has been read.
_OF_THE_WIRE = (b"content-encoding", b"content-length", b"transfer-encoding")


class UnreadableAnswerError(Exception):
    """An answer cannot be read. The message says why; the caller types it, knowing the request."""


def hide_headers(response: httpx.Response) -> httpx.Response:
    """Keep ``httpx`` from acting on ``Location`` and cookies, until :meth:`Answer.whole` gives all headers back.

    It makes a request of ``Location`` even where it is not to follow it, and raises over one that is no URL: the answer
    would be lost. Two accounts may share a process, and a cookie of one must not speak for the other.
    """
    response.extensions[_AS_RECEIVED] = response.headers
    response.headers = httpx.Headers([pair for pair in response.headers.raw if pair[0].lower() not in _ACTED_ON])
    return response


class Answer:
    """An answer while its body is received: at most ``largest`` bytes, coded and decoded."""

    def __init__(self, response: httpx.Response, largest: int) -> None:
        self._response, self._largest = response, largest
        self._wire, self._body = 0, bytearray()
        codings = [word.strip().lower() for word in response.headers.get("content-encoding", "").split(",")]
        known = [_CODINGS[coding] for coding in codings if coding in _CODINGS]
        if len(known) > 1:
            raise UnreadableAnswerError("it is compressed more than once")
        self._coding = known[0] if known else ""
        self._first = b""  # of a coded body, until it shows whether it is coded
        self._inflater: Inflater | None = None

    def feed(self, chunk: bytes) -> None:
        """Take a piece of the body as it was sent."""
        self._wire += len(chunk)
        if self._coding and self._inflater is None:
            self._first += chunk
            if len(self._first) < ENOUGH:
                return
            chunk = self._begin(whole=False)
        self._decode(chunk)

    def _decode(self, chunk: bytes) -> None:
        try:
            for piece in (chunk,) if self._inflater is None else self._inflater.feed(chunk):
                self._take(piece)
        except zlib.error as error:
            raise self._wrongly_coded(f"it is not {self._coding}, as it says: {error}") from None

    def _begin(self, *, whole: bool) -> bytes:
        """Decode the body from now on, unless it is not of its coding. Returns its first bytes."""
        start = decoder_for(self._first, self._coding, whole=whole)
        if start is None:
            self._coding = ""  # taken as it is: its reader says what is wrong with it, if anything is
        else:
            self._inflater = Inflater(start, MEMBERS[self._coding])
        return self._first

    def _take(self, piece: bytes) -> None:
        self._body += piece
        if max(len(self._body), self._wire) > self._largest:
            raise UnreadableAnswerError(f"it is larger than {self._largest:,} bytes")

    def _wrongly_coded(self, words: str) -> httpx.DecodingError:
        return httpx.DecodingError(words, request=self._response.request)

    def whole(self) -> httpx.Response:
        """The answer with its decoded body in memory, as if it had been read whole, and with all its headers."""
        if self._coding and self._inflater is None and self._first:
            self._decode(self._begin(whole=True))
        if self._inflater is not None and not self._inflater.ended:
            raise self._wrongly_coded(f"its {self._coding} body ends early")
        received: httpx.Headers = self._response.extensions.get(_AS_RECEIVED, self._response.headers)
        # As bytes: as text, they could not be put back where one of them is not ASCII.
        headers = [pair for pair in received.raw if pair[0].lower() not in _OF_THE_WIRE]
        return httpx.Response(
            self._response.status_code, headers=headers, content=bytes(self._body), request=self._response.request
        )
