"""Join the pages of a CSV into one, with one header, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_batchdl.exceptions import BatchDlError, UnexpectedResponseError
from airflow_provider_batchdl.transfer.content.base import BOM
from airflow_provider_batchdl.transfer.content.delimited import sep_line
from airflow_provider_batchdl.transfer.content.formats import format_of
from airflow_provider_batchdl.transfer.received import Received
from airflow_provider_batchdl.transfer.sinks.spool import SpoolSink

BLOCK = 1 << 20
LARGEST_HEADER = 4 << 20
_REMEDY = "Leave join_pages out: then each page lands as a file of its own."


class JoinError(UnexpectedResponseError):
    """Pages that cannot be joined."""

    retryable = False


class CsvPages:
    """Writes the header of the first page that has one, and the records of all.

    Args:
        write: takes the bytes of the joined file.
        facts: vendor and job, for errors.
    """

    def __init__(self, write: Callable[[bytes], object], facts: Mapping[str, Any]) -> None:
        self._write = write
        self._facts = facts
        self._header: bytes | None = None
        self._break = b"\n"
        self._is_open = False
        """True where the last record has no line break yet."""

    def append(self, page: SpoolSink, received: Received, expected: str | None) -> None:
        """Append a page, which is verified.

        Raises:
            JoinError: it is no CSV, has another header than those before, or ends inside of a record.
            DestinationError: it cannot be written.
        """
        declared = format_of(received.head.headers.get("content-type"), received.filename, expected)
        if received.bytes and (declared is None or declared.name != "csv"):
            raise self._refused("a page is no CSV")
        page.rewind()
        start = page.read(BLOCK)
        quotes = start.count(b'"')
        cut = _header_end(start)
        while cut is None and (more := page.read(BLOCK)):
            if len(start) > LARGEST_HEADER:
                raise self._refused(f"the header of a page is longer than {LARGEST_HEADER:,} bytes")
            quotes += more.count(b'"')
            start += more
            cut = _header_end(start)
        cut = len(start) if cut is None else cut
        self._take_header(start[:cut])
        rest = start[cut:]
        if rest and self._is_open:
            self._write(self._break)
        while rest:
            self._write(rest)
            self._is_open = rest[-1:] not in (b"\n", b"\r")
            rest = page.read(BLOCK)
            quotes += rest.count(b'"')
        if received.rows is None and quotes % 2:
            raise self._refused("a page ends inside of a quoted field")

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

    def _refused(self, why: str) -> BatchDlError:
        return JoinError(f"The pages of the result cannot be joined: {why}.", remedy=_REMEDY, **self._facts)


def _header_end(start: bytes) -> int | None:
    """The end of the header, behind its line break, with what stands before it; None if it is not there.

    Before it may stand a byte order mark, Excel's line that names the delimiter, and blank lines.
    """
    at = len(BOM) if start.startswith(BOM) else 0
    at += len(sep_line(start[at:]))
    while start[at : at + 1] in (b"\r", b"\n"):
        at += 1
    searched, quotes = at, 0
    while True:
        ends = [found for found in (start.find(sign, searched) for sign in (b"\n", b"\r")) if found >= 0]
        if not ends:
            return None
        end = min(ends)
        quotes += start.count(b'"', searched, end)
        searched = end + 1
        if quotes % 2 == 0:
            if start[end : end + 1] == b"\r" and start[end + 1 : end + 2] == b"\n":
                return end + 2
            return end + 1
