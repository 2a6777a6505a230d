"""Build the landing of a download, for the manifest, the task's return value and the log."""

from __future__ import annotations

import time
from collections.abc import Sequence

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.jobs import Job, LandedFile, Landing, ResultFile
from airflow_provider_batchdl.transfer.parallel.division import TransferStats
from airflow_provider_batchdl.transfer.received import Received
from airflow_provider_batchdl.transfer.sinks.base import STORE_CHECKSUM, Sink

LONGEST_VALUE = 1_000
"""Characters of a header's value that is recorded; a longer one is none that anybody could use."""


def landed_file(file: ResultFile, sink: Sink, received: Received) -> LandedFile:
    """The record of one file."""
    return LandedFile(
        uri=sink.uri,
        bytes=received.bytes,
        sha256=received.sha256,
        etag=_usable(received.head.identity.etag),
        content_type=_usable(received.head.headers.get("content-type")),
        source_name=received.filename,
        part=file.part,
        rows=received.rows,
        verified_by=received.verified_by,
        kind=file.kind,
    )


def _usable(value: str | None) -> str | None:
    return value if value is not None and len(value) <= LONGEST_VALUE else None


def landing_of(
    client: BatchClient, job: Job, files: tuple[LandedFile, ...], all_stats: Sequence[TransferStats], *, began: float
) -> Landing:
    """The record of a job's complete result.

    Args:
        client: the account's client.
        job: the job.
        files: the records of all its files.
        all_stats: the transfer statistics of each file.
        began: start of the download, by `time.monotonic`.
    """
    proofs = files[0].verified_by if files else ()
    for file in files[1:]:
        proofs = tuple(proof for proof in proofs if proof in file.verified_by)
    if set(proofs) <= {STORE_CHECKSUM}:  # a store proves what was sent to it, not what the source has
        proofs = ("nothing", *proofs)
    return Landing(
        job_id=job.id,
        vendor=client.vendor.name,
        files=files,
        bytes=sum(file.bytes for file in files),
        seconds=round(time.monotonic() - began, 3),
        resumed=sum(stats.resumed for stats in all_stats),
        restarted=sum(stats.restarted for stats in all_stats),
        connections=max((stats.connections for stats in all_stats), default=1),
        verified_by=proofs,
    )
