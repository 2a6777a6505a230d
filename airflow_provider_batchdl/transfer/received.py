"""The outcome of the transfer of one file."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_batchdl.transfer.parallel.division import TransferStats
from airflow_provider_batchdl.transfer.source.stream import ResultStream


@dataclass(frozen=True)
class Received:
    """A complete and verified file in a sink.

    Args:
        filename: the vendor's name for it, made safe.
        bytes: its size.
        sha256: hex digest; None where it was turned off, or another process read the first bytes.
        head: the response that fixed its identity.
        rows: records counted, where known.
        verified_by: the proofs that it is complete, see docs/downloads.md.
        stats: resumes, restarts and connections of the transfer.
    """

    filename: str
    bytes: int
    sha256: str | None
    head: ResultStream
    rows: int | None
    verified_by: tuple[str, ...]
    stats: TransferStats
