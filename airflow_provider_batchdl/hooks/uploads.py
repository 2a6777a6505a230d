"""What is known of a file to submit, through Airflow's object storage."""

from __future__ import annotations

import hashlib
import os

from airflow_provider_batchdl.redaction import get_logger

log = get_logger(__name__)

# Bytes of a local file that are read to know it again: some tenths of a second, and the submit reads them anyway.
LARGEST_READ = 256 * 2**20
# What fsspec's stores call what changes with an object's content, the surest first.
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
    """What tells a file's content from another's, as far as that is cheap; None where it cannot be told.

    A local file of up to 256 MiB is read, since its time says little: a checkout or a copy has a new one each time.
    Of a larger one it is size and time, of an object the checksum or ETag that its store knows.

    Args:
        source: path or URL of the file.
    """
    from airflow.sdk import ObjectStoragePath
    from fsspec.implementations.local import LocalFileSystem

    try:
        path = ObjectStoragePath(source)
        if isinstance(path.fs, LocalFileSystem):
            return _local_identity(path.path)
        facts = path.fs.info(path.path)
        name = next((name for name in _CONTENT_FACTS if facts.get(name)), None)
        return None if name is None else f"{facts.get('size')} {name} {facts[name]}"
    except Exception as error:  # noqa: BLE001 every store raises its own, and nothing depends on it
        log.info("The content of the file to submit cannot be compared with another try's: %s.", type(error).__name__)
        return None


def _local_identity(path: str) -> str:
    with open(path, "rb") as file:  # noqa: PTH123
        status = os.fstat(file.fileno())
        if status.st_size > LARGEST_READ:
            return f"{status.st_size} mtime {status.st_mtime_ns}"
        return f"{status.st_size} {hashlib.file_digest(file, 'blake2b').hexdigest()}"
