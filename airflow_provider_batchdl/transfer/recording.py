"""What is recorded of a download once its bytes are here: in the manifest, the task's return value and the log."""

from __future__ import annotations

import time
from collections.abc import Sequence

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.jobs import Job, LandedFile, Landing, ResultFile
from airflow_provider_batchdl.transfer.engine import Received
from airflow_provider_batchdl.transfer.parallel.division import Tally
from airflow_provider_batchdl.transfer.sinks import Sink


def landed_file(file: ResultFile, sink: Sink, received: Received, source_name: str) -> LandedFile:
    """The record of one file.

    Args:
        file: as the vendor announced it.
        sink: where it is.
        received: how it came.
        source_name: the vendor's name for it, made safe.
    """
    return LandedFile(
        uri=sink.uri,
        bytes=received.bytes,
        sha256=received.sha256,
        etag=received.head.identity.etag,
        content_type=received.head.headers.get("content-type"),
        source_name=source_name,
        part=file.part,
        rows=received.rows,
        verified_by=received.verified_by,
    )


def landing_of(
    client: BatchClient, job: Job, files: tuple[LandedFile, ...], tallies: Sequence[Tally], *, began: float
) -> Landing:
    """The record of a job's whole result.

    Args:
        client: the account's client.
        job: the job.
        files: the records of all its files.
        tallies: what happened to each on its way.
        began: when it began, by `time.monotonic`.
    """
    common = set.intersection(*(set(file.verified_by) for file in files)) if files else set()
    proofs = tuple(proof for proof in (files[0].verified_by if files else ()) if proof in common)
    return Landing(
        job_id=job.id,
        vendor=client.vendor.name,
        files=files,
        bytes=sum(file.bytes for file in files),
        seconds=round(time.monotonic() - began, 3),
        resumed=sum(tally.resumed for tally in tallies),
        restarted=sum(tally.restarted for tally in tallies),
        connections=max((tally.connections for tally in tallies), default=1),
        verified_by=proofs or ("nothing",),
    )
