"""Check with one cheap request whether a destination accepts a result, before a job is submitted.

Nothing is written. Where the store denies reading, as it should for write-only credentials, the destination passes; the
download finds out.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.jobs import RESULT
from airflow_provider_batchdl.transfer.manifest import Record, own_files, read_manifest
from airflow_provider_batchdl.transfer.overwrite import object_info, refuse_all_existing
from airflow_provider_batchdl.transfer.sinks.errors import destination_error, http_status, store_code
from airflow_provider_batchdl.transfer.sinks.stores import is_local, store_of

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_batchdl.options import DownloadOptions
    from airflow_provider_batchdl.transfer.destination import Destination

log = get_logger(__name__)

# The credentials may not read, or the store has no such request: neither says that they may not write.
_INCONCLUSIVE = frozenset({"AccessDenied", "InsufficientAccountPermissions", "MethodNotAllowed", "NotImplemented"})
_INCONCLUSIVE_STATUSES = frozenset({403, 405, 501})


def probe(place: Destination, options: DownloadOptions) -> None:
    """Check that a result can be written to ``place``, as far as that can be checked without writing.

    Raises:
        DestinationError: the bucket does not exist, the folder is not writable, a file is in a folder's place, the
            store rejects the credentials or cannot be reached; or an object exists, and ``if_exists`` is ``"error"``.
    """
    try:
        if is_local(place.fs):
            _check_folder(place.fs._strip_protocol(place.path), is_folder=place.is_folder)
        else:
            _check_bucket(place)
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        if not _is_inconclusive(error):
            raise destination_error(place.uri, "write there", error) from None
    if options.if_exists == "error":
        refuse_all_existing(place, (), manifest=options.manifest is True)


def to_be_replaced(place: Destination, options: DownloadOptions) -> Record | None:
    """The manifest of another job's result that would be replaced at ``place``. Never raises.

    In a folder, the single result file of another job stays, unless ``keep`` is ``"latest"``; see `retire`.

    Args:
        place: the destination of the new result.
        options: how it will be downloaded.
    """
    if options.if_exists == "error":
        return None
    try:
        record = read_manifest(place.manifest())
        files = own_files(place, record.landing) if record is not None and record.landing is not None else []
    except Exception as error:  # noqa: BLE001  write-only credentials, for one
        log.info("Cannot check for a manifest at %s: %s", place.uri, type(error).__name__)
        return None
    results = [file for _, file in files if file.kind == RESULT]
    stays = place.is_folder and options.keep == "all" and (len(results) <= 1 or options.manifest is False)
    return record if files and not stays else None


def written_at(place: Destination) -> datetime | None:
    """Time of writing of the object at ``place``; None for a folder, for no object, and where the store has no time."""
    if place.is_folder:
        return None
    try:
        return place.fs.modified(place.path) if object_info(place.fs, place.path) is not None else None
    except Exception as error:  # noqa: BLE001  write-only credentials, for one
        log.info("Cannot check when %s was written: %s", place.uri, type(error).__name__)
        return None


def _check_folder(path: str, *, is_folder: bool) -> None:
    """Check that a file can be created, with the folders that are missing above it.

    Raises:
        OSError: what creating it would raise.
    """
    folder = path if is_folder else os.path.dirname(path)  # noqa: PTH120 a path of the file system's
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)  # noqa: PTH120
    if not stat.S_ISDIR(os.stat(folder).st_mode):  # noqa: PTH116
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)
    effective = os.access in os.supports_effective_ids
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=effective):
        read_only = hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY
        code = errno.EROFS if read_only else errno.EACCES
        raise OSError(code, os.strerror(code), folder)
    sticky = os.stat(folder).st_mode & stat.S_ISVTX  # noqa: PTH116
    if sticky and not is_folder and os.path.lexists(path):
        owners = (0, os.stat(folder).st_uid, os.lstat(path).st_uid)  # noqa: PTH116
        if os.geteuid() not in owners:
            raise PermissionError(errno.EPERM, "in a sticky folder, only its owner may replace a file", path)


def _check_bucket(place: Destination) -> None:
    """List one object of the destination's folder: unlike a HEAD, a refused listing says why.

    Raises:
        Exception: what the store raises.
    """
    fs: Any = place.fs
    bucket, _, key = fs._strip_protocol(place.path).strip("/").partition("/")
    folder = key.rpartition("/")[0]
    prefix = f"{folder}/" if folder else ""
    store = store_of(fs)
    if store == "s3":
        fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
    elif store == "azure":
        from fsspec.asyn import sync

        sync(fs.loop, fs.service_client.get_container_client(bucket).get_container_properties)
    elif store == "gcs":
        from airflow_provider_batchdl.transfer.sinks.gcs.upload import GcsError

        try:
            fs.call("GET", "b/{}/o", bucket, prefix=prefix, maxResults=1, json_out=True)
        except FileNotFoundError:  # gcsfs drops the status there
            raise GcsError(404, "The specified bucket does not exist.") from None


def _is_inconclusive(error: Exception) -> bool:
    code = store_code(error)
    if code is not None:
        return code in _INCONCLUSIVE or code.startswith("Authorization")
    return http_status(error) in _INCONCLUSIVE_STATUSES
