"""The file to submit, through Airflow's object storage: its check before anything is sent, its content's identity."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import BatchDlError, DestinationError, InvalidRequestError
from airflow_provider_batchdl.hooks._account import source_path
from airflow_provider_batchdl.vendors.files import HEAD, FileFacts, check_presence, doubts_about

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.base import Vendor

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


def check_file(vendor: Vendor, source: str | None) -> None:
    """Refuse a file that cannot be submitted, by its name, its size in bytes and its first 64 KiB."""
    from airflow_provider_batchdl.client.uploading import unreadable

    check_presence(vendor, source)
    if source is None or vendor.file_rules is None:
        return
    try:
        facts = _facts(source)
    except BatchDlError:
        raise
    except Exception as error:  # noqa: BLE001 every store raises its own
        if not isinstance(error, OSError):
            _refuse_unserved(source)
        raise unreadable(vendor, error, source) from None  # its message may hold a signed URL
    problems = []
    for sure, words in doubts_about(vendor.file_rules, facts):
        if sure:
            problems.append(words)
        else:
            log.warning("Submitting the file %s as it is, although it %s.", source, words)
    if problems:
        raise InvalidRequestError(
            f"The file {source!r} {' and '.join(problems)}.",
            vendor=vendor.name,
            remedy="Correct the file, or the task that writes it; the vendor's section in the documentation says more.",
        )


def _refuse_unserved(source: str) -> None:
    """Refuse a URL whose store needs packages that are not installed: what its library raises does not name them."""
    from airflow_provider_batchdl.hooks._storage import check_scheme

    scheme, is_url, _ = source.partition("://")
    try:
        check_scheme(scheme.lower() if is_url else "file", of_file=True)
    except DestinationError as error:
        raise InvalidRequestError(error.message, remedy=error.remedy) from None


def _facts(source: str) -> FileFacts:
    from fsspec.implementations.local import LocalFileSystem

    path = source_path(source)
    if isinstance(path.fs, LocalFileSystem):
        return _local_facts(source, Path(path.path))
    info = path.fs.info(path.path)
    if info.get("type") == "directory":
        raise IsADirectoryError(source)
    size = info.get("size")
    span = {} if size is not None and size <= HEAD else {"start": 0, "end": HEAD}
    return FileFacts(source, size, bytes(path.fs.cat_file(path.path, **span)))


def _local_facts(source: str, path: Path) -> FileFacts:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(source)
    if not stat.S_ISREG(status.st_mode):
        raise InvalidRequestError(f"{source!r} is a device or a pipe, not a file.", remedy="Write it to a file first.")
    with path.open("rb") as file:
        return FileFacts(source, status.st_size, file.read(HEAD))


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
