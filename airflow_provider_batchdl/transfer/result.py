"""The outcome of each transfer, and the landing that all of them make."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from airflow_provider_batchdl.jobs import Job, LandedFile, Landing, ResultFile
from airflow_provider_batchdl.transfer.parallel.fetch import TransferStats
from airflow_provider_batchdl.transfer.sinks.base import STORE_CHECKSUM, DurableSink, Sink
from airflow_provider_batchdl.transfer.source.retry_budget import TRY_AGAIN
from airflow_provider_batchdl.transfer.source.stream import ResultStream

LONGEST_VALUE = 1_000
"""Characters of a header's value that is recorded; a longer one is none that anybody could use."""


@dataclass(frozen=True)
class Received:
    """A complete and verified file in a sink."""

    sink: Sink
    file: ResultFile  # with its number and kind
    filename: str  # the vendor's name for it, made safe
    head: ResultStream  # the response that fixed its identity
    sha256: str | None  # in hex; None where it was turned off, or another process read the first bytes
    rows: int | None
    verified_by: tuple[str, ...]  # the proofs that it is complete, see docs/downloads.md
    stats: TransferStats
    pages: int | None = None  # number of pages joined into it; None where they were not to be joined

    @property
    def landed(self) -> LandedFile:
        """The record of it; once it is published, with what the store attests."""
        return LandedFile(
            uri=self.sink.uri,
            bytes=self.sink.written,
            sha256=self.sha256,
            etag=_usable(self.head.identity.etag) if self.pages in (None, 1) else None,
            content_type=_usable(self.head.headers.get("content-type")),
            source_name=self.filename,
            part=self.file.part,
            rows=self.rows,
            verified_by=(*self.verified_by, *self.sink.attested),
            kind=self.file.kind,
            pages=self.pages,
        )


def close_unpublished(sink: Sink, error: BaseException | None, *, adopted: bool = False) -> None:
    """End a sink without publishing it.

    A failure discards its bytes. They are suspended for the next try to resume where a signal or a time-out stopped the
    transfer, and where an earlier try left them (``adopted``) and the source was only unreachable.
    """
    stopped = error is not None and not isinstance(error, Exception)
    if (stopped or (adopted and isinstance(error, TRY_AGAIN))) and isinstance(sink, DurableSink):
        sink.suspend()
    else:
        sink.discard()


@contextmanager
def closed_on_error(sink: Sink) -> Iterator[None]:
    """Close the sink, unpublished, if this block raises."""
    try:
        yield
    except BaseException as error:
        close_unpublished(sink, error)
        raise


def _usable(value: str | None) -> str | None:
    return value if value is not None and len(value) <= LONGEST_VALUE else None


def shared_proofs(proofs: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The proofs that all files have."""
    first, *others = proofs
    return tuple(proof for proof in first if all(proof in other for other in others))


def total(all_stats: Sequence[TransferStats]) -> TransferStats:
    """The statistics of several transfers as those of one."""
    return TransferStats(
        resumed=sum(stats.resumed for stats in all_stats),
        restarted=sum(stats.restarted for stats in all_stats),
        connections=max((stats.connections for stats in all_stats), default=1),
    )


def landing_of(vendor: str, job: Job, complete: Sequence[Received], *, began: float) -> Landing:
    """The record of a job's complete result; the download began at ``began``, by `time.monotonic`."""
    files = tuple(each.landed for each in complete)
    proofs = shared_proofs(file.verified_by for file in files) if files else ()
    if set(proofs) <= {STORE_CHECKSUM}:  # a store proves what was sent to it, not what the source has
        proofs = ("nothing", *proofs)
    stats = total([each.stats for each in complete])
    return Landing(
        job_id=job.id,
        vendor=vendor,
        files=files,
        bytes=sum(file.bytes for file in files),
        seconds=round(time.monotonic() - began, 3),
        resumed=stats.resumed,
        restarted=stats.restarted,
        connections=stats.connections,
        verified_by=proofs,
    )
