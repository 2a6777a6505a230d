"""A job's whole result: every part of it into a destination, or into memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.exceptions import BatchDlError, ResultNotReadyError
from airflow_provider_batchdl.frames import emptied_frames
from airflow_provider_batchdl.jobs import Job, Landing, ResultFile
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer import MAX_CONNECTIONS
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.ending import leave, names_the_job
from airflow_provider_batchdl.transfer.engine import Received, Transfer
from airflow_provider_batchdl.transfer.existing import (
    checked_on_empty,
    checked_policy,
    refuse_all_existing,
    refuse_existing,
    refuse_unusable,
)
from airflow_provider_batchdl.transfer.manifest import recorded_landing, retire, write_manifest
from airflow_provider_batchdl.transfer.naming import naming
from airflow_provider_batchdl.transfer.numbering import listed_files
from airflow_provider_batchdl.transfer.opener import Source
from airflow_provider_batchdl.transfer.parse import parse_result
from airflow_provider_batchdl.transfer.progress import Progress, ProgressLines, amount, tell_landing
from airflow_provider_batchdl.transfer.recording import landed_file, landing_of
from airflow_provider_batchdl.transfer.sinks import DurableSink, Sink, open_kept, open_sink
from airflow_provider_batchdl.transfer.sinks.memory import MemorySink
from airflow_provider_batchdl.transfer.state import StateStore, partial_key
from airflow_provider_batchdl.transfer.stream import ResultStream

__all__ = ["Destination", "checked_job", "download", "fetch"]

log = get_logger(__name__)


def checked_job(client: BatchClient, job_id: str, *, accept_partial: bool = False) -> Job:
    """The job, which has results.

    Raises:
        ResultNotReadyError: it has none yet.
        JobFailedError: it failed.
        JobCancelledError: it was cancelled, and partial results are not wanted or not kept.
    """
    job = client.run(client.vendor.get_job(job_id))
    if not client.vendor.has_results(job, accept_partial=accept_partial):
        raise ResultNotReadyError(
            f"The {client.vendor.label} job is still {job.vendor_state}.", vendor=client.vendor.name, job_id=job_id
        )
    return job


@names_the_job
@emptied_frames()
def download(
    client: BatchClient,
    job_id: str,
    destination: Destination,
    *,
    accept_partial: bool = False,
    manifest: bool | None = None,
    sha256: bool = True,
    if_exists: str = "replace",
    on_empty: str = "fail",
    connections: int | None = None,
    state: StateStore | None = None,
    on_landed: Callable[[Landing], None] | None = None,
    section: Callable[[], AbstractContextManager[object]] = nullcontext,
    progress: Callable[[], Progress] = ProgressLines,
) -> Landing:
    """Land a job's result files, all of them or none.

    Every file is complete and verified before the first becomes visible; the manifest comes last.

    Args:
        client: the account's client.
        job_id: the vendor's id of the job.
        destination: an object, or a folder for objects under the vendor's file names.
        accept_partial: take what a cancelled job left, where the vendor keeps it.
        manifest: whether to write a manifest; None for only where there are several files, or with
            ``if_exists="skip"``.
        sha256: whether to compute the files' SHA-256.
        if_exists: what becomes of an object that is at the destination. ``"replace"`` replaces it. ``"error"`` raises
            before a byte of it is downloaded, and also where it appears meanwhile; this includes what an earlier,
            failed try published. ``"skip"`` returns the landing that the manifest there records, where it is this
            job's and the objects are unchanged, and else replaces it. The manifest of a result that is replaced goes
            first, and with it the objects that only that result has; see `retire`.
        on_empty: what becomes of a job that succeeded and lists no result file. ``"fail"`` raises; ``"skip"`` returns
            an empty landing and touches nothing; ``"land"`` replaces what is at the destination with nothing, and
            writes the manifest. A file of no bytes is a file, and lands.
        connections: the most to fetch a large file by, where a single one is slower than we are and the server
            serves parts of a file that it vouches for; `MAX_CONNECTIONS` where left out, 1 for never more than one.
        state: where the progress of a large upload is noted, for a next try to go on with it; beside the destination
            where left out, which needs the right to read and delete there, too.
        on_landed: is told of what was downloaded, and not of what was there already.
        section: makes what is entered before the first file is asked for, and left when all are published.
        progress: makes, for each file, what is told how far it is; lines in the log where left out.

    Raises:
        EmptyResultError: there is no result file, and ``on_empty`` is ``"fail"``.
        DestinationError: something is in the way (not retryable), or the store refused.
        BatchDlError: what went wrong, typed; nothing new is visible then, unless it was the store that failed
            between two publications: without a manifest, several files are not complete.
    """
    began = time.monotonic()
    policy = checked_policy(if_exists)
    create_only = policy == "error"
    empty = checked_on_empty(on_empty)
    job = checked_job(client, job_id, accept_partial=accept_partial)
    files = listed_files(client.vendor, job, on_empty=empty)
    if not files and empty == "skip":
        return landing_of(client, job, (), (), began=began)
    refuse_unusable(destination)
    if policy == "skip" and (found := _recorded(client, job, destination, files)):
        return found
    writes_manifest = len(files) != 1 or policy == "skip" if manifest is None else manifest
    if writes_manifest:
        refuse_unusable(destination.manifest())
    if create_only:
        refuse_all_existing(destination, [file.part for file in files], manifest=writes_manifest)
    with section(), ExitStack() as sinks:
        complete = []
        for file in files:
            key = partial_key(client.vendor.name, client.vendor.account.base_url, job.id, file.part)
            name_of = naming(client.vendor, job, file)
            sink, received = _receive(
                client,
                job,
                file,
                _opener(destination, file, key, name_of, create_only=create_only, state=state),
                name_of,
                sha256=sha256,
                connections=connections or MAX_CONNECTIONS,
                kept=_kept(destination, file, key, create_only=create_only, state=state),
                progress=progress,
            )
            sinks.push(_ending(sink))
            sink.seal()
            complete.append((sink, received, landed_file(file, sink, received, name_of(received.head))))
            if len(files) > 1:
                log.info("Received %s of %d files: %s.", len(complete), len(files), amount(received.bytes))
        landed = tuple(file for _, _, file in complete)
        tallies = [received.tally for _, received, _ in complete]
        if not create_only:
            landing = landing_of(client, job, landed, tallies, began=began)
            retire(destination, landing, manifest=manifest, writes_manifest=writes_manifest)
        for sink, _, _ in complete:
            sink.publish()
    landing = landing_of(client, job, landed, tallies, began=began)
    if writes_manifest:
        write_manifest(destination, landing, create_only=create_only)
    tell_landing(landing)
    if on_landed is not None:
        on_landed(landing)
    return landing


@names_the_job
@emptied_frames()
def fetch(
    client: BatchClient, job_id: str, *, max_bytes: int, accept_partial: bool = False, on_empty: str = "fail"
) -> object:
    """A small result, parsed: JSON as it is, JSON lines and CSV rows as a list; several parts as one list.

    Args:
        client: the account's client.
        job_id: the vendor's id of the job.
        max_bytes: the most that all parts together may have, and a gzip file unpacked.
        accept_partial: take what a cancelled job left, where the vendor keeps it.
        on_empty: for a job that succeeded and lists no result file: ``"fail"`` raises, the others return ``[]``.

    Raises:
        EmptyResultError: there is no result file, and ``on_empty`` is ``"fail"``.
        ResultTooLargeError: the result is larger; it is not read whole to find out.
        BatchDlError: what else went wrong, typed.
    """
    empty = checked_on_empty(on_empty)
    job = checked_job(client, job_id, accept_partial=accept_partial)
    values = []
    for file in listed_files(client.vendor, job, on_empty=empty):
        sink, name_of = MemorySink(), naming(client.vendor, job, file)
        _, received = _receive(client, job, file, lambda head, sink=sink: sink, name_of, max_bytes=max_bytes)  # type: ignore[misc]
        head = received.head
        values.append(
            parse_result(
                sink.data,
                content_type=head.headers.get("content-type"),
                filename=name_of(head),
                max_bytes=max_bytes,
                expected=client.vendor.expected_format(job, file),
            )
        )
        max_bytes -= received.bytes
    if len(values) == 1:
        return values[0]
    return [row for value in values for row in (value if isinstance(value, list) else [value])]


def _receive(
    client: BatchClient,
    job: Job,
    file: ResultFile,
    sink_for: Callable[[ResultStream], Sink],
    name_of: Callable[[ResultStream], str],
    *,
    max_bytes: int | None = None,
    sha256: bool = True,
    connections: int = 1,
    kept: DurableSink | None = None,
    progress: Callable[[], Progress] = ProgressLines,
) -> tuple[Sink, Received]:
    vendor = client.vendor
    return Transfer(
        Source(client, vendor.result_request(job, file)),
        sink_for,
        filename=name_of,
        inspect=lambda members: vendor.check_result(job.id, members),
        announced=file.size,
        expected=vendor.expected_format(job, file),
        max_bytes=max_bytes,
        sha256=sha256,
        connections=connections,
        kept=kept,
        progress=progress(),
    ).run()


def _opener(
    destination: Destination,
    file: ResultFile,
    key: str,
    name_of: Callable[[ResultStream], str],
    *,
    create_only: bool,
    state: StateStore | None,
) -> Callable[[ResultStream], Sink]:
    def open_for(head: ResultStream) -> Sink:
        place = destination.part(file.part, name_of(head))
        if create_only:
            refuse_existing(place)  # in a folder, its name is only known now
        return open_sink(
            place.fs,
            place.path,
            place.uri,
            expected_bytes=head.identity.total,
            key=key,
            create_only=create_only,
            state=state,
        )

    return open_for


def _kept(
    destination: Destination, file: ResultFile, key: str, *, create_only: bool, state: StateStore | None
) -> DurableSink | None:
    """What a try that was killed left of this file."""
    place = destination if destination.is_folder else destination.part(file.part, "")
    kept = open_kept(place.fs, place.path, place.uri, key, create_only=create_only, state=state)
    if kept is None or kept.mark is None:
        return None
    goal = destination.part(file.part, kept.mark.filename)
    if kept.uri != goal.uri:  # begun under a name that the user gave; now the vendor's is wanted
        kept.discard()
        return None
    if create_only:
        try:
            refuse_existing(goal)
        except BatchDlError:
            kept.discard()
            raise
    return kept


def _ending(sink: Sink) -> Callable[[type[BaseException] | None, BaseException | None, object], None]:
    return lambda kind, error, trace: leave(sink, error)


def _recorded(client: BatchClient, job: Job, destination: Destination, files: tuple[ResultFile, ...]) -> Landing | None:
    """The landing at the destination, where it is this job's."""
    parts = [file.part for file in files]
    landing = recorded_landing(destination, vendor=client.vendor.name, job_id=job.id, parts=parts)
    if landing is not None:
        log.info("The result of job %s is at %s already, unchanged: nothing to do.", job.id, destination.uri)
        return replace(landing, resumed=0, restarted=0)
    return None
