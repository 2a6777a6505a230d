"""Undoing a content coding that was applied although ``identity`` was asked for."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from airflow_provider_batchdl.exceptions import TruncatedDownloadError, UnexpectedResponseError
from airflow_provider_batchdl.redaction import excerpt

_PIECE = 2**20
_WBITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


def is_coded(coding: str) -> bool:
    """Whether a ``Content-Encoding`` says that the bytes on the wire are not those of the file."""
    return coding.strip().lower() not in ("", "identity")


def decoded(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """``chunks`` decoded, in pieces of at most 1 MiB however well they were compressed.

    Args:
        chunks: the body as it came.
        coding: the ``Content-Encoding``; empty or ``identity`` for none.

    Raises:
        UnexpectedResponseError: the coding is not one of gzip and deflate (RFC 9110, section 8.4.1), or the data
            is not of it.
        TruncatedDownloadError: the coded data ends early.
    """
    if not is_coded(coding):
        yield from chunks
        return
    coding = coding.strip().lower()
    if coding not in _WBITS:
        raise UnexpectedResponseError(f"The server used the content coding {excerpt(coding, 40)!r} unasked.")
    decoder = zlib.decompressobj(_WBITS[coding])
    for chunk in chunks:
        data = chunk
        while data:
            if decoder.eof:  # gzip allows one member after another
                decoder = zlib.decompressobj(_WBITS[coding])
            try:
                piece = decoder.decompress(data, _PIECE)
            except zlib.error as error:
                raise UnexpectedResponseError(f"The body is not {coding}, as it claims: {error}.") from error
            data = decoder.unconsumed_tail or decoder.unused_data
            if piece:
                yield piece
    if not decoder.eof:
        raise TruncatedDownloadError(f"The {coding} body ends early.")
