"""Check of the file to submit, before anything is sent: it exists, and the vendor accepts such files."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidRequestError
from airflow_provider_batchdl.hooks._account import source_path
from airflow_provider_batchdl.vendors.files import HEAD, FileFacts, check_presence, doubts_about

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.base import Vendor

log = get_logger(__name__)


def check_file(vendor: Vendor, source: str | None) -> None:
    """Refuse a file that cannot be submitted, by its name, its size in bytes and its first 64 KiB.

    Args:
        vendor: the vendor that it is for.
        source: path or URL, anything ``ObjectStoragePath`` takes; None for no file.

    Raises:
        InvalidRequestError: it does not exist, is not a file, is empty, or is not what the vendor accepts.
        TransferError: its store cannot be reached at the moment.
    """
    from airflow_provider_batchdl.client.policy import unreadable

    check_presence(vendor, source)
    if source is None or vendor.file_rules is None:
        return
    try:
        facts = _facts(source)
    except BatchDlError:
        raise
    except Exception as error:  # noqa: BLE001 every store raises its own
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


def _facts(source: str) -> FileFacts:
    from fsspec.implementations.local import LocalFileSystem

    path = source_path(source)
    if isinstance(path.fs, LocalFileSystem):
        return _local_facts(source, Path(path.path))
    info = path.fs.info(path.path)
    if info.get("type") == "directory":
        raise IsADirectoryError(source)
    size = info.get("size")
    return FileFacts(source, size, _head(path.fs, path.path, size))


def _local_facts(source: str, path: Path) -> FileFacts:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(source)
    if not stat.S_ISREG(status.st_mode):
        raise InvalidRequestError(f"{source!r} is a device or a pipe, not a file.", remedy="Write it to a file first.")
    with path.open("rb") as file:
        return FileFacts(source, status.st_size, file.read(HEAD))


def _head(fs: Any, path: str, size: int | None) -> bytes:
    if size is not None and size <= HEAD:
        return bytes(fs.cat_file(path))
    return bytes(fs.cat_file(path, start=0, end=HEAD))
