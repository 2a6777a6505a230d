"""Check for objects that already exist at the destination."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.jobs import RESULT
from airflow_provider_batchdl.transfer.sinks.errors import already_there, destination_error, is_forbidden, special_file
from airflow_provider_batchdl.transfer.sinks.stores import creates_only, is_local, local_path

if TYPE_CHECKING:
    from collections.abc import Collection

    from fsspec import AbstractFileSystem

    from airflow_provider_batchdl.jobs import ResultFile
    from airflow_provider_batchdl.transfer.destination import Destination

log = get_logger(__name__)


def refuse_unusable(place: Destination) -> None:
    """Refuse a local destination that no file can replace, before a job is submitted.

    Raises:
        DestinationError: it is a FIFO, a device or a socket, or a link to one; a folder, and not written as one; or a
            file, and written as a folder.
    """
    if not is_local(place.fs):
        return
    path = local_path(place.fs, place.path)
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 a path of the file system's
    except UnicodeEncodeError as error:
        raise destination_error(place.uri, "write", error) from None
    except (OSError, ValueError):
        return  # nothing is there, or the sink raises what is wrong
    if place.is_folder:
        if not stat.S_ISDIR(mode):
            raise destination_error(place.uri, "write", NotADirectoryError(errno.ENOTDIR, "it is no folder"))
    elif stat.S_ISDIR(mode):
        raise destination_error(place.uri, "write", IsADirectoryError(errno.EISDIR, "the destination is a folder"))
    elif not stat.S_ISREG(mode):
        raise special_file(place.uri)


def refuse_existing(place: Destination) -> None:
    """Refuse an existing object at ``place``.

    A store that denies reading refuses on publishing instead, where it supports conditional writes.

    Raises:
        DestinationError: an object is there, or the store cannot be asked.
    """
    try:
        found = _exists(place.fs, place.path)
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        if is_forbidden(error) and creates_only(place.fs):
            log.info(
                "The credentials may not read %s; the store checks on publishing whether an object exists", place.uri
            )
            return
        raise destination_error(place.uri, "check whether an object exists", error) from None
    if found:
        raise already_there(place.uri)


def refuse_all_existing(destination: Destination, files: Collection[ResultFile], *, manifest: bool) -> None:
    """Refuse an existing object at any name that is known before the first request.

    Args:
        destination: where the result goes.
        files: its files, numbered; none where they are not known yet, or there is none.
        manifest: whether the result has a manifest.

    Raises:
        DestinationError: an object is there, or the store cannot be asked.
    """
    if manifest:
        refuse_existing(destination.manifest())
    if not destination.is_folder:
        for part, kind in [(file.part, file.kind) for file in files] or [(None, RESULT)]:
            refuse_existing(destination.part(part, "", kind))


def _exists(fs: AbstractFileSystem, path: str) -> bool:
    if is_local(fs):
        # A dangling link counts, too. A folder is refused by the sink, with its own message.
        local = local_path(fs, path)
        return os.path.lexists(local) and not os.path.isdir(local)  # noqa: PTH112 a path of the file system's
    return object_info(fs, path) is not None


def object_info(fs: AbstractFileSystem, path: str) -> dict[str, Any] | None:
    """The store's info of an object, past fsspec's cache; None where there is none."""
    fs.invalidate_cache(path.rpartition("/")[0])
    try:
        if is_local(fs):
            os.lstat(local_path(fs, path))  # mostly nothing is there, and `info` takes long to find out
        info: dict[str, Any] = fs.info(path)
    except FileNotFoundError:
        return None
    # To an object store, a prefix with objects below it is no object.
    return None if info.get("type") == "directory" else info
