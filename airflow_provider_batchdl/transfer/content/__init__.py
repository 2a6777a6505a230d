"""Checks of a file's content: a page in the result's place, rows, and where nothing else proves it, its own end.

Everything works incrementally in constant memory, in any chunking.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_batchdl.exceptions import BatchDlError, TruncatedDownloadError, UnexpectedResponseError
from airflow_provider_batchdl.transfer.content import head
from airflow_provider_batchdl.transfer.content.base import ContentCheck, ContentReport
from airflow_provider_batchdl.transfer.content.formats import Format, by_magic, format_of

if TYPE_CHECKING:
    from airflow_provider_batchdl.transfer.content.document import JsonCheck

__all__ = ["Content", "ContentReport"]


class Content:
    """Checks all bytes of one file, in their order; the arguments are those of `Verifier` and `format_of`.

    Where something else has ``proven`` the bytes, the content may only show a page in the result's place, and is
    checked for what costs little; else its own end has to be found, exactly.
    """

    def __init__(
        self,
        content_type: str | None,
        filename: str | None,
        *,
        proven: bool,
        expected: str | None = None,
        count_gzip_rows: bool = False,
    ) -> None:
        self._declared = format_of(content_type, filename, expected)
        self._records = expected == "jsonl"
        self._filename = filename or ""
        self._proven = proven
        self._count_gzip_rows = count_gzip_rows
        self._waiting = b""
        """The first bytes, until there are enough to choose the check."""
        self._check: ContentCheck | None = None
        self._object: JsonCheck | None = None
        """Reads the members of a large file that begins like an object, whatever it is declared to be."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            UnexpectedResponseError: the file is a page or a store's error message.
        """
        if self._check is None:
            self._waiting += data
            if len(self._waiting) > head.SMALL:
                self._begin(self._waiting)
            return
        self._check.feed(data)
        if self._object is not None:
            self._object.feed(data)
            self._object = self._object if self._object.may_be_object else None

    def finish(self) -> ContentReport:
        """The report on the whole content.

        Raises:
            UnexpectedResponseError: the file is a page or a store's error message.
        """
        members: Mapping[str, object] = {}
        if self._check is None:
            whole = self._waiting
            report = self._begin(whole).finish()
            members = head.small_object(whole)
            if not whole and not self._proven:
                error = TruncatedDownloadError("The download is empty, and nothing says that it is.")
                report = replace(report, error=error)
        else:
            report = self._check.finish()
            if self._object is not None:
                members = self._object.finish().members
        return replace(report, members={**report.members, **members}) if members else report

    def skip_start(self) -> None:
        """Expect the bytes that follow those which another process has read: nothing can be said of these."""
        self._check = ContentCheck()

    def _begin(self, data: bytes) -> ContentCheck:
        """Choose the check by the first bytes, and give it all so far."""
        self._waiting = b""
        start, declared = data[: head.HEAD], self._declared
        inside = declared
        if declared is not None and declared.decompressor is not None:
            inside = format_of(None, declared.without_suffix(self._filename))
        if not {"html", "htm"}.intersection(self._filename.lower().split(".")[-2:]):  # `x.html.gz`, too
            head.refuse_page(data[: head.SMALL], inside)
        self._check = self._proven_check(start) if self._proven else self._exact_check(start)
        is_json = declared is not None and declared.name == "json"  # whose check shows members itself
        if len(data) > head.SMALL and not is_json and head.begins_as_object(start):
            from airflow_provider_batchdl.transfer.content.document import JsonCheck

            self._object = JsonCheck(proven=True)
        self.feed(data)
        return self._check

    def _proven_check(self, start: bytes) -> ContentCheck:
        """The check of proven bytes; where the first ones contradict the format, none: they land, without `rows`."""
        declared = self._declared
        if declared is None:
            return ContentCheck()
        if declared.text is not None:
            return self._check_of(declared) if head.fits(declared, start) else ContentCheck()
        is_asked_for = declared.counts_rows or (self._count_gzip_rows and declared.decompressor is not None)
        is_one = by_magic(start, declared) is declared
        return self._check_of(declared) if is_asked_for and is_one else ContentCheck()

    def _exact_check(self, start: bytes) -> ContentCheck:
        declared = self._declared
        found = by_magic(start, declared)
        if found is not None and found.is_known:
            return self._check_of(found)
        if declared is not None and declared.text is None:
            error: BatchDlError = UnexpectedResponseError(f"The download was declared as {declared.name} but is not.")
            if len(start) < 4:
                error = TruncatedDownloadError(f"The {declared.name} content has only {len(start)} bytes.")
            return ContentCheck(ContentReport(error=error))
        if not head.is_text(start):
            return ContentCheck(ContentReport(end="open" if start.startswith(head.WIDE) else "none"))
        if declared is not None and head.fits(declared, start):
            return self._check_of(declared)
        return ContentCheck(ContentReport(end="open"))

    def _check_of(self, declared: Format) -> ContentCheck:
        if declared.check is not None:
            return declared.check(proven=self._proven, records=self._records)
        if declared.decompressor is None:
            return ContentCheck()
        from airflow_provider_batchdl.transfer.content.containers import PackedCheck

        inner = Content(None, declared.without_suffix(self._filename), proven=True)
        try:
            return PackedCheck(declared.name, declared.decompressor, inner)
        except ImportError:  # a Python built without the library
            return ContentCheck()
