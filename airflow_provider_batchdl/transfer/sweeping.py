"""Removing what killed downloads left and no later one came to remove."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.sinks.errors import destination_error
from airflow_provider_batchdl.transfer.sinks.partial import DRAFT, PARTIAL, STATE, remove_if_unused

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

log = get_logger(__name__)

A_DAY = timedelta(days=1)


def sweep(fs: AbstractFileSystem, path: str, *, older_than: timedelta = A_DAY) -> list[str]:
    """Remove the leavings of downloads under ``path`` that were killed and never tried again.

    A download cleans up behind itself and behind earlier tries at the same target; this is for the others, in a DAG
    of its own, say once a day. What it removes no later try can go on with.

    * Local disk: partial files ``.<name>.<16 hex digits>.part`` and the notes beside them, in all folders below; never
      one that a running download holds.
    * S3: unfinished multipart uploads. S3 does not tell whose they are: *every* upload under the prefix that was begun
      long enough ago is aborted, so ``older_than`` has to be longer than the longest upload of anybody who writes
      there. And the notes of ours, objects ``.<name>.<16 hex digits>.part.json``, that were written as long ago.
    * Google Cloud Storage: nothing of ours is to be found there. An unfinished upload is no object, no request lists
      it, and it ends by itself after a week.
    * Azure Blob Storage: nothing either. To remove the blocks of an unfinished upload is to delete the blob, also one
      published in that moment; Azure drops them by itself a week after the last.
    * Other stores: objects of such names. No lock says whether one is in use, so the same holds.

    Args:
        fs: the store, an fsspec file system (``ObjectStoragePath.fs``).
        path: the folder or prefix in it (``ObjectStoragePath.path``).
        older_than: leave alone what was written to, or begun, less long ago.

    Returns:
        What was removed: paths, for S3 those of the objects that the uploads would have become.

    Raises:
        DestinationError: the store refused.
    """
    from fsspec.implementations.local import LocalFileSystem

    before = datetime.now(UTC) - older_than
    s3fs = sys.modules.get("s3fs")
    try:
        if isinstance(fs, LocalFileSystem):
            removed = list(_local(fs._strip_protocol(path), before.timestamp()))
        elif s3fs is not None and isinstance(fs, s3fs.S3FileSystem):
            removed = [*_uploads(fs, path, before), *_objects(fs, path, before)]
        else:
            removed = list(_objects(fs, path, before))
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        raise destination_error(path, "sweep", error) from None
    for each in removed:
        log.info("Removed what a killed download left: %s.", each)
    return removed


def _local(folder: str, before: float) -> Iterator[str]:
    for parent, _, names in os.walk(folder):
        partials = {match["partial"] for match in map(PARTIAL.fullmatch, names) if match}
        for path in (str(Path(parent, name)) for name in sorted(partials)):
            if _last_write(path) < before and remove_if_unused(path):
                yield path


def _last_write(path: str) -> float:
    times = []
    for each in (path, path + STATE, path + DRAFT):
        try:
            times.append(os.lstat(each).st_mtime)
        except OSError:
            continue
    return max(times, default=time.time())


def _uploads(fs: Any, path: str, before: datetime) -> Iterator[str]:
    bucket, prefix, _ = fs.split_path(path)
    page: dict[str, Any] = {"IsTruncated": True}
    after: dict[str, str] = {}
    while page.get("IsTruncated"):
        page = fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix, **after)
        for upload in page.get("Uploads", []):
            if upload["Initiated"] < before:
                fs.call_s3("abort_multipart_upload", Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
                yield f"{bucket}/{upload['Key']}"
        after = {"KeyMarker": page.get("NextKeyMarker", ""), "UploadIdMarker": page.get("NextUploadIdMarker", "")}


def _objects(fs: AbstractFileSystem, path: str, before: datetime) -> Iterator[str]:
    for found in fs.find(path):
        if not PARTIAL.fullmatch(found.rpartition("/")[2]):
            continue
        written = fs.modified(found)
        if (written if written.tzinfo else written.replace(tzinfo=UTC)) < before:
            fs.rm_file(found)
            yield found
