"""A job's whole result: every part of it into a destination, or into memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.exceptions import ResultNotReadyError
from airflow_provider_batchdl.jobs import Job, LandedFile, Landing, ResultFile
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.engine import Received, Transfer
from airflow_provider_batchdl.transfer.filenames import part_name, safe_filename
from airflow_provider_batchdl.transfer.parse import parse_result
from airflow_provider_batchdl.transfer.sinks import Sink, open_sink, write_small
from airflow_provider_batchdl.transfer.sinks.memory import MemorySink
from airflow_provider_batchdl.transfer.stream import ResultStream, Source
from airflow_provider_batchdl.vendors.account import origin

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

log = get_logger(__name__)

MANIFEST = "_manifest.json"

# For files that come without a name.
_SUFFIXES = {
    "application/json": ".json",
    "application/jsonl": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "application/gzip": ".gz",
    "application/vnd.apache.parquet": ".parquet",
    "application/zip": ".zip",
    "text/csv": ".csv",
    "text/plain": ".txt",
}


@dataclass(frozen=True)
class Destination:
    """Where results go.

    Args:
        fs: the store.
        path: a path in it, as ``fs`` writes it; ends in ``/`` where it is a folder.
        uri: the same place for people and for ``ObjectStoragePath``.
    """

    fs: AbstractFileSystem
    path: str
    uri: str

    @property
    def is_folder(self) -> bool:
        """Whether the vendor's file name is to be added."""
        return self.uri.endswith("/")

    def named(self, name: str) -> Destination:
        """The object called ``name`` in this folder, or beside this object."""
        if self.is_folder:
            return Destination(self.fs, self.path.rstrip("/") + "/" + name, self.uri + name)
        return Destination(self.fs, _sibling(self.path, name), _sibling(self.uri, name))

    def part(self, number: int | None, name: str) -> Destination:
        """Where part ``number`` (None: the only one) of a file called ``name`` goes."""
        if not self.is_folder:
            name = self.path.rpartition("/")[2]
            return self if number is None else self.named(part_name(name, number))
        return self.named(name if number is None else part_name(name, number))

    def manifest(self) -> Destination:
        """Where the manifest goes: beside an object it carries that object's name, since others may be there."""
        stem = "" if self.is_folder else self.path.rpartition("/")[2].partition(".")[0]
        return self.named(stem + MANIFEST)


def _sibling(path: str, name: str) -> str:
    folder, slash, _ = path.rpartition("/")
    return folder + slash + name


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


def download(
    client: BatchClient,
    job_id: str,
    destination: Destination,
    *,
    accept_partial: bool = False,
    manifest: bool | None = None,
) -> Landing:
    """Land a job's result files, all of them or none.

    Every file is complete and verified before the first becomes visible; the manifest comes last.

    Args:
        client: the account's client.
        job_id: the vendor's id of the job.
        destination: an object, or a folder for objects under the vendor's file names.
        accept_partial: take what a cancelled job left, where the vendor keeps it.
        manifest: whether to write a manifest; None for only where there are several files.

    Raises:
        BatchDlError: what went wrong, typed; nothing new is visible then, unless it was the store that failed
            between two publications: without a manifest, several files are not complete.
    """
    began = time.monotonic()
    job = checked_job(client, job_id, accept_partial=accept_partial)
    files = _numbered(client.vendor.result_files(job))
    if not files:
        log.warning("%s lists no result file for job %s: there is nothing to land.", client.vendor.label, job_id)
    with ExitStack() as sinks:
        complete = []
        for file in files:
            sink, received = _receive(client, job, file, _opener(destination, client, job, file))
            sinks.callback(sink.discard)
            sink.seal()
            complete.append((sink, received, _landed(client, job, file, sink, received)))
            log.info("Received %d bytes of job %s, to be %s.", received.bytes, job_id, sink.uri)
        for sink, _, _ in complete:
            sink.publish()
    landed = tuple(file for _, _, file in complete)
    landing = _landing(client, job, landed, resumed=sum(received.resumed for _, received, _ in complete), began=began)
    if manifest or (manifest is None and len(landed) > 1):
        place = destination.manifest()
        write_small(place.fs, place.path, place.uri, json.dumps(landing.to_dict(), indent=2).encode())
    for name in (file.uri for file in landed):
        log.info("Landed %s.", name)
    return landing


def fetch(client: BatchClient, job_id: str, *, max_bytes: int, accept_partial: bool = False) -> object:
    """A small result, parsed: JSON as it is, JSON lines and CSV rows as a list; several parts as one list.

    Args:
        client: the account's client.
        job_id: the vendor's id of the job.
        max_bytes: the most that all parts together may have.
        accept_partial: take what a cancelled job left, where the vendor keeps it.

    Raises:
        ResultTooLargeError: the result is larger; it is not read whole to find out.
        BatchDlError: what else went wrong, typed.
    """
    job = checked_job(client, job_id, accept_partial=accept_partial)
    values = []
    for file in client.vendor.result_files(job):
        sink = MemorySink()
        _, received = _receive(client, job, file, lambda head, sink=sink: sink, max_bytes=max_bytes)  # type: ignore[misc]
        max_bytes -= received.bytes
        head = received.head
        values.append(
            parse_result(
                sink.data,
                content_type=head.headers.get("content-type"),
                filename=_source_name(head, client, job, file),
            )
        )
    if len(values) == 1:
        return values[0]
    return [row for value in values for row in (value if isinstance(value, list) else [value])]


def _receive(
    client: BatchClient,
    job: Job,
    file: ResultFile,
    sink_for: Callable[[ResultStream], Sink],
    *,
    max_bytes: int | None = None,
) -> tuple[Sink, Received]:
    vendor = client.vendor
    return Transfer(
        Source(client, vendor.result_request(job, file)),
        sink_for,
        filename=lambda head: _source_name(head, client, job, file),
        inspect=lambda members: vendor.check_result(job.id, members),
        max_bytes=max_bytes,
    ).run()


def _opener(
    destination: Destination, client: BatchClient, job: Job, file: ResultFile
) -> Callable[[ResultStream], Sink]:
    def open_for(head: ResultStream) -> Sink:
        place = destination.part(file.part, _source_name(head, client, job, file))
        return open_sink(place.fs, place.path, place.uri, expected_bytes=head.identity.total)

    return open_for


def _source_name(head: ResultStream, client: BatchClient, job: Job, file: ResultFile) -> str:
    """The vendor's name for the file, made safe: the header's, else the job's, else the link's, else our own."""
    elsewhere = origin(head.url) != client.vendor.account.origin
    media_type = head.headers.get("content-type", "").partition(";")[0].strip().lower()
    ours = f"{client.vendor.name}-{job.id.replace(':', '-')}{_SUFFIXES.get(media_type, '')}"
    return safe_filename(
        head.headers.get("content-disposition"),
        head.url if elsewhere and not file.name else None,
        fallback=file.name or ours,
    )


def _numbered(files: tuple[ResultFile, ...]) -> tuple[ResultFile, ...]:
    """Several files each have a number, the vendor's or their place in its list; a single one has none."""
    if len(files) == 1:
        return (replace(files[0], part=None),)
    return tuple(replace(file, part=file.part or place) for place, file in enumerate(files, start=1))


def _landed(client: BatchClient, job: Job, file: ResultFile, sink: Sink, received: Received) -> LandedFile:
    return LandedFile(
        uri=sink.uri,
        bytes=received.bytes,
        sha256=received.sha256,
        etag=received.head.identity.etag,
        content_type=received.head.headers.get("content-type"),
        source_name=_source_name(received.head, client, job, file),
        part=file.part,
        rows=received.rows,
        verified_by=received.verified_by,
    )


def _landing(client: BatchClient, job: Job, files: tuple[LandedFile, ...], *, resumed: int, began: float) -> Landing:
    common = set.intersection(*(set(file.verified_by) for file in files)) if files else set()
    proofs = tuple(proof for proof in (files[0].verified_by if files else ()) if proof in common)
    return Landing(
        job_id=job.id,
        vendor=client.vendor.name,
        files=files,
        bytes=sum(file.bytes for file in files),
        seconds=round(time.monotonic() - began, 3),
        resumed=resumed,
        verified_by=proofs or ("nothing",),
    )
