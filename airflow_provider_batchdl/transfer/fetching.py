"""Receive a small result into memory and parse it, page by page or joined."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.jobs import Job, ResultFile
from airflow_provider_batchdl.options import DownloadOptions
from airflow_provider_batchdl.transfer.joining import PageJoin
from airflow_provider_batchdl.transfer.pages import PageChain, page_after
from airflow_provider_batchdl.transfer.parse import parse_result
from airflow_provider_batchdl.transfer.progress import ProgressLines
from airflow_provider_batchdl.transfer.received import Received
from airflow_provider_batchdl.transfer.receiving import receive
from airflow_provider_batchdl.transfer.sinks.base import Sink
from airflow_provider_batchdl.transfer.sinks.memory import MemorySink
from airflow_provider_batchdl.transfer.sinks.spool import SpoolSink
from airflow_provider_batchdl.transfer.source.naming import naming
from airflow_provider_batchdl.transfer.source.stream import ResultStream


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
            if isinstance(sink, SpoolSink):
                following = page_after(client.vendor, job, file, received.head.headers)
                join = PageJoin(client, job, options, lambda name: MemorySink(), ProgressLines(), max_bytes)
                sink, received = join.run(file, sink, received, following)
                following = None
            else:
                following = chain.after(file, received.head.headers)
            yield _parsed(client, job, file, sink, received, max_bytes)
            max_bytes -= received.bytes
            file = following


def _received(
    client: BatchClient, job: Job, file: ResultFile, options: DownloadOptions, max_bytes: int
) -> tuple[Sink, Received]:
    """Receive one file into memory; onto the disk, if it is the first of several pages to join."""

    def sink_for(head: ResultStream) -> Sink:
        joins = options.join_pages and client.vendor.has_pages
        has_more = joins and page_after(client.vendor, job, file, head.headers) is not None
        return SpoolSink() if has_more else MemorySink()

    return receive(client, job, file, sink_for, naming(client.vendor, job, file), options, max_bytes=max_bytes)


def _parsed(client: BatchClient, job: Job, file: ResultFile, sink: Sink, received: Received, max_bytes: int) -> object:
    return parse_result(
        sink.data if isinstance(sink, MemorySink) else b"",
        content_type=received.head.headers.get("content-type"),
        filename=naming(client.vendor, job, file)(received.head),
        max_bytes=max_bytes,
        expected=client.vendor.expected_format(job, file),
    )
