"""Receive a result that comes in pages as one CSV with one header, in constant memory.

A page is on the worker's disk until it is verified; then its records are appended, and it is removed. So a page that
breaks off is resumed, or asked for again, by itself, and the joined file has whole pages only.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import cast

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import ResultTooLargeError, UnexpectedResponseError
from airflow_provider_batchdl.options import DownloadOptions
from airflow_provider_batchdl.transfer.content.base import BOM
from airflow_provider_batchdl.transfer.content.delimited import sep_line
from airflow_provider_batchdl.transfer.content.formats import format_of
from airflow_provider_batchdl.transfer.engine import Transfer
from airflow_provider_batchdl.transfer.pages import PageChain
from airflow_provider_batchdl.transfer.progress import Progress
from airflow_provider_batchdl.transfer.result import Received, closed_on_error, shared_proofs, total
from airflow_provider_batchdl.transfer.sinks.base import Sink
from airflow_provider_batchdl.transfer.sinks.spool import SpoolSink
from airflow_provider_batchdl.transfer.source.range_client import Source

log = get_logger(__name__)

BLOCK = 1 << 20
LARGEST_HEADER = 4 << 20
# Blank lines, then all up to a line break outside of quotes; possessive, so that no header takes long.
_HEADER = re.compile(rb'[\r\n]*+(?:[^"\r\n]++|"[^"]*+")*+(?:\r\n|\r|\n)')


class JoinError(UnexpectedResponseError):
    """Pages that cannot be joined."""

    retryable = False


@dataclass
class _Offset:
    """Reports the progress of a page as that of the joined file."""

    inner: Progress
    before: int = 0

    def begin(self, name: str, done: int, total: int | None) -> None:
        self.inner.begin(name, self.before + done, None)

    def at(self, done: int) -> None:
        self.inner.at(self.before + done)


class PageJoin:
    """Joins the pages of one result file: the header of the first page that has one, and the records of all.

    ``source`` is the first page. Where joining fails, ``sink`` is discarded or suspended.
    """

    def __init__(
        self, source: Source, options: DownloadOptions, sink: Sink, progress: Progress, max_bytes: int | None = None
    ) -> None:
        self._source, self._options = source, options
        self._sink = sink
        self._progress = _Offset(progress)
        self._max_bytes = max_bytes
        self._digest = hashlib.sha256(usedforsecurity=False) if options.sha256 else None
        self._header: bytes | None = None
        self._break = b"\n"
        self._is_open = False
        """True where the last record has no line break yet."""

    def run(self, first: Received) -> Received:
        """Join ``first``, which is in a `SpoolSink`, and the pages after it. On an error, nothing is left."""
        chain, page, count = PageChain(self._source), first, 1
        with closed_on_error(self._sink):
            joined = self._append(None, first)
            while (following := chain.after(page.head.headers)) is not None:
                self._progress.before = self._sink.written
                source = replace(self._source, file=following)
                page = Transfer(
                    source, self._options, lambda *_: SpoolSink(), self._max_bytes, progress=self._progress
                ).run()
                joined, count = self._append(joined, page), count + 1
        log.info("Joined %d pages of the result of job %s", count, self._source.job.id)
        digest = self._digest.hexdigest() if self._digest else None
        return replace(joined, sink=self._sink, sha256=digest, pages=count)

    def _append(self, joined: Received | None, page: Received) -> Received:
        """Append a page, which is verified, and remove it; return what holds for all pages so far."""
        expected = self._source.client.vendor.expected_format(self._source.job, page.file)
        declared = format_of(page.head.headers.get("content-type"), page.filename, expected)
        spool = cast("SpoolSink", page.sink)
        try:
            if spool.written and (declared is None or declared.name != "csv"):
                raise self._refused("a page is no CSV")
            if self._copy(spool) and page.rows is None:
                raise self._refused("a page ends inside of a quoted field")
        finally:
            spool.discard()
        page = replace(page, rows=page.rows if spool.written else 0)
        if joined is None:
            return page
        return replace(
            joined,
            rows=None if joined.rows is None or page.rows is None else joined.rows + page.rows,
            verified_by=shared_proofs((joined.verified_by, page.verified_by)) or ("nothing",),
            stats=total((joined.stats, page.stats)),
        )

    def _copy(self, page: SpoolSink) -> bool:
        """Copy a page's records. Returns whether it has an odd number of quotes."""
        page.finalize()
        start = page.read(BLOCK)
        while (end := _header_end(start)) is None and (more := page.read(BLOCK)):
            if len(start) > LARGEST_HEADER:
                raise self._refused(f"the header of a page is longer than {LARGEST_HEADER:,} bytes")
            start += more
        quotes = start.count(b'"')
        end = len(start) if end is None else end
        self._take_header(start[:end])
        rest = start[end:]
        if rest and self._is_open:
            self._write(self._break)
        while rest:
            self._write(rest)
            self._is_open = rest[-1:] not in (b"\n", b"\r")
            rest = page.read(BLOCK)
            quotes += rest.count(b'"')
        return quotes % 2 == 1

    def _take_header(self, line: bytes) -> None:
        header = line.removeprefix(BOM).strip(b"\r\n")
        if not header:
            return  # an empty page
        if b"\0" in header:
            raise self._refused("a page is not in an encoding like UTF-8")
        if self._header is None:
            self._header = header
            ending = line[len(line.rstrip(b"\r\n")) :]
            self._break = ending or b"\n"
            self._write(line)
            self._is_open = not ending
        elif header != self._header:
            raise self._refused("a page has another header than those before it")

    def _write(self, data: bytes) -> None:
        if self._max_bytes is not None and self._sink.written + len(data) > self._max_bytes:
            message = f"The result is larger than the {self._max_bytes:,} bytes allowed."
            raise ResultTooLargeError(message)
        self._sink.write(data)
        if self._digest is not None:
            self._digest.update(data)

    def _refused(self, why: str) -> JoinError:
        remedy = "Leave join_pages out: then each page lands as a file of its own."
        return JoinError(f"The pages of the result cannot be joined: {why}.", remedy=remedy)


def _header_end(start: bytes) -> int | None:
    """The end of the header, behind its line break, with what stands before it; None if it is not there.

    Before it may stand a byte order mark, Excel's line that names the delimiter, and blank lines.
    """
    at = len(BOM) if start.startswith(BOM) else 0
    found = _HEADER.match(start, at + len(sep_line(start[at:])))
    return found.end() if found else None
