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
from airflow_provider_batchdl.transfer.received import Received
from airflow_provider_batchdl.transfer.receiving import receive
from airflow_provider_batchdl.transfer.sinks.spool import SpoolSink
from airflow_provider_batchdl.transfer.source.naming import naming


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
            sink, received = _received(client, job, file, options, max_bytes)
            try:
                following = chain.after(file, received.head.headers)
                if options.join_pages and following is not None:
                    sink, received = _joined(client, job, file, sink, received, following, options, max_bytes)
                    following = None
                parsed = _parsed(client, job, file, sink, received, max_bytes)
            finally:
                sink.discard()
            yield parsed
            max_bytes -= received.bytes
            file = following


def _received(
    client: BatchClient, job: Job, file: ResultFile, options: DownloadOptions, max_bytes: int
) -> tuple[SpoolSink, Received]:
    """Receive one file into memory."""
    name_of = naming(client.vendor, job, file)
    sink, received = receive(
        client, job, file, lambda head: SpoolSink(max_bytes), name_of, options, max_bytes=max_bytes
    )
    return cast("SpoolSink", sink), received


def _joined(
    client: BatchClient,
    job: Job,
    file: ResultFile,
    page: SpoolSink,
    received: Received,
    following: ResultFile,
    options: DownloadOptions,
    max_bytes: int,
) -> tuple[SpoolSink, Received]:
    """Join the first page and those from ``following`` on, in memory."""
    join = PageJoin(client, job, options, lambda name: SpoolSink(max_bytes), ProgressLines(), max_bytes)
    sink, joined = join.run(file, page, received, following)
    return cast("SpoolSink", sink), joined


def _parsed(
    client: BatchClient, job: Job, file: ResultFile, sink: SpoolSink, received: Received, max_bytes: int
) -> object:
    sink.rewind()
    return parse_result(
        sink.read(),
        content_type=received.head.headers.get("content-type"),
        filename=naming(client.vendor, job, file)(received.head),
        max_bytes=max_bytes,
        expected=client.vendor.expected_format(job, file),
    )
