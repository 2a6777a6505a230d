"""Identity of the content of a file to submit, through Airflow's object storage."""

from __future__ import annotations

import hashlib
import os

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.hooks._account import source_path

log = get_logger(__name__)

# Bytes; a larger local file is not read for its digest. Reading as much takes some tenths of a second.
LARGEST_READ = 256 * 2**20
# Names in fsspec's stores for facts that change with an object's content, the most reliable first.
_CONTENT_FACTS = (
    "md5Hash",
    "content_md5",
    "crc32c",
    "ETag",
    "etag",
    "generation",
    "LastModified",
    "last_modified",
    "mtime",
)


def content_identity(source: str) -> str | None:
    """Text that identifies a file's content, if it is cheap to get; else None.

    For a local file of up to 256 MiB, a digest: its time changes with each checkout or copy. For a larger one, size and
    time; for an object, the checksum or ETag that its store has.
    """
    from fsspec.implementations.local import LocalFileSystem

    try:
        path = source_path(source)
        if isinstance(path.fs, LocalFileSystem):
            return _local_identity(path.path)
        facts = path.fs.info(path.path)
        name = next((name for name in _CONTENT_FACTS if facts.get(name)), None)
        return None if name is None else f"{facts.get('size')} {name} {facts[name]}"
    except Exception as error:  # noqa: BLE001 every store has its own errors, and this is optional
        log.info("Cannot compare the content of the file with what an earlier try submitted: %s", type(error).__name__)
        return None


def _local_identity(path: str) -> str:
    with open(path, "rb") as file:  # noqa: PTH123
        status = os.fstat(file.fileno())
        if status.st_size > LARGEST_READ:
            return f"{status.st_size} mtime {status.st_mtime_ns}"
        return f"{status.st_size} {hashlib.file_digest(file, 'blake2b').hexdigest()}"
