"""Remove what killed downloads left and no later try removed."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._values import times
from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.errors import destination_error
from airflow_provider_batchdl.transfer.sinks.local.partial import (
    DRAFT,
    PARTIAL,
    STATE,
    remove_if_unused,
    remove_work_folder,
)
from airflow_provider_batchdl.transfer.sinks.stores import remove_object, store_of
from airflow_provider_batchdl.transfer.state import WORK_FOLDER

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

log = get_logger(__name__)

A_DAY = timedelta(days=1)
# As long as Airflow's own state store keeps what a task has stored.
A_MONTH = timedelta(days=30)
_RECORD = re.compile(r"[0-9a-f]{32}\.json")

_Leftover: TypeAlias = "tuple[str, Callable[[], object]]"
"""What may be left, and what removes it; returns False where it did not."""


def sweep(
    fs: AbstractFileSystem, path: str, *, older_than: timedelta = A_DAY, records_older_than: timedelta = A_MONTH
) -> list[str]:
    """Remove what downloads under ``path`` left that were killed and never retried.

    A download removes its own leftovers and those of earlier tries at the same target. This is for the others: run it
    in a DAG of its own, say once a day. No later try can resume what it removes.

    * Local disk: partial files ``.batchdl/.<name>.<16 hex digits>.part`` and their records, in all folders below; never
      one that a running download holds.
    * S3: unfinished multipart uploads. S3 does not say whose they are: *every* upload into the folder that was
      started long enough ago is aborted, so ``older_than`` must exceed the longest upload of anybody who writes there.
      And our upload records, objects ``.batchdl/.upload.<16 hex digits>.part.json``, of the same age.
    * Google Cloud Storage: nothing. An unfinished upload is no object, no request lists it, and it expires after a
      week.
    * Azure Blob Storage: nothing. Removing the blocks of an unfinished upload would delete the blob, even one published
      in that moment; Azure drops them a week after the last.
    * Other stores: objects with such names. No lock says whether one is in use, so ``older_than`` must be as long as
      for S3.

    In all of them it removes the records ``.batchdl/<32 hex digits>.json`` of tasks' jobs as well, which tasks leave
    there before Airflow 3.3: with its record gone, a retry submits, and pays for, another job.

    Args:
        fs: the store, an fsspec file system (``ObjectStoragePath.fs``).
        path: the folder in it (``ObjectStoragePath.path``), with or without a slash at its end.
        older_than: leave what was written to, or started, more recently.
        records_older_than: the same for job records; longer than any task is retried and any job runs.

    Returns:
        The removed paths; for an S3 upload, that of the object that it would have become.

    Raises:
        DestinationError: the store refused a request; what it lets be removed is removed.
    """
    before, records_before = (times.now() - age for age in (older_than, records_older_than))
    leftovers: Iterable[_Leftover] = _objects(fs, path, before, records_before)
    if store_of(fs) == "local":
        leftovers = _local(fs._strip_protocol(path), before.timestamp(), records_before.timestamp())
    elif store_of(fs) == "s3":
        leftovers = chain(_uploads(fs, path, before), leftovers)
    try:
        fs.invalidate_cache()  # of what was listed for others, hours ago
        removed, refused = _remove_all(leftovers)
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        raise destination_error(path, "sweep", error) from None
    if refused:
        raise refused[0]
    return removed


def _remove_all(leftovers: Iterable[_Leftover]) -> tuple[list[str], list[DestinationError]]:
    """Remove them. Returns the removed paths, and the refusals: one must not keep the others."""
    removed: list[str] = []
    refused: list[DestinationError] = []
    for path, remove in leftovers:
        try:
            is_removed = remove() is not False
        except FileNotFoundError:
            continue  # the download that it was of has ended in the meantime
        except Exception as error:  # noqa: BLE001  every store raises its own kinds
            refused.append(destination_error(path, "remove what a killed download left", error))
            continue
        if is_removed:
            log.info("Removed leftover of a killed download: %s", path)
            removed.append(path)
    return removed, refused


def _local(folder: str, before: float, records_before: float) -> Iterator[_Leftover]:
    for parent, _, names in os.walk(folder):
        for path in filter(_is_record, (os.path.join(parent, name) for name in sorted(names))):  # noqa: PTH118
            if _last_write(path) < records_before:
                yield path, partial(os.unlink, path)
        partials = {match["partial"] for match in map(PARTIAL.fullmatch, names) if match}
        for path in (os.path.join(parent, name) for name in sorted(partials)):  # noqa: PTH118
            if _last_write(path) < before:
                yield path, partial(remove_if_unused, path)
        remove_work_folder(parent)


def _last_write(path: str) -> float:
    times = []
    for each in (path, path + STATE, path + DRAFT):
        try:
            times.append(os.lstat(each).st_mtime)
        except OSError:
            continue
    return max(times, default=time.time())


def _uploads(fs: Any, path: str, before: datetime) -> Iterator[_Leftover]:
    from airflow_provider_batchdl.transfer.sinks.s3.api import pages

    bucket, folder, _ = fs.split_path(path)
    folder = f"{folder.rstrip('/')}/" if folder else ""
    after = {"NextKeyMarker": "KeyMarker", "NextUploadIdMarker": "UploadIdMarker"}
    for page in pages(fs, "list_multipart_uploads", after, Bucket=bucket, Prefix=folder):
        for upload in page.get("Uploads", []):
            if "Initiated" in upload and upload["Initiated"] < before:  # some stores do not say when
                which = {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
                yield f"{bucket}/{upload['Key']}", partial(fs.call_s3, "abort_multipart_upload", **which)


def _objects(fs: AbstractFileSystem, path: str, before: datetime, records_before: datetime) -> Iterator[_Leftover]:
    for found in fs.find(path):
        is_record = _is_record(found)
        if is_record or PARTIAL.fullmatch(found.rpartition("/")[2]):
            yield found, partial(_remove_old, fs, found, records_before if is_record else before)


def _remove_old(fs: AbstractFileSystem, path: str, before: datetime) -> bool:
    written = times.moment_of(fs.modified(path))
    if written is None or written >= before:
        return False
    remove_object(fs, path)
    return True


def _is_record(path: str) -> bool:
    """True if it is a task's record of its job; see `Destination.record`."""
    folder, _, name = path.rpartition("/")
    return _RECORD.fullmatch(name) is not None and folder.rpartition("/")[2] == WORK_FOLDER
