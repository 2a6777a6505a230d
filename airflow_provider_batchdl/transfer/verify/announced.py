"""Compares the size that a vendor announced of a file with the bytes received."""

from __future__ import annotations

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import TruncatedDownloadError
from airflow_provider_batchdl.transfer.source.stream import ResultStream

log = get_logger(__name__)

ANNOUNCED = "announced-size"
"""The word for it in ``verified_by``."""


def compare_announced(announced: int | None, size: int, head: ResultStream) -> tuple[str, ...]:
    """The word for the announced size, where it proves the file; else none.

    Args:
        announced: the size in bytes that the vendor announced, where it did.
        size: bytes received.
        head: the response that began the file.

    Raises:
        TruncatedDownloadError: fewer bytes than announced: all that the source has may have arrived, and still not be
            all of the file.
    """
    if announced is None:
        return ()
    if announced in (size, head.head.framing.length if head.coding else None):
        return (ANNOUNCED,)
    sizes = f"Received {size} bytes of a file that the vendor announced with {announced}"
    # Of a file that is sent packed, nobody knows which of its sizes the vendor meant.
    if size < announced and not head.head.codings:
        raise TruncatedDownloadError(f"{sizes}.")
    log.warning("%s.", sizes)
    return ()
