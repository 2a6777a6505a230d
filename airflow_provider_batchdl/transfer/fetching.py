"""Receive a small result into memory and parse it, page by page or joined."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.jobs import Job, ResultFile
from airflow_provider_batchdl.options import DownloadOptions
from airflow_provider_batchdl.transfer.joining import PageJoin
from airflow_provider_batchdl.transfer.pages import PageChain
from airflow_provider_batchdl.transfer.parse import parse_result
from airflow_provider_batchdl.transfer.progress import ProgressLines
from airflow_provider_batchdl.transfer.receiving import receive
from airflow_provider_batchdl.transfer.sinks.spool import SpoolSink


def fetched(
    client: BatchClient, job: Job, files: list[ResultFile], options: DownloadOptions, max_bytes: int
) -> Iterator[object]:
    """The parsed content of each file, or of each page of one.

    Args:
        client: the account's client.
        job: the job.
        files: its result files.
        options: how to download them.
        max_bytes: the most that all together may have, and a gzip file unpacked.
    """
    for first in files:
        file: ResultFile | None = first
        chain = PageChain(client.vendor, job, first)
        while file is not None:

            def spool(*_: object, in_memory: int = max_bytes) -> SpoolSink:
                return SpoolSink(in_memory)

            sink, received = receive(client, job, file, spool, options, max_bytes=max_bytes)
            try:
                following = chain.after(file, received.head.headers)
                if options.join_pages and following is not None:
                    join = PageJoin(client, job, options, spool, ProgressLines(), max_bytes)
                    sink, received = join.run(file, cast("SpoolSink", sink), received, following)
                    following = None
                parsed = parse_result(
                    _content(cast("SpoolSink", sink)),
                    content_type=received.head.headers.get("content-type"),
                    filename=received.filename,
                    max_bytes=max_bytes,
                    expected=client.vendor.expected_format(job, file),
                )
            finally:
                sink.discard()
            yield parsed
            max_bytes -= received.bytes
            file = following


def _content(sink: SpoolSink) -> bytes:
    sink.rewind()
    return sink.read()
