"""Decode a content coding that was applied although ``identity`` was requested.

Many values of ``Content-Encoding`` are no codings (``aws-chunked``, ``utf-8``, ``binary``, ``none``), and many bodies
are declared as compressed but are not: the bytes decide, and bytes that are not of the coding are the file's own.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from airflow_provider_batchdl._redaction.redactor import excerpt, get_logger
from airflow_provider_batchdl.client.inflating import ENOUGH, MEMBERS, Inflater, decoder_for
from airflow_provider_batchdl.exceptions import TruncatedDownloadError, UnexpectedResponseError
from airflow_provider_batchdl.transfer.content.formats import coded_suffixes

log = get_logger(__name__)

_DECODABLE = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
# Registered codings (https://www.iana.org/assignments/http-parameters) that are not decoded here.
_FOREIGN = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip", "bzip2", "x-bzip2"})
_MOST_CODINGS = 3


def codings_of(text: str) -> tuple[str, ...]:
    """The real codings of a ``Content-Encoding``, in the order in which they were applied."""
    if not text:
        return ()  # mostly
    words = (word.partition(";")[0].strip().lower() for word in text.split(","))
    known = (_DECODABLE.get(word) or (word.removeprefix("x-") if word in _FOREIGN else None) for word in words)
    return tuple(coding for coding in known if coding)


def is_stored_coded(filename: str, codings: tuple[str, ...]) -> bool:
    """True if a file's name says that the stored file is of the first coding: ``x.csv.gz`` with ``gzip``.

    S3 and Google Cloud Storage serve many such files with ``Content-Encoding: gzip``; whoever packs them again on the
    way adds a coding behind it.
    """
    return bool(codings) and filename.lower().endswith(coded_suffixes(codings[0]))


def decoded(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """Decode ``chunks`` into pieces of at most 1 MiB, whatever the compression ratio.

    Bytes that are not of the coding pass unchanged.

    Raises:
        UnexpectedResponseError: the coding is not one of gzip and deflate (RFC 9110, section 8.4.1), or the
            data becomes invalid.
        TruncatedDownloadError: the coded data ends early.
    """
    codings = codings_of(coding)
    pieces = iter(chunks)
    if len(codings) > _MOST_CODINGS or any(each not in _DECODABLE for each in codings):
        return _refused(pieces, coding)
    for each in reversed(codings):
        pieces = _decode_one(pieces, each)
    return pieces


def _refused(chunks: Iterator[bytes], coding: str) -> Iterator[bytes]:
    for chunk in chunks:
        if chunk:  # an empty body is empty in every coding
            raise UnexpectedResponseError(
                f"The server sent an unsupported Content-Encoding, {excerpt(coding, 40)!r}; none was requested."
            )
        yield chunk


def _decode_one(chunks: Iterator[bytes], coding: str) -> Iterator[bytes]:
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= ENOUGH:
            break
    if not first:
        return  # empty in every coding; the framing says whether it should be
    if coding == "gzip" and MEMBERS[coding].startswith(first):
        raise TruncatedDownloadError("The gzip body ends early.")
    start = decoder_for(first, coding, whole=len(first) < ENOUGH)
    if start is None:
        log.warning("Content-Encoding says %s, but the body is not; storing it unchanged", coding)
        yield first
        yield from chunks
        return
    yield from _inflated(chain([first], chunks), coding, start)


def _inflated(chunks: Iterable[bytes], coding: str, start: Callable[[], zlib._Decompress]) -> Iterator[bytes]:
    inflater = Inflater(start, MEMBERS[coding])
    for chunk in chunks:
        try:
            yield from inflater.feed(chunk)
        except zlib.error as error:
            raise UnexpectedResponseError(f"The body is not {coding}, as declared: {error}.") from error
    if not inflater.ended:
        raise TruncatedDownloadError(f"The {coding} body ends early.")
    if inflater.has_rest:
        log.warning("Ignoring bytes behind the end of the %s body", coding)
