"""Undoing a content coding that was applied although ``identity`` was asked for.

Much that stands in ``Content-Encoding`` is none (``aws-chunked``, ``utf-8``, ``binary``, ``none``), and much that is
said to be packed is not: what the bytes are decides, and bytes that are of no coding are the file's own.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from airflow_provider_batchdl.client.inflating import LARGEST_PIECE, Inflater
from airflow_provider_batchdl.exceptions import TruncatedDownloadError, UnexpectedResponseError
from airflow_provider_batchdl.redaction import excerpt, get_logger

log = get_logger(__name__)

_GZIP = b"\x1f\x8b\x08"
# Bytes after which text is surely no deflate; that has no other mark.
_ENOUGH = 512
_UNDONE = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
# Registered ones (https://www.iana.org/assignments/http-parameters) that nothing here undoes.
_FOREIGN = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip", "bzip2", "x-bzip2"})
_MOST_CODINGS = 3
# File names of which a coding is the format itself: a store's note of what it holds, not something done on the way.
_SUFFIXES = {
    "gzip": (".gz", ".gzip", ".tgz"),
    "br": (".br",),
    "zstd": (".zst", ".zstd"),
    "compress": (".z",),
    "bzip2": (".bz2", ".bzip2"),
}


def codings_of(text: str) -> tuple[str, ...]:
    """The codings that a ``Content-Encoding`` names, in the order in which they were applied, without what is none."""
    if not text:
        return ()
    words = (word.strip().lower() for word in text.split(","))
    known = (_UNDONE.get(word) or (word.removeprefix("x-") if word in _FOREIGN else None) for word in words)
    return tuple(coding for coding in known if coding)


def is_coded(coding: str) -> bool:
    """Whether a ``Content-Encoding`` says that the bytes on the wire are not those of the file."""
    return bool(codings_of(coding))


def is_stored_coded(filename: str, codings: tuple[str, ...]) -> bool:
    """Whether a file's name says that it is of its coding itself: ``x.csv.gz`` with ``gzip`` is meant packed.

    S3 and Google Cloud Storage keep ``Content-Encoding: gzip`` with many a packed file.
    """
    return len(codings) == 1 and filename.lower().endswith(_SUFFIXES.get(codings[0], ()))


def decoded(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """``chunks`` decoded, in pieces of at most 1 MiB however well they were compressed.

    Bytes that are not of the coding come as they are.

    Args:
        chunks: the body as it came.
        coding: the ``Content-Encoding``; empty or ``identity`` for none.

    Raises:
        UnexpectedResponseError: the coding is not one of gzip and deflate (RFC 9110, section 8.4.1), or the data
            stops to be of it.
        TruncatedDownloadError: the coded data ends early.
    """
    codings = codings_of(coding)
    pieces = iter(chunks)
    if len(codings) > _MOST_CODINGS or any(each not in _UNDONE for each in codings):
        return _refused(pieces, coding)
    for each in reversed(codings):
        pieces = _undone(pieces, each)
    return pieces


def _refused(chunks: Iterator[bytes], coding: str) -> Iterator[bytes]:
    for chunk in chunks:
        if chunk:  # nothing is nothing in every coding
            raise UnexpectedResponseError(
                f"The server used the content coding {excerpt(coding, 40)!r} unasked, and it cannot be undone here."
            )
        yield chunk


def _undone(chunks: Iterator[bytes], coding: str) -> Iterator[bytes]:
    first, whole = b"", True
    for chunk in chunks:
        first += chunk
        if len(first) >= _ENOUGH:
            whole = False
            break
    if not first:
        return  # an empty file is empty in every coding; whether it is one, its framing says
    if coding == "gzip" and _GZIP.startswith(first):
        raise TruncatedDownloadError("The gzip body ends early.")
    start = _decoder_for(first, coding, whole=whole)
    if start is None:
        log.warning("The body is declared as %s but is not; it is taken as it is.", coding)
        yield first
        yield from chunks
        return
    yield from _inflated(chain([first], chunks), coding, start)


def _decoder_for(first: bytes, coding: str, *, whole: bool) -> Callable[[], zlib._Decompress] | None:
    """Makes decoders for a body that begins so, None where it is not of its coding.

    "deflate" is zlib's format (RFC 1950) by the standard and what that contains (RFC 1951) by many servers.
    """
    if coding == "gzip":
        return (lambda: zlib.decompressobj(31)) if first.startswith(_GZIP) else None
    has_head = int.from_bytes(first[:2], "big") % 31 == 0 and first[0] & 0x0F == 8
    bits = 15 if has_head else -15
    trial = zlib.decompressobj(bits)
    try:
        trial.decompress(first, LARGEST_PIECE)
    except zlib.error:
        return None
    # Text may begin as either does: what is short and does not end as one is surely none, but for zlib's usual head.
    is_one = trial.eof or trial.unconsumed_tail or not whole or (has_head and first.startswith(b"x"))
    return (lambda: zlib.decompressobj(bits)) if is_one else None


def _inflated(chunks: Iterable[bytes], coding: str, start: Callable[[], zlib._Decompress]) -> Iterator[bytes]:
    inflater = Inflater(start)
    for chunk in chunks:
        try:
            yield from inflater.feed(chunk)
        except zlib.error as error:
            raise UnexpectedResponseError(f"The body is not {coding}, as it claims: {error}.") from error
    if not inflater.ended:
        raise TruncatedDownloadError(f"The {coding} body ends early.")
