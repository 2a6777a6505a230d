"""Check a destination: before a job is submitted, before its result is downloaded, and before it is published.

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
from airflow_provider_batchdl.transfer.sinks.errors import (
    already_there,
    destination_error,
    http_status,
    is_forbidden,
    store_code,
)
from airflow_provider_batchdl.transfer.sinks.local.fs import refuse_target
from airflow_provider_batchdl.transfer.sinks.stores import is_local, local_path, store_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from airflow_provider_batchdl.jobs import ResultFile
    from airflow_provider_batchdl.options import DownloadOptions
    from airflow_provider_batchdl.transfer.destination import Destination

log = get_logger(__name__)

# The credentials may not read, or the store has no such request: neither says that they may not write.
_INCONCLUSIVE = frozenset(
    {
        "AccessDenied",
        "AuthorizationFailure",
        "AuthorizationPermissionMismatch",
        "AuthorizationResourceTypeMismatch",
        "InsufficientAccountPermissions",
        "MethodNotAllowed",
        "NotImplemented",
    }
)
_INCONCLUSIVE_STATUSES = frozenset({403, 405, 501})


def probe(place: Destination, options: DownloadOptions) -> None:
    """Check with one cheap request that a result can be written to ``place``, as far as that is possible.

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

    In a folder, the single result file of another job stays, unless ``keep`` is ``"latest"``.
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
        return place.modified() if place.info() is not None else None
    except Exception as error:  # noqa: BLE001  write-only credentials, for one
        log.info("Cannot check when %s was written: %s", place.uri, type(error).__name__)
        return None


def refuse_unusable(place: Destination) -> None:
    """Refuse a local destination that no file can replace, before a job is submitted; see `refuse_target`."""
    if is_local(place.fs):
        refuse_target(local_path(place.fs, place.path), place.uri, is_folder=place.is_folder)


def refuse_existing(place: Destination) -> None:
    """Raise `DestinationError` where an object is at ``place``, or the store cannot be asked.

    A store that denies reading refuses on publishing instead, where it supports conditional writes.
    """
    try:
        if is_local(place.fs):
            # A dangling link counts, too. A folder is refused by the sink, with its own message.
            path = local_path(place.fs, place.path)
            found = os.path.lexists(path) and not os.path.isdir(path)  # noqa: PTH112 a path of the file system's
        else:
            found = place.info() is not None
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        if is_forbidden(error) and store_of(place.fs) != "other":
            log.info(
                "The credentials may not read %s; the store checks on publishing whether an object exists", place.uri
            )
            return
        raise destination_error(place.uri, "check whether an object exists", error) from None
    if found:
        raise already_there(place.uri)


def refuse_all_existing(destination: Destination, files: Collection[ResultFile], *, manifest: bool) -> None:
    """Refuse an existing object at any name that is known before the first request.

    ``files`` are numbered; none where they are not known yet, or there is none.
    """
    if manifest:
        refuse_existing(destination.manifest())
    if not destination.is_folder:
        for part, kind in [(file.part, file.kind) for file in files] or [(None, RESULT)]:
            refuse_existing(destination.part(part, "", kind))


def _check_folder(path: str, *, is_folder: bool) -> None:
    """Raise the `OSError` that creating a file would raise, with the folders that are missing above it."""
    folder = path if is_folder else os.path.dirname(path)  # noqa: PTH120 a path of the file system's
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)  # noqa: PTH120
    status = os.stat(folder)  # noqa: PTH116
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)
    effective = os.access in os.supports_effective_ids
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=effective):
        code = errno.EROFS if os.statvfs(folder).f_flag & os.ST_RDONLY else errno.EACCES
        raise OSError(code, os.strerror(code), folder)
    if status.st_mode & stat.S_ISVTX and not is_folder and os.path.lexists(path):
        owners = (0, status.st_uid, os.lstat(path).st_uid)
        if os.geteuid() not in owners:
            raise PermissionError(errno.EPERM, "in a sticky folder, only its owner may replace a file", path)


def _check_bucket(place: Destination) -> None:
    """List one object of the destination's folder: unlike a HEAD, a refused listing says why."""
    fs: Any = place.fs
    bucket, _, key = fs._strip_protocol(place.path).strip("/").partition("/")
    prefix = "".join(key.rpartition("/")[:2])
    store = store_of(fs)
    if store == "s3":
        fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
    elif store == "azure":
        from fsspec.asyn import sync

        sync(fs.loop, fs.service_client.get_container_client(bucket).get_container_properties)
    elif store == "gcs":
        from airflow_provider_batchdl.transfer.sinks.gcs import GcsError

        try:
            fs.call("GET", "b/{}/o", bucket, prefix=prefix, maxResults=1, json_out=True)
        except FileNotFoundError:  # gcsfs drops the status there
            raise GcsError(404, "The specified bucket does not exist.") from None


def _is_inconclusive(error: Exception) -> bool:
    code = store_code(error)
    if code is not None:
        return code in _INCONCLUSIVE
    return http_status(error) in _INCONCLUSIVE_STATUSES
