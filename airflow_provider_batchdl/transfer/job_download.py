"""Download all result files of a job, into a destination or into memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar, Unpack, cast

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._redaction.tracebacks import emptied_frames
from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.exceptions import BatchDlError, ResultNotReadyError
from airflow_provider_batchdl.jobs import RESULT, Job, Landing, ResultFile
from airflow_provider_batchdl.options import DEFAULTS, DownloadKeywords, DownloadOptions, spell_out
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.engine import Transfer
from airflow_provider_batchdl.transfer.joining import PageJoin
from airflow_provider_batchdl.transfer.manifest import recorded_landing, write_manifest
from airflow_provider_batchdl.transfer.numbering import has_all_files, listed_files
from airflow_provider_batchdl.transfer.pages import PageChain
from airflow_provider_batchdl.transfer.parse import parse_result
from airflow_provider_batchdl.transfer.probe import refuse_all_existing, refuse_existing, refuse_unusable
from airflow_provider_batchdl.transfer.progress import Progress, ProgressLines, amount, log_landing
from airflow_provider_batchdl.transfer.publishing import check_published, exclusive
from airflow_provider_batchdl.transfer.receiving import Receiver
from airflow_provider_batchdl.transfer.replacing import make_way, remove_replaced
from airflow_provider_batchdl.transfer.result import Received, closed_on_error, landing_of
from airflow_provider_batchdl.transfer.sinks.spool import SpoolSink
from airflow_provider_batchdl.transfer.source.filenames import folded
from airflow_provider_batchdl.transfer.source.range_client import Source
from airflow_provider_batchdl.transfer.state import StateStore

__all__ = ["Destination", "download", "fetch"]

log = get_logger(__name__)

Work = TypeVar("Work", bound=Callable[..., Any])


def names_the_job(work: Work) -> Work:
    """Decorate ``work`` on a job so that each of its errors names the vendor, the job and the connection."""

    @wraps(work)
    def named(client: BatchClient, job_id: str, *args: Any, **arguments: Any) -> Any:
        try:
            return work(client, job_id, *args, **arguments)
        except BatchDlError as error:
            error.concerns(vendor=client.vendor.name, job_id=job_id, conn_id=client.vendor.account.conn_id)
            raise

    return cast("Work", named)


def _results(client: BatchClient, job_id: str, options: DownloadOptions) -> tuple[Job, tuple[ResultFile, ...]]:
    """A job that has results, and its files; what it has instead is raised."""
    vendor = client.vendor
    job = client.run(vendor.get_job(job_id))
    if not vendor.ensure_results(job, accept_partial=options.accept_partial):
        raise ResultNotReadyError(f"The {vendor.label} job is still {job.vendor_state}.")
    return job, listed_files(vendor, job, on_empty=options.on_empty)


@names_the_job
@emptied_frames()
@spell_out
def download(
    client: BatchClient,
    job_id: str,
    destination: Destination,
    options: DownloadOptions = DEFAULTS,
    *,
    state: StateStore | None = None,
    on_landed: Callable[[Landing], None] | None = None,
    section: Callable[[], AbstractContextManager[object]] = nullcontext,
    progress: Callable[[], Progress] = ProgressLines,
    **given: Unpack[DownloadKeywords],
) -> Landing:
    """Download a job's result files into a destination, all of them or none.

    Every file is complete and verified before the first becomes visible; the manifest is written last.

    Args:
        client: the account's client.
        job_id: the vendor's id of the job.
        destination: an object, or a folder for objects under the vendor's file names.
        options: how to download it. The manifest of a replaced result is removed first, and with it the objects that
            only that result has, see docs/downloads.md. ``if_exists="skip"`` returns the landing that the manifest
            there records.
        state: stores the progress of a large upload for a next try to resume it; by default beside the destination,
            which needs the right to read and delete there, too.
        on_landed: called with the landing of a download; not for a result that was there already.
        section: makes a context that is entered before the first request and left when all files are published.
        progress: makes the progress reporter of each file; lines in the log by default.
        given: single options, which replace those of ``options``.

    Raises:
        InvalidArgumentError: an option cannot have this value.
        ResultNotReadyError: the job has no results yet; `JobFailedError` and `JobCancelledError`: it never will.
        EmptyResultError: there is no result file, and ``on_empty`` is ``"fail"``.
        DestinationError: something is in the way (not retryable), or the store refused.
        BatchDlError: what went wrong, typed; nothing new is visible then, unless it was the store that failed
            between two publications: without a manifest, several files are not complete.
    """
    began = time.monotonic()
    options = options.having(given)
    vendor = client.vendor
    job, files = _results(client, job_id, options)
    if not files and options.on_empty == "skip":
        return landing_of(vendor.name, job, (), began=began)
    refuse_unusable(destination)
    if options.if_exists == "skip":
        found = recorded_landing(
            destination, vendor.name, job.id, lambda landing: has_all_files(landing, files, vendor, options)
        )
        if found is not None:
            log.info("The result of job %s is already at %s, unchanged; skipping the download", job.id, destination.uri)
            if options.keep == "latest":
                with exclusive(destination):
                    remove_replaced(destination, found, options)
            return replace(found, resumed=0, restarted=0)
    landing = _land(Receiver(client, job, destination, options, state, progress), files, section, began)
    log_landing(landing)
    if on_landed is not None:
        on_landed(landing)
    return landing


@names_the_job
@emptied_frames()
@spell_out
def fetch(
    client: BatchClient,
    job_id: str,
    options: DownloadOptions = DEFAULTS,
    *,
    max_bytes: int,
    **given: Unpack[DownloadKeywords],
) -> object:
    """A small result, parsed: JSON as it is, JSON lines and CSV rows as a list; several parts as one list.

    Only files of kind ``result``: errors and the like that come beside them are not downloaded.

    Args:
        client: the account's client.
        job_id: the vendor's id of the job.
        options: how to download it. ``accept_partial``, ``on_empty`` and ``join_pages`` count here; without a result
            file, all but ``on_empty="fail"`` return ``[]``.
        max_bytes: the most that all parts together may have, and a gzip file unpacked.
        given: single options, which replace those of ``options``.

    Raises:
        InvalidArgumentError: an option cannot have this value.
        EmptyResultError: there is no result file, and ``on_empty`` is ``"fail"``.
        ResultTooLargeError: the result is larger; it is not read to its end to find out.
        BatchDlError: what else went wrong, typed.
    """
    options = replace(options.having(given), max_connections=1)
    job, files = _results(client, job_id, options)
    values = list(_fetched(client, job, [file for file in files if file.kind == RESULT], options, max_bytes))
    if len(values) == 1:
        return values[0]
    return [row for value in values for row in (value if isinstance(value, list) else [value])]


def _fetched(
    client: BatchClient, job: Job, files: list[ResultFile], options: DownloadOptions, max_bytes: int
) -> Iterator[object]:
    """The parsed content of each file, or of each page of one; all together have at most ``max_bytes``."""
    for first in files:
        chain = PageChain(Source(client, job, first))
        page: ResultFile | None = first
        while page is not None:

            def spool(*_: object, in_memory: int = max_bytes) -> SpoolSink:
                return SpoolSink(in_memory)

            source = Source(client, job, page)
            received = Transfer(source, options, spool, max_bytes).run()
            try:
                following = chain.after(received.head.headers)
                if options.join_pages and following is not None:
                    received = PageJoin(source, options, spool(), ProgressLines(), max_bytes).run(received)
                    following = None
                received.sink.finalize()
                parsed = parse_result(
                    cast("SpoolSink", received.sink).read(),
                    content_type=received.head.headers.get("content-type"),
                    filename=received.filename,
                    max_bytes=max_bytes,
                    expected=client.vendor.expected_format(job, page),
                )
            finally:
                received.sink.discard()
            yield parsed
            max_bytes -= received.sink.written
            page = following


def _land(
    receiver: Receiver,
    files: tuple[ResultFile, ...],
    section: Callable[[], AbstractContextManager[object]],
    began: float,
) -> Landing:
    """Receive all ``files``, then publish them and the manifest."""
    destination, options, vendor = receiver.destination, receiver.options, receiver.client.vendor
    writes_manifest = _has_manifest(receiver, len(files))
    if receiver.create_only:
        refuse_all_existing(destination, files, manifest=writes_manifest)
    complete: list[Received] = []
    with ExitStack() as publication:
        with section(), ExitStack() as sinks:
            for received in receiver.all(files):
                sinks.enter_context(closed_on_error(received.sink))
                received.sink.finalize()
                receiver.taken.add(folded(received.sink.uri))
                complete.append(received)
                if received.file.part is not None or len(files) > 1:
                    number = len(complete)
                    which = f"file {number}" if vendor.has_pages else f"{number} of {len(files)} files"
                    log.info("Received %s: %s", which, amount(received.sink.written))
            if not writes_manifest:
                writes_manifest = _has_manifest(receiver, len(complete))
                if writes_manifest and receiver.create_only:
                    refuse_existing(destination.manifest())
            landing = landing_of(vendor.name, receiver.job, complete, began=began)
            publication.enter_context(exclusive(destination))
            is_noted = make_way(destination, landing, options)
            etags = [received.sink.publish() for received in complete]
        landing = replace(landing, seconds=round(time.monotonic() - began, 3))
        if any(received.sink.attested for received in complete):
            landing = landing_of(vendor.name, receiver.job, complete, began=began)
        if writes_manifest:
            write_manifest(destination, landing, create_only=receiver.create_only)
            check_published(destination, landing, etags)
        if is_noted:
            remove_replaced(destination, landing, options)
    return landing


def _has_manifest(receiver: Receiver, count: int) -> bool:
    """True if a result of so many files gets a manifest, for which there is a place."""
    if not receiver.options.writes_manifest(count):
        return False
    refuse_unusable(receiver.destination.manifest())
    return True
