"""A file that nothing proves, read a second time: what brings the same bytes twice is whole."""

from __future__ import annotations

import hashlib
from time import sleep

from airflow_provider_batchdl.exceptions import TruncatedDownloadError
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.budget import TRY_AGAIN, RetryBudget
from airflow_provider_batchdl.transfer.decoding import decoded
from airflow_provider_batchdl.transfer.opener import Opener

log = get_logger(__name__)


class Readings:
    """The SHA-256 of each reading of one file."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def prove(self, reading: str, size: int, opener: Opener) -> None:
        """Return where another reading brought the same bytes; the file is read again for it, if need be.

        Args:
            reading: the SHA-256 of the bytes that are in the sink, in hex.
            size: how many there are.
            opener: opens the file.

        Raises:
            TruncatedDownloadError: another reading brought other bytes.
            BatchDlError: what ended another reading.
        """
        if reading in self._seen:
            return
        log.info("Nothing proves that the file is whole; reading it a second time, to compare.")
        self._seen |= {reading, second := _read(opener, size)}
        if second != reading:
            raise TruncatedDownloadError("Nothing proves that the file is whole, and two readings of it differ.")


def _read(opener: Opener, most: int) -> str:
    """The SHA-256 of the file, in hex, from its first byte; nothing is written.

    Args:
        opener: opens it.
        most: bytes that the first reading brought; of a longer file, only that it differs is of interest.

    Raises:
        BatchDlError: the vendor or the store refused, or the bytes stopped too often.
    """
    budget, best = RetryBudget(opener.vendor), 0
    while True:
        seen = 0
        try:
            digest = hashlib.sha256(usedforsecurity=False)
            stream = opener.open()
            if stream is None:
                return digest.hexdigest()
            try:
                for chunk in decoded(stream, stream.coding):
                    seen += len(chunk)
                    digest.update(chunk)
                    if seen > most:
                        break
            finally:
                stream.close()
            return digest.hexdigest()
        except TRY_AGAIN as error:
            best = max(best, seen)
            wait = budget.pause(error, best)
            log.info("The second reading was interrupted at byte %d (%s); restarting it in %.1f s.", seen, error, wait)
            sleep(wait)
