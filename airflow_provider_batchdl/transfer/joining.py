"""Receive a result that comes in pages as one file.

A page is on the worker's disk until it is verified; then its records are appended, and it is removed. So a page that
breaks off is resumed, or asked for again, by itself, and the joined file has whole pages only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.exceptions import ResultTooLargeError
from airflow_provider_batchdl.jobs import Job, ResultFile
from airflow_provider_batchdl.options import DownloadOptions
from airflow_provider_batchdl.transfer.csv_pages import CsvPages
from airflow_provider_batchdl.transfer.ending import close_unpublished
from airflow_provider_batchdl.transfer.pages import PageChain
from airflow_provider_batchdl.transfer.parallel.division import TransferStats
from airflow_provider_batchdl.transfer.progress import Progress
from airflow_provider_batchdl.transfer.received import Received
from airflow_provider_batchdl.transfer.receiving import receive
from airflow_provider_batchdl.transfer.sinks.base import Sink
from airflow_provider_batchdl.transfer.sinks.spool import SpoolSink

log = get_logger(__name__)


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
    """Joins the pages of one result file.

    Args:
        client: the account's client.
        job: the job.
        options: how it is downloaded.
        open_sink: opens the sink of the joined file, by the first page's name.
        progress: reports the bytes of all pages.
        max_bytes: the most that the joined file may have.
    """

    def __init__(
        self,
        client: BatchClient,
        job: Job,
        options: DownloadOptions,
        open_sink: Callable[[str], Sink],
        progress: Progress,
        max_bytes: int | None = None,
    ) -> None:
        self._client, self._job, self._options = client, job, options
        self._open_sink = open_sink
        self._progress = _Offset(progress)
        self._max_bytes = max_bytes
        self._facts: dict[str, Any] = {"vendor": client.vendor.name, "job_id": job.id}
        self._sink: Sink | None = None
        self._digest = hashlib.sha256(usedforsecurity=False) if options.sha256 else None
        self._pages = CsvPages(self._write, self._facts)
        self.count = 0

    def run(
        self, first: ResultFile, page: SpoolSink, received: Received, following: ResultFile
    ) -> tuple[Sink, Received]:
        """Join ``first``, which has been received into ``page``, and the pages from ``following`` on.

        Raises:
            JoinError: they cannot be joined.
            BatchDlError: what went wrong with one of them, typed; nothing is left.
        """
        chain = PageChain(self._client.vendor, self._job, first)
        file: ResultFile | None = chain.add(following)
        try:
            try:
                self._sink = self._open_sink(received.filename)
                joined = self._append(None, first, page, received)
            finally:
                page.discard()
            while file is not None:
                joined, file = self._next(joined, file, chain)
        except BaseException as error:
            if self._sink is not None:
                close_unpublished(self._sink, error)
            raise
        log.info("Joined %d pages of the result of job %s", self.count, self._job.id)
        digest = self._digest.hexdigest() if self._digest else None
        return self._sink, replace(
            joined, filename=received.filename, bytes=self._sink.written, sha256=digest, head=received.head
        )

    def _next(self, joined: Received, file: ResultFile, chain: PageChain) -> tuple[Received, ResultFile | None]:
        page = SpoolSink()
        try:
            self._progress.before = self._sink.written if self._sink else 0
            received = receive(
                self._client,
                self._job,
                file,
                lambda *_: page,
                self._options,
                max_bytes=self._max_bytes,
                progress=lambda: self._progress,
            )[1]
            return self._append(joined, file, page, received), chain.after(file, received.head.headers)
        finally:
            page.discard()

    def _append(self, joined: Received | None, file: ResultFile, page: SpoolSink, received: Received) -> Received:
        """Append a page; return what holds for all pages so far."""
        self._pages.append(page, received, self._client.vendor.expected_format(self._job, file))
        self.count += 1
        received = replace(received, rows=received.rows if received.bytes else 0)
        if joined is None:
            return received
        proofs = tuple(proof for proof in joined.verified_by if proof in received.verified_by)
        stats = TransferStats(
            joined.stats.resumed + received.stats.resumed,
            joined.stats.restarted + received.stats.restarted,
            max(joined.stats.connections, received.stats.connections),
        )
        rows = None if joined.rows is None or received.rows is None else joined.rows + received.rows
        return replace(received, rows=rows, verified_by=proofs or ("nothing",), stats=stats)

    def _write(self, data: bytes) -> None:
        if self._sink is None:
            raise AssertionError("not open")
        if self._max_bytes is not None and self._sink.written + len(data) > self._max_bytes:
            raise ResultTooLargeError(
                f"The result is larger than the {self._max_bytes:,} bytes allowed.", **self._facts
            )
        self._sink.write(data)
        if self._digest is not None:
            self._digest.update(data)
