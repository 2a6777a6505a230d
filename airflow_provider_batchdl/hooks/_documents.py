"""Read a vendor's document from wherever a connection's ``vendor_file`` says, a while after the last time again."""

from __future__ import annotations

import time
from threading import Lock

# Seconds for which a document is not read again: a triggerer makes a hook for each of thousands of waits.
FRESH = 30.0
MOST = 50
# One byte more than a document may have, see `vendors.declared.reading`.
LARGEST = 64 * 2**10 + 1
_known: dict[str, tuple[float, bytes]] = {}
_lock = Lock()


def read_document(source: str) -> bytes:
    """The document at a path or URL, anything ``ObjectStoragePath`` takes.

    Raises:
        Exception: it cannot be read.
    """
    now = time.monotonic()
    with _lock:
        read_at, content = _known.get(source, (float("-inf"), b""))
    if now - read_at < FRESH:
        return content
    from airflow.sdk import ObjectStoragePath

    with ObjectStoragePath(source).open("rb") as file:  # type: ignore[no-untyped-call]
        content = bytes(file.read(LARGEST))
    with _lock:
        if len(_known) >= MOST:
            _known.clear()
        _known[source] = (now, content)
    return content
