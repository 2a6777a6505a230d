"""Receive the files of a result whose responses may name further pages: each page as a part, or all as one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from airflow_provider_batchdl.exceptions import TransferError
from airflow_provider_batchdl.jobs import LandedFile, ResultFile
from airflow_provider_batchdl.transfer.ending import close_unpublished
from airflow_provider_batchdl.transfer.joining import PageJoin
from airflow_provider_batchdl.transfer.pages import PageChain, page_after
from airflow_provider_batchdl.transfer.received import Received
from airflow_provider_batchdl.transfer.receiving import Receiver
from airflow_provider_batchdl.transfer.sinks.base import Sink
from airflow_provider_batchdl.transfer.sinks.spool import SpoolSink
from airflow_provider_batchdl.transfer.source.stream import ResultStream

Complete = tuple[Sink, Received, LandedFile]


def received_files(receiver: Receiver, files: tuple[ResultFile, ...]) -> Iterator[Complete]:
    """Receive all files of a result, each with its pages."""
    if not receiver.client.vendor.has_pages:
        yield from map(receiver.receive, files)
    elif receiver.options.join_pages:
        yield from (_joined(receiver, file) for file in files)
    else:
        yield from _in_parts(receiver, files)


def _in_parts(receiver: Receiver, files: tuple[ResultFile, ...]) -> Iterator[Complete]:
    """Each page as a part; only the sole page of the sole file has no number."""
    vendor, job = receiver.client.vendor, receiver.job
    listed, numbers = Counter(file.kind for file in files), Counter[str]()
    for first in files:
        chain, file = PageChain(vendor, job, first), first
        while True:
            numbers[file.kind] += 1
            number = numbers[file.kind]
            if number == 1 and listed[file.kind] == 1:
                sink, received, landed = _first(receiver, file)
            else:
                sink, received, landed = receiver.receive(replace(file, part=number))
            try:
                following = chain.after(file, received.head.headers)
            except BaseException as error:
                close_unpublished(sink, error)
                raise
            yield sink, received, landed
            if following is None:
                break
            file = following


def _first(receiver: Receiver, file: ResultFile) -> Complete:
    """Receive the first page, which is the part 1 if its response names another."""
    numbered = replace(file, part=1)
    resumable, opened = receiver.resumable(numbered), [numbered]
    if resumable is None:
        resumable, opened = receiver.resumable(file), [file]

    def open_for(head: ResultStream, name: str) -> Sink:
        opened[0] = numbered if _after(receiver, file, head) else file
        return receiver.open(opened[0], name, head.identity.total)

    sink, received = receiver.transfer(file, open_for, resumable)
    has_more = _after(receiver, file, received.head) is not None
    _check_unchanged(sink, has_more is (opened[0].part is not None), receiver)
    return sink, received, receiver.landed(opened[0], sink, received)


def _joined(receiver: Receiver, file: ResultFile) -> Complete:
    """Receive a file and the pages after it as one file; without any, as itself, without the worker's disk between."""

    def open_for(head: ResultStream, name: str) -> Sink:
        if _after(receiver, file, head) is None:
            return receiver.open(file, name, head.identity.total)
        return SpoolSink()

    sink, received = receiver.transfer(file, open_for, receiver.resumable(file))
    following = _after(receiver, file, received.head)
    _check_unchanged(sink, (following is not None) is isinstance(sink, SpoolSink), receiver)
    pages = 1
    if following is not None and isinstance(sink, SpoolSink):
        join = PageJoin(
            receiver.client,
            receiver.job,
            receiver.options,
            lambda name: receiver.open(file, name, None),
            receiver.progress(),
        )
        sink, received = join.run(file, sink, received, following)
        pages = join.count
    landed = receiver.landed(file, sink, received)
    return sink, received, replace(landed, pages=pages, etag=landed.etag if pages == 1 else None)


def _after(receiver: Receiver, file: ResultFile, head: ResultStream) -> ResultFile | None:
    return page_after(receiver.client.vendor, receiver.job, file, head.headers)


def _check_unchanged(sink: Sink, same: bool, receiver: Receiver) -> None:
    """Refuse a page of which two responses disagree whether another follows it."""
    if not same:
        error = TransferError(
            "The pages of the result have changed during the download.",
            vendor=receiver.client.vendor.name,
            job_id=receiver.job.id,
        )
        close_unpublished(sink, error)
        raise error
