"""Second reading of a file that nothing proves: it counts as whole if both have the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import BatchDlError, TruncatedDownloadError
from airflow_provider_batchdl.transfer.source.decoding import decoded
from airflow_provider_batchdl.transfer.source.range_client import RangeClient
from airflow_provider_batchdl.transfer.source.retry_budget import RetryBudget
from airflow_provider_batchdl.transfer.source.stream import ResultStream

log = get_logger(__name__)


class Readings:
    """The SHA-256 of each reading of one file."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def prove(
        self, reading: str, size: int, range_client: RangeClient, prepare: Callable[[ResultStream], None]
    ) -> None:
        """Prove the bytes by another reading with the same SHA-256; read the file again if there is none yet.

        Args:
            reading: the SHA-256 of the bytes that are in the sink, in hex.
            size: how many there are.
            range_client: opens the file.
            prepare: prepares a response to be read as the first one was.

        Raises:
            TruncatedDownloadError: another reading brought other bytes.
            BatchDlError: what ended another reading.
        """
        if reading in self._seen:
            return
        log.info("Nothing proves that the file is whole; reading it a second time, to compare.")
        self._seen |= {reading, second := _read(range_client, size, prepare)}
        if second != reading:
            raise TruncatedDownloadError("Nothing proves that the file is whole, and two readings of it differ.")


def _read(range_client: RangeClient, most: int, prepare: Callable[[ResultStream], None]) -> str:
    """The SHA-256 of the file, in hex, nothing of which is written; of more than ``most`` bytes, some other value."""
    seen = 0

    def attempt() -> str:
        nonlocal seen
        seen, digest = 0, hashlib.sha256(usedforsecurity=False)
        stream = range_client.open()
        if stream is None:
            return digest.hexdigest()
        with closing(stream):
            prepare(stream)
            for chunk in decoded(stream, stream.coding):
                seen += len(chunk)
                digest.update(chunk)
                if seen > most:
                    break
        return digest.hexdigest()

    def log_retry(error: BatchDlError, wait: float) -> None:
        log.info(
            "The second reading was interrupted at byte %d (%s); restarting it in %.1f s", seen, error.message, wait
        )

    return RetryBudget(range_client.vendor).run(attempt, lambda: seen, log_retry)
